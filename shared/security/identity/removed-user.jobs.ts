import { defineJob } from '../../events/define-job.ts';
import type { Store, TenantStore } from '../../store/store.ts';
import type { MfaProfile } from '../mfa/mfa.schema.ts';
import type { TrustedDevice } from '../mfa/trusted-device.schema.ts';
import type { Passkey } from '../sessions/passkey.schema.ts';
import type { Session } from '../sessions/session.schema.ts';
import type { RiskProfile } from '../threats/profile.ts';
import { userRemoved } from './identity.events.ts';

export interface RemovedUserJobServices {
  readonly passkeyStore: TenantStore<Passkey>;
  readonly sessionStore: TenantStore<Session>;
  readonly mfaProfiles: TenantStore<MfaProfile>;
  readonly trustedDeviceStore: TenantStore<TrustedDevice>;
  readonly riskProfiles: TenantStore<RiskProfile>;
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
  handle: async ({ tenant, data: { user } }, { signal }, services: RemovedUserJobServices) => {
    await empty(services.passkeyStore.of(tenant), user, signal);
    await empty(services.sessionStore.of(tenant), user, signal);
    await empty(services.trustedDeviceStore.of(tenant), user, signal);
    // By the user's id: the secret of an app, a number, and where somebody is when they sign in.
    await services.mfaProfiles.of(tenant).delete(user);
    await services.riskProfiles.of(tenant).delete(user);
  },
});
