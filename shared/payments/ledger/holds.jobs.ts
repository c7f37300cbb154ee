import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { systemActor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Store } from '../../store/store.ts';
import type { LedgerHolds } from './holds.ts';
import type { LedgerHoldWatch } from './ledger.schema.ts';

export interface HoldJobServices {
  readonly holdWatches: Store<LedgerHoldWatch>;
  readonly holds: Pick<LedgerHolds, 'release'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const page = 100;
/** Milliseconds after which a hold that is still there is looked at again. */
const again = 900_000;

export const holdSweep = defineSchedule({ name: 'ledger-holds-sweep', cron: '*/5 * * * *' });

/** A hold's time is over. */
export const holdExpired = defineEvent('payments.hold.expired', z.object({ hold: z.string() }));

/** Finds holds whose time is over, over all tenants, the longest due first. A page a tick. */
export const sweepHolds = defineJob({
  name: 'payments.sweep-holds',
  on: [holdSweep.event],
  handle: async (_event, { commit }, { holdWatches, makeEvent, clock }: HoldJobServices) => {
    const now = clock.now();
    const { items } = await holdWatches.query({
      where: [{ field: 'dueAt', op: '<=', value: isoTime(now) }],
      orderBy: { field: 'dueAt', order: 'asc' },
      limit: page,
    });
    await commit((transaction) => {
      for (const { id, revision, value } of items) {
        const { tenant, hold, dueAt } = value;
        transaction.update(holdWatches, id, { ...value, dueAt: isoTime(now + again) }, { revision });
        const event = derivedId('evt', 'hold-expired', id, dueAt);
        transaction.emit(makeEvent(holdExpired, { id: event, tenant, subject: hold, data: { hold } }));
      }
    });
  },
});

/** Gives back what is held. That it is settled once follows from its revision and from the key of the posting. */
export const releaseExpiredHold = defineJob({
  name: 'payments.release-expired-hold',
  on: [holdExpired],
  maxAttempts: 10,
  handle: async ({ tenant, data: { hold } }, _context, { holds }: HoldJobServices) => {
    try {
      await holds.release(systemActor(tenant, 'payments'), hold);
    } catch (error) {
      // It was captured in time, or erased with its tenant.
      if (!isOmniError(error, 'precondition-failed') && !isOmniError(error, 'not-found')) throw error;
    }
  },
});

export const holdJobs = [sweepHolds, releaseExpiredHold];
