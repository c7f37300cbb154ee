import { defineJob } from '../../events/define-job.ts';
import type { Store, TenantStore } from '../../store/store.ts';
import type { Passkey } from '../sessions/passkey.schema.ts';
import type { Session } from '../sessions/session.schema.ts';
import { userRemoved } from './identity.events.ts';

export interface RemovedUserJobServices {
  readonly passkeyStore: TenantStore<Passkey>;
  readonly sessionStore: TenantStore<Session>;
}

const page = 100;

const empty = async <T extends object>(store: Store<T>, user: string, signal: AbortSignal): Promise<void> => {
  const where = [{ field: 'user', op: '==', value: user }] as const;
  while (!signal.aborted) {
    const { items } = await store.query({ where, limit: page });
    await Promise.all(items.map(({ id }) => store.delete(id)));
    if (items.length < page) return;
  }
  throw new Error('There was more than one run could delete.');
};

/** What was good only with the account, and is good for nothing since, goes too. */
export const forgetRemovedUser = defineJob({
  name: 'security.forget-removed-user',
  on: [userRemoved],
  handle: async ({ tenant, data }, { signal }, { passkeyStore, sessionStore }: RemovedUserJobServices) => {
    await empty(passkeyStore.of(tenant), data.user, signal);
    await empty(sessionStore.of(tenant), data.user, signal);
  },
});
