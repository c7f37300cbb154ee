import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Database } from '../../store/store.ts';
import { deviceSchema, type Origin, unknownCaller } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { Method } from '../sessions/session.schema.ts';
import type { SignInAttempt, SignInGuard } from '../sessions/sign-in.service.ts';
import type { ChallengeMethod, FactorProof, MfaChallenge } from './challenge.schema.ts';
import { type Challenges, refusedIn } from './challenges.ts';
import type { FactorBook } from './factor-book.ts';
import { afterFailure, afterSuccess, maxGuesses, requireUnlocked } from './guesses.ts';
import { type Asked, createJudge, type Judgement, type JudgeOptions } from './judge.ts';
import { secondFactorBlocked, secondFactorFailed } from './mfa.events.ts';
import type { MfaProfile } from './mfa.schema.ts';

/** A right answer. */
export interface RightAnswer {
  readonly method: Method;
  /** The factors after this use. */
  readonly profile: MfaProfile;
  /** Uses the challenge up, on condition that nobody else has. */
  readonly spend: Writes;
  /** Does that, and stores the factors, on condition that nobody has changed them. */
  readonly write: Writes;
}

export interface AnswerRequest {
  readonly token: string;
  readonly purposes: readonly MfaChallenge['purpose'][];
  /** The session in which the challenge was made; absent before there is one. */
  readonly session?: string | undefined;
  readonly device: Origin;
}

export interface Answers {
  find(request: Pick<AnswerRequest, 'token' | 'purposes' | 'session'>): Promise<Asked>;
  /**
   * Judges an answer. `onRight` commits what it opens together with `write`; where somebody else was faster, all is
   * looked at again. A wrong answer is counted before it is refused. Fails with `unauthenticated`, in a session
   * with `invalid-request`, for a wrong answer and for a challenge that is over; `rate-limited` after too many wrong codes,
   * and for who is kept away from signing in.
   */
  take<R>(
    request: AnswerRequest,
    proof: FactorProof,
    onRight: (asked: Asked, answer: RightAnswer) => Promise<R>,
  ): Promise<R>;
  /** As `take`, for a factor that is only being set up: `isRight` judges. Wrong answers count for the challenge alone. */
  takeNew<R>(
    request: AnswerRequest,
    isRight: (asked: Asked) => Promise<boolean>,
    onRight: (asked: Asked, write: Writes) => Promise<R>,
  ): Promise<R>;
}

export interface AnswersOptions extends JudgeOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly challenges: Challenges;
  readonly book: Pick<FactorBook, 'read' | 'save'>;
  /** Asked before an answer to a sign-in is looked at. In a session its owner has got in already. */
  readonly guard: Pick<SignInGuard, 'check' | 'failure'>;
}

/** Everybody who answers at once meets at one document: who loses this often has lost. */
const maxAttempts = 25;

const wrongAnswer = ({ session }: Pick<AnswerRequest, 'session'>) => refusedIn(session, 'This is not right.');

/** Somebody else was faster; also in making the document of the person's factors. */
const isLost = (error: unknown, { factors }: Asked): boolean =>
  isOmniError(error, 'revision-conflict') ||
  isOmniError(error, 'not-found') ||
  (isOmniError(error, 'already-exists') && factors.stored === undefined);

export const createAnswers = (options: AnswersOptions): Answers => {
  const { database, challenges, book, guard, notices, makeEvent, clock } = options;

  const judge = createJudge(options);

  const saved =
    ({ tenant, user, factors }: Asked, next: MfaProfile): Writes =>
    (transaction) => {
      if (next !== factors.profile) book.save(transaction, tenant, user.id, factors.stored, next);
    };

  const purposeOf = ({ challenge: { value } }: Asked) =>
    value.purpose === 'sign-in' || value.purpose === 'step-up' ? value.purpose : 'enrolment';

  /** What the guard of sign-ins is asked about; undefined for what is no sign-in. */
  const attemptOf = ({ tenant, user, challenge: { value } }: Asked, device: Origin): SignInAttempt | undefined =>
    value.purpose === 'sign-in' ? { tenant, account: sha256(user.value.email), method: 'otp', device } : undefined;

  /** Counts a wrong answer, of the challenge and of the person. After this it may be told that it was wrong. */
  const fail = async (asked: Asked, method: ChallengeMethod, origin: Origin, isNew = false): Promise<void> => {
    const { tenant, user, challenge, factors } = asked;
    const device = deviceSchema.parse(origin);
    const signIn = isNew ? undefined : attemptOf(asked, origin);
    const counted = signIn && (await guard.failure(signIn, { user: user.id }));
    const { profile, blocked } = isNew
      ? { profile: factors.profile, blocked: false }
      : afterFailure(factors.profile, clock.now());
    const guesses = challenge.value.guesses + 1;
    const about = { user: user.id, device };
    const event = makeEvent(secondFactorFailed, {
      tenant,
      subject: user.id,
      data: {
        ...about,
        ...(challenge.value.session === undefined ? unknownCaller : {}),
        method,
        purpose: purposeOf(asked),
        failures: profile.failures,
      },
    });
    const until = profile.lockedUntil ?? '';
    const mail = blocked ? await notices.tell(tenant, user, { template: 'codes-blocked' }, until) : undefined;
    await database.transaction((transaction) => {
      const settle = guesses >= maxGuesses ? challenges.spend(asked) : challenges.change(asked, { guesses });
      settle(transaction);
      saved(asked, profile)(transaction);
      transaction.emit(event);
      counted?.(transaction);
      mail?.(transaction);
      if (blocked) {
        const data = { ...about, by: 'guesses', byKind: 'system', until } as const;
        transaction.emit(makeEvent(secondFactorBlocked, { tenant, subject: user.id, data }));
      }
    });
  };

  const answerOf = (asked: Asked, { method, profile: used, also }: Judgement): RightAnswer => {
    // A passkey is judged once, perhaps before the factors were changed by somebody else.
    const profile = afterSuccess(method === 'hwk' ? asked.factors.profile : used);
    const spend: Writes = (transaction) => {
      challenges.spend(asked)(transaction);
      also?.(transaction);
    };
    const write: Writes = (transaction) => {
      spend(transaction);
      saved(asked, profile)(transaction);
    };
    return { method, profile, spend, write };
  };

  const find: Answers['find'] = async ({ token, purposes, session }) => {
    const found = await challenges.find(token, purposes, session);
    return { ...found, factors: await book.read(found.tenant, found.user.id) };
  };

  /** Until neither challenge nor factors were changed between the look at them and the commit. */
  const settle = async <R>(request: AnswerRequest, attempt: (asked: Asked) => Promise<R>): Promise<R> => {
    for (let i = 0; i < maxAttempts; i += 1) {
      const asked = await find(request);
      try {
        return await attempt(asked);
      } catch (error) {
        if (!isLost(error, asked)) throw error;
      }
    }
    throw new OmniError('revision-conflict', 'Others answer at the same time. Try again.');
  };

  return {
    find,
    take: async (request, proof, onRight) => {
      // A passkey's signature is good once: it is not judged again where the commit is tried again.
      let signed: Judgement | undefined;
      return settle(request, async (asked) => {
        if (!asked.challenge.value.methods.includes(proof.method)) throw wrongAnswer(request);
        const signIn = attemptOf(asked, request.device);
        if (signIn !== undefined) await guard.check(signIn);
        if (proof.method !== 'passkey') requireUnlocked(asked.factors.profile, clock.now());
        const right = signed ?? (await judge(asked, proof, request.device));
        if (right === undefined) {
          await fail(asked, proof.method, request.device);
          throw wrongAnswer(request);
        }
        if (proof.method === 'passkey') signed = right;
        return onRight(asked, answerOf(asked, right));
      });
    },
    takeNew: (request, isRight, onRight) =>
      settle(request, async (asked) => {
        if (!(await isRight(asked))) {
          await fail(asked, 'totp', request.device, true);
          throw wrongAnswer(request);
        }
        return onRight(asked, challenges.spend(asked));
      }),
  };
};
