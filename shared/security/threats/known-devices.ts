import { type Clock, isoTime } from '../../kernel/clock.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { Origin } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import { type GuardRecord, guardId } from './guard.schema.ts';

const tokenPattern = /^omd_[\w-]{43}$/;
/** Milliseconds: 90 days after the sign-in that it was given at. */
const lifetime = 90 * 86_400_000;

/** The id under which a device's token is known; undefined for what is none. */
export const deviceIdOf = ({ knownDevice }: Origin): string | undefined =>
  knownDevice !== undefined && tokenPattern.test(knownDevice) ? guardId.device(hashOf(knownDevice)) : undefined;

export interface KnownDevices {
  /**
   * A token for a device that shows none of this user's, and what stores its hash. It proves nothing but that somebody
   * signed in with it: it has failures of its own, so that a stranger's do not lock its owner out.
   */
  remember(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    device: Origin,
  ): Promise<{ readonly token: string; readonly write: Writes } | undefined>;
}

export interface KnownDevicesOptions {
  readonly guards: TenantStore<GuardRecord>;
  readonly clock: Clock;
}

export const createKnownDevices = ({ guards, clock }: KnownDevicesOptions): KnownDevices => ({
  remember: async (tenant, user, device) => {
    const shown = deviceIdOf(device);
    const known = shown === undefined ? undefined : (await guards.of(tenant).get(shown))?.value;
    const account = sha256(user.value.email);
    if (known?.kind === 'device' && known.user === user.id && known.account === account) return undefined;
    const token = `omd_${newSecret()}`;
    const now = clock.now();
    return {
      token,
      write: (transaction) =>
        transaction.create(guards.of(tenant), guardId.device(hashOf(token)), {
          kind: 'device',
          user: user.id,
          account,
          createdAt: isoTime(now),
          expiresAt: isoTime(now + lifetime),
        }),
    };
  },
});
