import type { Clock } from '../../kernel/clock.ts';
import type { FirstFactor, SecondFactor } from '../sessions/sign-in.service.ts';
import type { MfaChallenge } from './challenge.schema.ts';
import type { Challenges } from './challenges.ts';
import { type FactorBook, isSameMailbox, type Standing } from './factor-book.ts';
import type { TrustedDevices } from './trusted-device.service.ts';

export interface SecondFactorOptions {
  readonly book: Pick<FactorBook, 'ahead' | 'standingOf'>;
  readonly challenges: Pick<Challenges, 'create'>;
  readonly trusted: Pick<TrustedDevices, 'isTrusted'>;
  readonly clock: Clock;
}

type Asked = Pick<MfaChallenge, 'purpose' | 'methods'>;

/** Decides, after every first factor, what else it takes. It costs a read, and a query for who has passkeys. */
export const createSecondFactor = ({ book, challenges, trusted, clock }: SecondFactorOptions): SecondFactor => {
  const isTrusted = async ({ tenant, user, deviceToken, risk }: FirstFactor): Promise<boolean> =>
    risk !== 'elevated' && (await trusted.isTrusted(tenant, user, deviceToken));

  const askedOf = async (first: FirstFactor, standing: Standing): Promise<Asked | undefined> => {
    const { enrolled, usable, enrollable, allowed, required, requiredFrom } = standing;
    if (enrolled) return (await isTrusted(first)) ? undefined : { purpose: 'sign-in', methods: [...usable] };
    if (required && clock.now() >= requiredFrom) return { purpose: 'enrolment', methods: [...enrollable] };
    const { user, method, risk } = first;
    // Who has set up nothing has a mailbox at least, unless that is what they have shown already.
    const mailbox = allowed.includes('email') && user.value.emailVerified && !isSameMailbox([method], user.value);
    return risk === 'elevated' && mailbox ? { purpose: 'sign-in', methods: ['email'] } : undefined;
  };

  const prepare: SecondFactor['prepare'] = (tenant, id) => {
    const reading = book.ahead(tenant, id);
    // It is told to who asks for it, if anybody does.
    reading.catch(() => undefined);
    return async (first) => {
      const { user, method } = first;
      const standing = await book.standingOf(tenant, user, [method], await (await reading)());
      // A passkey has verified its owner: it is a second factor as well.
      if (method === 'hwk' && standing.allowed.includes('passkey')) return { secondFactor: true };
      const asked = await askedOf(first, standing);
      if (asked === undefined) return { secondFactor: standing.enrolled };
      const shown = [method];
      const made = await challenges.create(tenant, { ...asked, user: user.id, epoch: user.value.epoch, shown });
      return {
        challenge: {
          challenge: made.token,
          methods: made.methods,
          enrolment: asked.purpose === 'enrolment',
          expiresAt: made.expiresAt,
        },
      };
    };
  };

  return { prepare };
};
