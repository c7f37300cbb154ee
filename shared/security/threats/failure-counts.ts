import { createHmac } from 'node:crypto';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoDay, isoTime } from '../../kernel/clock.ts';
import type { KeyRings } from '../encryption/key-rings.ts';
import type { Writes } from '../identity/links.ts';
import type { SignInAttempt } from '../sessions/sign-in.service.ts';
import type { AttackWindows, WindowKey } from './attack-window.ts';
import { networkOf } from './networks.ts';
import { failureCounted } from './threat.events.ts';

/** What a failure is counted by. The password goes no further than its tag. */
export type CountFailure = (
  attempt: SignInAttempt,
  facts: { readonly user?: string | undefined; readonly password?: string | undefined },
) => Promise<Writes>;

export interface FailureCountsOptions {
  readonly windows: Pick<AttackWindows, 'add'>;
  readonly keys: Pick<KeyRings, 'current'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Hex digits: so few that a tag fits ten of ten million passwords, and so many that few wrong ones meet by chance. */
const tagLength = 5;

/** The same for the same password on one day in one tenant. */
export const passwordTagger =
  (keys: Pick<KeyRings, 'current'>) =>
  async (tenant: string, password: string, day: string): Promise<string> => {
    const { indexKey } = await keys.current(tenant, 'fields');
    const text = JSON.stringify(['password tag 1', day, password.normalize('NFKC')]);
    return createHmac('sha256', indexKey).update(text).digest('hex').slice(0, tagLength);
  };

/** The windows that a failure is counted in, each with whom it is counted as. */
export const windowsOf = (failure: {
  readonly account: string;
  readonly network: string;
  readonly passwordTag?: string | undefined;
  readonly at: number;
}): readonly (readonly [WindowKey, member: string])[] => {
  const { account, network, passwordTag, at } = failure;
  return [
    [{ kind: 'tenant', key: '', at }, account],
    [{ kind: 'account', key: account, at }, network],
    [{ kind: 'network', key: network, at }, account],
    ...(passwordTag === undefined ? [] : [[{ kind: 'password', key: passwordTag, at }, account] as const]),
  ];
};

/** What an attempt names nobody by: a passkey that is not known, an identity provider's refusal. */
const nobody = 'nobody';

/** Counts a failure in the transaction that tells of it, so that whoever hears of it finds it counted. */
export const createFailureCounts = ({ windows, keys, makeEvent, clock }: FailureCountsOptions): CountFailure => {
  const tagOf = passwordTagger(keys);
  return async ({ tenant, account = nobody, device }, { user, password }) => {
    const now = clock.now();
    const network = networkOf(device.ip);
    const passwordTag = password === undefined ? undefined : await tagOf(tenant, password, isoDay(now));
    const tagged = passwordTag === undefined ? {} : { passwordTag };
    const event = makeEvent(failureCounted, {
      tenant,
      subject: account,
      data: { account, network, at: isoTime(now), ...tagged, ...(user === undefined ? {} : { user }) },
    });
    return (transaction) => {
      for (const [where, member] of windowsOf({ account, network, at: now, ...tagged })) {
        windows.add(transaction, tenant, where, { member, outcome: 'failures' });
      }
      transaction.emit(event);
    };
  };
};
