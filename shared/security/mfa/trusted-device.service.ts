import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { Device } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Sessions } from '../sessions/session.service.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import { deviceRevoked, deviceTrusted } from './mfa.events.ts';
import type { TrustedDevice, TrustedDeviceView } from './trusted-device.schema.ts';

export interface TrustedDevices {
  /** A token for a device, and what stores it; undefined where the tenant trusts none. The oldest of ten makes room. */
  trust(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    device: Device,
  ): Promise<{ readonly token: string; readonly write: Writes } | undefined>;
  /** Whether this device of this user is trusted now. */
  isTrusted(tenant: string, user: Pick<Stored<User>, 'id' | 'value'>, token: string | undefined): Promise<boolean>;
  /** The actor's own. */
  list(actor: Actor): Promise<readonly TrustedDeviceView[]>;
  /** Fails with `not-found`. */
  revoke(actor: Actor, id: string): Promise<void>;
}

export interface TrustedDevicesOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly devices: TenantStore<TrustedDevice>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly sessions: Pick<Sessions, 'current'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Of one person. */
const maxDevices = 10;
const prefix = 'omd_';
const day = 86_400_000;

export const createTrustedDevices = (options: TrustedDevicesOptions): TrustedDevices => {
  const { database, devices, policy, sessions, makeEvent, clock } = options;

  const ofUser = async (tenant: string, user: string) =>
    (await devices.of(tenant).query({ where: [{ field: 'user', op: '==', value: user }], limit: 2 * maxDevices }))
      .items;

  const touch = async (tenant: string, { id, value, revision }: Stored<TrustedDevice>): Promise<void> => {
    const used = { ...value, lastUsedAt: isoTime(clock.now()) };
    await devices
      .of(tenant)
      .update(id, used, { revision })
      .catch((error: unknown) => {
        if (!isOmniError(error, 'revision-conflict') && !isOmniError(error, 'not-found')) throw error;
      });
  };

  return {
    trust: async (tenant, { id: user, value: { epoch } }, device) => {
      const { trustedDeviceDays } = (await policy.of(tenant)).mfa;
      if (trustedDeviceDays === 0) return undefined;
      const known = (await ofUser(tenant, user)).toSorted((a, b) => a.value.createdAt.localeCompare(b.value.createdAt));
      const tooMany = known.slice(0, Math.max(0, known.length + 1 - maxDevices));
      const secret = newSecret();
      const id = hashOf(secret);
      const now = clock.now();
      const value: TrustedDevice = {
        user,
        epoch,
        device,
        createdAt: isoTime(now),
        lastUsedAt: isoTime(now),
        expiresAt: isoTime(now + trustedDeviceDays * day),
      };
      const event = makeEvent(deviceTrusted, { tenant, subject: user, data: { user, device, trusted: id } });
      return {
        token: `${prefix}${secret}`,
        write: (transaction) => {
          for (const one of tooMany) transaction.delete(devices.of(tenant), one.id);
          transaction.create(devices.of(tenant), id, value);
          transaction.emit(event);
        },
      };
    },
    isTrusted: async (tenant, user, token) => {
      if (token === undefined || !token.startsWith(prefix)) return false;
      const { trustedDeviceDays } = (await policy.of(tenant)).mfa;
      const found = trustedDeviceDays === 0 ? undefined : await devices.of(tenant).get(hashOf(token.slice(4)));
      if (found === undefined || found.value.user !== user.id || found.value.epoch !== user.value.epoch) return false;
      // A tenant that trusts devices for less time than before means those that there are as well.
      if (clock.now() >= Date.parse(found.value.createdAt) + trustedDeviceDays * day) return false;
      await touch(tenant, found);
      return true;
    },
    list: async (actor) => {
      const { user } = await sessions.current(actor);
      return (await ofUser(actor.tenant, actor.id))
        .filter(({ value }) => value.epoch === user.value.epoch)
        .map(({ id, value: { device, createdAt, lastUsedAt, expiresAt } }) => ({
          id,
          device,
          createdAt,
          lastUsedAt,
          expiresAt,
        }));
    },
    revoke: async (actor, id) => {
      await sessions.current(actor);
      const { tenant, id: user } = actor;
      const found = await devices.of(tenant).get(id);
      if (found?.value.user !== user) throw new OmniError('not-found', 'You have no such device.');
      const event = makeEvent(deviceRevoked, { tenant, subject: user, data: { user, device: {}, trusted: id } });
      await database.transaction((transaction) => {
        transaction.delete(devices.of(tenant), id);
        transaction.emit(event);
      });
    },
  };
};
