import type { Database } from '../../store/store.ts';
import type { Writes } from '../identity/links.ts';
import type { FactorMethod } from '../policy/security-policy.schema.ts';
import type { PasskeyService } from '../sessions/passkey.service.ts';
import type { Method } from '../sessions/session.schema.ts';
import type { Answers } from './answers.ts';
import type { FactorProof, MfaSignIn } from './challenge.schema.ts';
import { type Challenges, notAsked } from './challenges.ts';
import type { FactorBook, Standing } from './factor-book.ts';
import type { Asked } from './judge.ts';
import { retried } from './retried.ts';
import type { OpenRequest, OpenSession } from './session-opener.ts';

/** What is done with a challenge by whoever holds it. Each call fails with `unauthenticated` once it is over. */
export interface ChallengeService {
  /** What a passkey is to sign. Fails with `precondition-failed` where none is asked for. */
  passkeyOptions(token: string, session?: string): Promise<Record<string, unknown>>;
  /** Opens the session; where a factor was shown that the tenant no longer allows, asks for a new one first. */
  verify(token: string, proof: FactorProof, request: OpenRequest): Promise<MfaSignIn>;
}

export interface ChallengeServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly challenges: Challenges;
  readonly answers: Answers;
  readonly book: Pick<FactorBook, 'standingOf'>;
  readonly passkeys: Pick<PasskeyService, 'request'>;
  readonly open: OpenSession;
}

/** The factor by which a session says that it was shown. */
const factorOf: Readonly<Partial<Record<Method, FactorMethod>>> = {
  otp: 'totp',
  hwk: 'passkey',
  sms: 'sms',
  mail: 'email',
  rcv: 'backup-code',
};

export const createChallengeService = (options: ChallengeServiceOptions): ChallengeService => {
  const { database, challenges, answers, book, passkeys, open } = options;

  /** Less than the tenant asks for opens no session, but the way to set up what it does. */
  const askForMore = async (
    { tenant, user, challenge }: Asked,
    method: Method,
    enrollable: Standing['enrollable'],
    write: Writes,
  ): Promise<MfaSignIn> => {
    const { epoch, shown } = challenge.value;
    const next = challenges.draft(tenant, {
      purpose: 'enrolment',
      user: user.id,
      epoch,
      shown: [...shown, method],
      methods: [...enrollable],
    });
    await database.transaction((transaction) => {
      write(transaction);
      next.write(transaction);
    });
    const { token, methods, expiresAt } = next;
    return { status: 'second-factor', challenge: token, methods, enrolment: true, expiresAt };
  };

  return {
    passkeyOptions: (token, session) =>
      retried(async () => {
        const asked = await answers.find({ token, purposes: ['sign-in', 'step-up'], session });
        if (!asked.challenge.value.methods.includes('passkey')) throw notAsked();
        const { challenge, options } = await passkeys.request(asked.tenant, asked.factors.passkeys);
        await database.transaction(challenges.change(asked, { passkey: challenge }));
        return options;
      }),
    verify: (token, proof, request) =>
      answers.take({ token, purposes: ['sign-in'], device: request.device }, proof, async (asked, right) => {
        const { tenant, user, challenge } = asked;
        const { allowed, enrollable } = await book.standingOf(tenant, user, challenge.value.shown);
        const shown = factorOf[right.method];
        return shown !== undefined && allowed.includes(shown)
          ? open(asked, right.method, request, right.write)
          : askForMore(asked, right.method, enrollable, right.write);
      }),
  };
};
