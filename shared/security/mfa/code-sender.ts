import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { emailRequested, smsRequested } from '../../messaging/index.ts';
import type { Database } from '../../store/store.ts';
import type { Answers } from './answers.ts';
import type { MfaChallenge } from './challenge.schema.ts';
import { type Challenges, notAsked } from './challenges.ts';
import { codeHash, newCode } from './codes.ts';
import type { FactorBook } from './factor-book.ts';
import { afterSend, maxSends, requireUnlocked, sendPause } from './guesses.ts';
import type { Asked } from './judge.ts';
import { retried } from './retried.ts';

export const sentCodeSchema = z
  .object({
    to: z.string().meta({ description: 'Where it was sent, shortened.', examples: ['…4567'] }),
    sendsLeft: z.int().meta({ description: 'How often another one can be asked for.' }),
    nextAfter: z.iso.datetime().meta({ description: 'Not before then.' }),
  })
  .meta({ id: 'SentCode' });
export type SentCode = z.infer<typeof sentCodeSchema>;

export interface SendRequest {
  readonly method: 'sms' | 'email';
  readonly locale?: string | undefined;
  /** The session in which the challenge was made; absent before there is one. */
  readonly session?: string | undefined;
}

/**
 * Sends a code for a challenge. Fails with `rate-limited` for one too soon or too many, `precondition-failed` for a method
 * that is not asked for, `unauthenticated` once the challenge is over.
 */
export type SendCode = (token: string, request: SendRequest) => Promise<SentCode>;

export interface CodeSenderOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly challenges: Pick<Challenges, 'change'>;
  readonly answers: Pick<Answers, 'find'>;
  readonly book: Pick<FactorBook, 'save'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const anywhere: readonly MfaChallenge['purpose'][] = ['sign-in', 'step-up', 'phone', 'mailbox'];
/** As long as its challenge. */
const minutes = 10;

const hiddenEmail = (email: string): string => `${email.slice(0, 1)}…${email.slice(email.lastIndexOf('@'))}`;
const hiddenNumber = (number: string): string => `…${number.slice(-4)}`;

export const createCodeSender = (options: CodeSenderOptions): SendCode => {
  const { database, challenges, answers, book, makeEvent, clock } = options;

  const messageWith = (asked: Asked, method: 'sms' | 'email', code: string, locale: string) => {
    const { tenant, challenge, user, factors } = asked;
    const { email, name } = user.value;
    const envelope = {
      locale,
      dedupeKey: `${challenge.id}:${challenge.value.sends}`,
      notAfter: challenge.value.expiresAt,
    };
    if (method === 'email') {
      const data = { code, minutes, ...(name === undefined ? {} : { name }) };
      const mail = { ...envelope, template: 'mfa-code', to: email, data } as const;
      return { to: hiddenEmail(email), event: makeEvent(emailRequested, { tenant, subject: user.id, data: mail }) };
    }
    const number = challenge.value.phone?.number ?? factors.profile.phone?.number;
    if (number === undefined) throw notAsked();
    const text = { ...envelope, template: 'mfa-code', to: number, data: { code, minutes } } as const;
    return { to: hiddenNumber(number), event: makeEvent(smsRequested, { tenant, subject: user.id, data: text }) };
  };

  return (token, { method, locale = 'en', session }) =>
    retried(async () => {
      const asked = await answers.find({ token, purposes: anywhere, session });
      const { tenant, user, secret, factors } = asked;
      const { sends, lastSentAt, methods } = asked.challenge.value;
      if (!methods.includes(method)) throw notAsked();
      const now = clock.now();
      requireUnlocked(factors.profile, now);
      const wait = lastSentAt === undefined ? 0 : Date.parse(lastSentAt) + sendPause - now;
      if (sends >= maxSends) throw new OmniError('rate-limited', 'There were enough codes. Begin again.');
      if (wait > 0) {
        throw new OmniError('rate-limited', 'A code is on its way.', { retryAfter: Math.ceil(wait / 1_000) });
      }
      const profile = afterSend(factors.profile, now);
      const code = newCode();
      const { to, event } = messageWith(asked, method, code, locale);
      const sent = { code: { method, hash: codeHash(secret, code) }, sends: sends + 1, lastSentAt: isoTime(now) };
      await database.transaction((transaction) => {
        challenges.change(asked, sent)(transaction);
        book.save(transaction, tenant, user.id, factors.stored, profile);
        transaction.emit(event);
      });
      return { to, sendsLeft: maxSends - sends - 1, nextAfter: isoTime(now + sendPause) };
    });
};
