import { type Clock, isoDay, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Store, Stored, TenantStore } from '../../store/store.ts';
import type { SecurityPolicy } from '../policy/security-policy.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { SignInAttempt, SignInGuard } from '../sessions/sign-in.service.ts';
import type { CountFailure } from './failure-counts.ts';
import { type Block, type GuardRecord, guardId } from './guard.schema.ts';
import { deviceIdOf } from './known-devices.ts';
import { callerOf, networkOf, unknownNetwork } from './networks.ts';

export interface SignInGuardOptions {
  readonly guards: TenantStore<GuardRecord>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly count: CountFailure;
  readonly clock: Clock;
}

type Lockout = SecurityPolicy['lockout'];
type Found = Stored<GuardRecord> | undefined;

const dayLength = 86_400_000;

const tooMany = (milliseconds: number): OmniError =>
  new OmniError('rate-limited', 'Too many attempts to sign in. Try again later.', {
    retryAfter: Math.max(1, Math.ceil(milliseconds / 1_000)),
  });

/** When they were made, in milliseconds since the Unix epoch. */
const attemptsIn = (found: Found): readonly number[] => (found?.value.kind === 'attempts' ? found.value.at : []);

const blockIn = (found: Found): Block | undefined => (found?.value.kind === 'block' ? found.value : undefined);

/** A clock that was set back leaves attempts in the future. They count as long as any other. */
const recent = (found: Found, now: number, length: number): readonly number[] =>
  attemptsIn(found).filter((at) => Math.abs(now - at) < length);

/**
 * Takes one of the attempts that a budget has left. An attempt is taken before the credential is looked at, each by a
 * write on condition of what was read, so that of any number at once no more get through than are left: whoever loses
 * the write has lost it to another attempt. Throws `rate-limited`. Gives back those that were there before.
 */
const take = async (store: Store<GuardRecord>, id: string, first: Found, lockout: Lockout, clock: Clock) => {
  const length = lockout.windowMinutes * 60_000;
  let found = first;
  for (let round = 0; round <= lockout.failures; round += 1) {
    const now = clock.now();
    const at = recent(found, now, length);
    const last = [...at].sort((a, b) => a - b)[at.length - lockout.failures];
    if (last !== undefined) throw tooMany(last + length - now);
    const value: GuardRecord = { kind: 'attempts', at: [...at, now], expiresAt: isoTime(now + length) };
    try {
      if (found === undefined) await store.create(id, value);
      else await store.update(id, value, { revision: found.revision });
      return at;
    } catch (error) {
      const lost = (['already-exists', 'revision-conflict', 'not-found'] as const).some((code) =>
        isOmniError(error, code),
      );
      if (!lost) throw error;
      found = await store.get(id);
    }
  }
  throw tooMany(1_000);
};

/** Keeps attempts away that are too many, or come from where they are not wanted. */
export const createSignInGuard = (options: SignInGuardOptions): SignInGuard => {
  const { guards, policy, count, clock } = options;

  const idsOf = ({ account, device }: SignInAttempt) => {
    const network = networkOf(device.ip);
    const token = deviceIdOf(device);
    return {
      failures: guardId.failures(callerOf(device.ip), isoDay(clock.now())),
      network: guardId.block('network', network),
      account: guardId.block('account', account ?? ''),
      attempts: guardId.attempts(account ?? '', network),
      device: token ?? guardId.device(''),
      deviceAttempts: guardId.deviceAttempts(token ?? ''),
      isUnknown: network === unknownNetwork,
    };
  };

  /** Throws where a block holds, whose end is told as that of any other limit. */
  const refuseBlocked = (found: readonly Found[], isKnown: boolean): void => {
    const now = clock.now();
    for (const block of found.map(blockIn)) {
      if (block === undefined || (isKnown && block.sparesKnownDevices)) continue;
      throw tooMany(Date.parse(block.expiresAt) - now);
    }
  };

  const refuseTooManyOfDay = (found: Found, { failuresPerAddressAndDay }: Lockout): void => {
    if (found?.value.kind !== 'failures' || found.value.count < failuresPerAddressAndDay) return;
    throw tooMany(dayLength - (clock.now() % dayLength));
  };

  /** What there is to hold an attempt against. `requireAdmissible` throws, and writes nothing. */
  const read = async (attempt: SignInAttempt) => {
    const { tenant, account } = attempt;
    const ids = idsOf(attempt);
    const [failures, ofNetwork, ofAccount, attempts, device, deviceAttempts] = await guards
      .of(tenant)
      .getMany([ids.failures, ids.network, ids.account, ids.attempts, ids.device, ids.deviceAttempts]);
    const owner = device?.value.kind === 'device' ? device.value : undefined;
    const isKnown = owner !== undefined && (account === undefined || account === owner.account);
    const requireAdmissible = (lockout: Lockout): void => {
      refuseBlocked(account === undefined ? [ofNetwork] : [ofNetwork, ofAccount], isKnown);
      if (!isKnown && !ids.isUnknown) refuseTooManyOfDay(failures, lockout);
    };
    return { ids, ofAccount, attempts, deviceAttempts, owner, isKnown, requireAdmissible };
  };

  const look: SignInGuard['look'] = async (attempt) => {
    const { ids, ofAccount, attempts, deviceAttempts, owner, isKnown, requireAdmissible } = await read(attempt);
    return async () => {
      const { lockout } = await policy.of(attempt.tenant);
      requireAdmissible(lockout);
      if (attempt.account === undefined) return undefined;
      const [id, found] = isKnown ? [ids.deviceAttempts, deviceAttempts] : [ids.attempts, attempts];
      const before = await take(guards.of(attempt.tenant), id, found, lockout, clock);
      return {
        device: owner,
        attempts: isKnown ? attemptsIn(attempts) : before,
        ownAttempts: isKnown ? before : attemptsIn(deviceAttempts),
        block: blockIn(ofAccount),
      };
    };
  };

  return {
    look,
    admit: async (attempt) => (await look(attempt))(),
    check: async (attempt) => {
      const [{ requireAdmissible }, { lockout }] = await Promise.all([read(attempt), policy.of(attempt.tenant)]);
      requireAdmissible(lockout);
    },
    failure: async (attempt, facts) => {
      const { tenant, device } = attempt;
      const counted = await count(attempt, facts);
      if (device.ip === undefined) return counted;
      const now = clock.now();
      const id = guardId.failures(callerOf(device.ip), isoDay(now));
      const expiresAt = isoTime(now + 2 * dayLength);
      return (transaction) => {
        transaction.increment(guards.of(tenant), id, { count: 1 }, { kind: 'failures', expiresAt });
        counted(transaction);
      };
    },
    passed:
      ({ tenant, user, device }, isKnownDevice) =>
      (transaction) => {
        const ids = idsOf({ tenant, account: sha256(user.value.email), method: 'pwd', device });
        // Each clears what it was counted in: an owner at home gives the strangers beside them no new attempts.
        transaction.delete(guards.of(tenant), isKnownDevice ? ids.deviceAttempts : ids.attempts);
      },
  };
};
