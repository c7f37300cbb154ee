import { parseEvent } from '../events/define-event.ts';
import { defineJob } from '../events/define-job.ts';
import type { Database, Store } from '../store/store.ts';
import type { Intake } from './intake.schema.ts';
import { accountConnected } from './webhook.events.ts';

export interface ParkedServices {
  readonly database: Pick<Database, 'transaction'>;
  readonly intake: Store<Intake>;
}

/** So many of the largest webhooks fit a commit of Firestore, which is of 10 MiB. */
const page = 10;

/** Publishes what came for an account before anybody knew whose it is. */
export const releaseParked = defineJob({
  name: 'webhooks.release-parked',
  on: [accountConnected],
  timeout: 300,
  handle: async ({ tenant, data }, { signal }, { database, intake }: ParkedServices) => {
    for (let left = true; left && !signal.aborted; ) {
      const { items } = await intake.query({
        where: [
          { field: 'provider', op: '==', value: data.provider },
          { field: 'account', op: '==', value: data.account },
          { field: 'tenant', op: '==', value: null },
        ],
        orderBy: { field: 'receivedAt', order: 'asc' },
        limit: page,
      });
      // Its own transaction a page: an entry that is released is no longer found, so a repetition goes on from there.
      await database.transaction((transaction) => {
        for (const { id, revision, value } of items) {
          const { parked, ...entry } = value;
          transaction.update(intake, id, { ...entry, tenant }, { revision });
          if (parked !== undefined) transaction.emit({ ...parseEvent(JSON.parse(parked)), tenant });
        }
      });
      left = items.length === page;
    }
  },
});
