import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { isActiveTenant } from '../identity/active-tenant.ts';
import { type Origin, unknownCaller } from '../identity/identity.events.ts';
import type { FoundLink, Links, Writes } from '../identity/links.ts';
import type { PasswordHasher } from '../identity/password.ts';
import type { User } from '../identity/user.schema.ts';
import { emailReservation } from '../identity/user.service.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { signInFailed } from './session.events.ts';
import { type Method, tokensSchema } from './session.schema.ts';
import type { Sessions } from './session.service.ts';

/** What is asked for after the first factor. */
export const challengeSchema = z
  .object({
    challenge: z.string().meta({ description: 'To be sent with the second factor.' }),
    methods: z.array(z.string()).meta({
      description: 'Any of them will do. Where there is none, an administrator has to reset the factors.',
    }),
    enrolment: z.boolean().meta({
      description: 'The tenant asks for a second factor and there is none: set up one of `methods` to get in.',
    }),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'SecondFactorChallenge' });
export type SecondFactorChallenge = z.infer<typeof challengeSchema>;

export const signInResultSchema = z
  .discriminatedUnion('status', [
    tokensSchema.extend({ status: z.literal('complete') }).meta({ id: 'SignedIn' }),
    challengeSchema.extend({ status: z.literal('second-factor') }).meta({ id: 'SecondFactorNeeded' }),
  ])
  .meta({ id: 'SignInResult' });
export type SignInResult = z.infer<typeof signInResultSchema>;

/** Somebody who has shown one factor. */
export interface FirstFactor {
  readonly tenant: string;
  readonly user: Pick<Stored<User>, 'id' | 'value'>;
  readonly method: Method;
  readonly device: Origin;
  /** What a trusted device keeps: with it the second factor is not asked for, where the tenant allows that. */
  readonly deviceToken?: string | undefined;
  /** The password that was right is in a public list of stolen ones. */
  readonly breached?: boolean;
  /** `elevated`: something is strange, so a second factor is asked for though the device is trusted. */
  readonly risk?: 'elevated' | undefined;
  /** What the guard found, where it was asked about this account. */
  readonly admission?: Admission | undefined;
}

/** What is to be done about a sign-in whose first factor was good. */
export interface RiskAssessment {
  /** 0 to 100. */
  readonly score: number;
  readonly signals: readonly { readonly kind: string; readonly weight: number; readonly reason: string }[];
  readonly decision: 'allow' | 'step-up' | 'challenge' | 'block';
  /** The device has shown a token that was given to this user. */
  readonly isKnownDevice: boolean;
}

/** Judges a sign-in before its session opens. */
export interface RiskAssessor {
  assess(first: FirstFactor): Promise<RiskAssessment>;
  /** The same in two steps: it reads ahead what judging takes, and what it gives back judges. */
  prepare(tenant: string, user: string): (first: FirstFactor) => Promise<RiskAssessment>;
}

/** What is asked for now; where nothing is, whether the account has a second factor nevertheless. */
export type SecondFactorDecision =
  | { readonly challenge: SecondFactorChallenge }
  | { readonly challenge?: undefined; readonly secondFactor: boolean };

/** Decides, for every way to sign in, whether one factor is enough. */
export interface SecondFactor {
  /**
   * Reads ahead what deciding takes; what it gives back decides. Whoever takes the answer to its challenge opens the
   * session (`Sessions.open`).
   */
  prepare(tenant: string, user: string): (first: FirstFactor) => Promise<SecondFactorDecision>;
}

/** An attempt before it is looked at. */
export interface SignInAttempt {
  readonly tenant: string;
  /** SHA-256 of the address; absent where none is given. */
  readonly account?: string | undefined;
  readonly method: Method;
  readonly device: Origin;
}

/** What stood of an account before an attempt on it was taken. */
export interface Admission {
  /** Whose the device is by its token, and which address that account had. */
  readonly device: { readonly user: string; readonly account: string } | undefined;
  /** Attempts of its network, and of the device: when each was made, in milliseconds since the Unix epoch. */
  readonly attempts: readonly number[];
  readonly ownAttempts: readonly number[];
  readonly block: { readonly sparesKnownDevices: boolean } | undefined;
}

/** Keeps attempts away that are too many. */
export interface SignInGuard {
  /** Throws `rate-limited`, in the same way whether or not there is such an account. */
  admit(attempt: SignInAttempt): Promise<Admission | undefined>;
  /** The same in two steps: it reads, and what it gives back takes the attempt, or throws before it writes. */
  look(attempt: SignInAttempt): Promise<() => Promise<Admission | undefined>>;
  /**
   * Throws where `admit` would because of who calls: a block holds, or too many failed from there. Takes no attempt: for
   * what has a limit of its own on one account.
   */
  check(attempt: SignInAttempt): Promise<void>;
  /** What counts a failure, to be written together with what tells of it. */
  failure(
    attempt: SignInAttempt,
    facts: { readonly user?: string | undefined; readonly password?: string | undefined },
  ): Promise<Writes>;
  /** Somebody has shown to be the owner: what failed before, on their device or in their network, was theirs. */
  passed(first: Pick<FirstFactor, 'tenant' | 'user' | 'device'>, isKnownDevice: boolean): Writes;
}

export interface PasswordSignIn {
  readonly tenant: string;
  readonly email: string;
  readonly password: string;
  readonly deviceToken?: string | undefined;
}

export interface SignInService {
  /** Fails with `unauthenticated`, in the same words and time whatever was wrong. */
  withPassword(request: PasswordSignIn, device: Origin): Promise<SignInResult>;
  withLink(token: string, device: Origin, deviceToken?: string): Promise<SignInResult>;
  /** Throws `rate-limited` for an attempt that is one too many. */
  admit(attempt: SignInAttempt): Promise<Admission | undefined>;
  /** After the first factor, whichever it was: asks for the second one, or opens the session. */
  finish(first: FirstFactor): Promise<SignInResult>;
  /** Stores that an attempt failed, then refuses it. */
  refuse(attempt: SignInAttempt, reason: FailureReason, user?: string, password?: string): Promise<never>;
}

export type FailureReason = z.infer<typeof signInFailed.schema>['reason'];

export interface SignInOptions {
  readonly database: Pick<Database, 'transaction' | 'ownerOf'>;
  readonly userStore: TenantStore<User>;
  readonly sessions: Pick<Sessions, 'open'>;
  readonly links: Pick<Links, 'spend'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly passwords: PasswordHasher;
  readonly secondFactor?: SecondFactor;
  readonly guard?: SignInGuard;
  readonly risk?: RiskAssessor;
  /** Whether a password is in a public list of stolen ones. */
  readonly isBreached?: (password: string) => Promise<boolean>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** The id of no user. */
const nobody = 'usr_nobody';

/** In the same words whatever was wrong. */
export const notSignedIn = () => new OmniError('unauthenticated', 'This did not sign you in. Check what you entered.');

export const createSignInService = (options: SignInOptions): SignInService => {
  const { database, userStore, sessions, links, policy, tenants, passwords, makeEvent, clock } = options;
  const { secondFactor, guard, risk, isBreached } = options;

  const refuse: SignInService['refuse'] = async (attempt, reason, user, password) => {
    const { tenant, account, method, device } = attempt;
    const counted = await guard?.failure(attempt, { user, password });
    const event = makeEvent(signInFailed, {
      tenant,
      subject: user ?? account ?? 'unknown',
      data: {
        ...unknownCaller,
        method,
        reason,
        device,
        ...(account === undefined ? {} : { account }),
        ...(user === undefined ? {} : { user }),
      },
    });
    await database.transaction((transaction) => {
      transaction.emit(event);
      counted?.(transaction);
    });
    throw notSignedIn();
  };

  /** Reads what is asked once the first factor is good. */
  const prepare = (tenant: string, user: string) => {
    const [assess, begin] = [risk?.prepare(tenant, user), secondFactor?.prepare(tenant, user)];
    return async (first: FirstFactor): Promise<SignInResult> => {
      const { method, device } = first;
      const { decision, isKnownDevice = false } = (await assess?.(first)) ?? {};
      // In the same words as a wrong password, so that it does not tell that this one is right.
      if (decision === 'block')
        return refuse({ tenant, account: sha256(first.user.value.email), method, device }, 'blocked', first.user.id);
      const judged: FirstFactor = decision === 'challenge' ? { ...first, risk: 'elevated' } : first;
      const asked = await begin?.(judged);
      const passed = guard?.passed(first, isKnownDevice);
      if (asked?.challenge !== undefined) {
        if (passed !== undefined) await database.transaction(passed);
        return { status: 'second-factor', ...asked.challenge };
      }
      const stepUp = decision === 'step-up' || decision === 'challenge';
      const secondFactorOf = asked?.secondFactor ?? false;
      const proof = { methods: [method], device, secondFactor: secondFactorOf, stepUp, isKnownDevice };
      return { status: 'complete', ...(await sessions.open(tenant, first.user, proof, passed)) };
    };
  };
  const finish: SignInService['finish'] = (first) => prepare(first.tenant, first.user.id)(first);

  /** What was hashed with yesterday's parameters is hashed again, now that the password is here. */
  const rehash = async (tenant: string, user: Stored<User>, password: string): Promise<void> => {
    const passwordHash = await passwords.hash(password);
    const value = { ...user.value, passwordHash, updatedAt: isoTime(clock.now()) };
    await userStore
      .of(tenant)
      .update(user.id, value, { revision: user.revision })
      .catch((error: unknown) => {
        if (!isOmniError(error, 'revision-conflict')) throw error;
      });
  };

  const reasonAgainst = (user: Stored<User> | undefined, matches: boolean): FailureReason | undefined => {
    if (user === undefined) return 'unknown-account';
    if (!matches) return 'wrong-credential';
    if (user.value.status !== 'active') return 'disabled';
    return user.value.emailVerified ? undefined : 'not-verified';
  };

  return {
    admit: async (attempt) => guard?.admit(attempt),
    refuse,
    finish,
    withPassword: async ({ tenant, email, password, deviceToken }, device) => {
      const attempt: SignInAttempt = { tenant, account: sha256(email), method: 'pwd', device };
      const [isActive, owner, take] = await Promise.all([
        isActiveTenant(tenants, tenant),
        database.ownerOf(tenant, emailReservation, email),
        guard?.look(attempt),
      ]);
      // Before the attempt is taken, which writes: there is nothing to write of a tenant that is not there.
      if (!isActive) throw notSignedIn();
      const admission = await take?.();
      // The same is read whether or not there is an account, so that how long it takes does not tell. What only the
      // owner is asked for comes with the account, and nobody waits for it before the password is looked at.
      const proceed = prepare(tenant, owner ?? nobody);
      const [found, { signInMethods }] = await Promise.all([
        userStore.of(tenant).get(owner ?? nobody),
        policy.of(tenant),
      ]);
      const user = found?.value.email === email ? found : undefined;
      const matches = await passwords.verify(user?.value.passwordHash, password);
      const reason = signInMethods.includes('password') ? reasonAgainst(user, matches) : 'not-allowed';
      if (user === undefined || reason !== undefined) {
        const tried = reason === 'not-allowed' ? undefined : password;
        return refuse(attempt, reason ?? 'unknown-account', user?.id, tried);
      }
      if (passwords.isOutdated(user.value.passwordHash ?? '')) await rehash(tenant, user, password);
      const breached = (await isBreached?.(password)) ?? false;
      return proceed({ tenant, user, method: 'pwd', device, deviceToken, breached, admission });
    },
    withLink: async (token, device, deviceToken) => {
      const { tenant, user }: FoundLink = await links.spend(token, 'sign-in', async (found) => {
        // The tenant may have thought otherwise since it was mailed.
        if (!(await policy.of(found.tenant)).signInMethods.includes('magic-link')) throw notSignedIn();
        return (transaction) => {
          if (found.user.value.emailVerified) return;
          // Who has the link has shown to read the mail.
          const value = { ...found.user.value, emailVerified: true, updatedAt: isoTime(clock.now()) };
          transaction.update(userStore.of(found.tenant), found.user.id, value, { revision: found.user.revision });
        };
      });
      return finish({ tenant, user, method: 'link', device, deviceToken });
    },
  };
};
