import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database } from '../../store/store.ts';
import type { Device } from '../identity/identity.events.ts';
import type { PasswordHasher } from '../identity/password.ts';
import type { FactorMethod } from '../policy/security-policy.schema.ts';
import type { PasskeyChanges } from '../sessions/passkey.service.ts';
import { acrOf } from '../sessions/session.rules.ts';
import type { Method } from '../sessions/session.schema.ts';
import type { CurrentSession, Sessions } from '../sessions/session.service.ts';
import type { AnswerRequest, Answers, RightAnswer } from './answers.ts';
import type { MfaChallenge } from './challenge.schema.ts';
import type { Challenges } from './challenges.ts';
import { type SendCode, sentCodeSchema } from './code-sender.ts';
import { newBackupCodes } from './codes.ts';
import {
  backupCodesLeft,
  type FactorBook,
  type Factors,
  isSameMailbox,
  methodsOf,
  type Standing,
} from './factor-book.ts';
import { requirePause } from './guesses.ts';
import { backupCodesMade } from './mfa.events.ts';
import type { FactorView, MfaOverview, MfaProfile, NewTotp } from './mfa.schema.ts';
import { retried } from './retried.ts';
import { newTotpSecret, stepOf } from './totp.ts';

export const sentEnrolmentSchema = sentCodeSchema
  .extend({ enrolment: z.string().meta({ description: 'To be sent with the code.' }) })
  .meta({ id: 'FactorToConfirm' });
export type SentEnrolment = z.infer<typeof sentEnrolmentSchema>;

/** A person's own second factors. Each call fails with `forbidden` for a key. */
export interface FactorService {
  overview(actor: Actor): Promise<MfaOverview>;
  /** Fails with `precondition-failed` where there are five, or the tenant does not allow them. */
  beginTotp(actor: Actor): Promise<NewTotp>;
  confirmTotp(
    actor: Actor,
    request: { readonly enrolment: string; readonly name: string; readonly code: string },
    device: Device,
  ): Promise<FactorView>;
  /** Sends a code to a number. */
  beginPhone(actor: Actor, number: string, locale?: string): Promise<SentEnrolment>;
  /** Sends a code to the account's address. */
  beginMailbox(actor: Actor, locale?: string): Promise<SentEnrolment>;
  /** In the place of one that there was. */
  confirmSent(
    actor: Actor,
    what: 'phone' | 'mailbox',
    request: { readonly enrolment: string; readonly code: string },
    device: Device,
  ): Promise<FactorView>;
  /** Not for passkeys. Fails with `not-found`, and `precondition-failed` for the last one where one is required. */
  remove(actor: Actor, id: string, device: Device): Promise<void>;
  /**
   * Ten new ones, in the place of all that there were. Fails with `precondition-failed` without any other factor,
   * `rate-limited` for one too soon.
   */
  makeBackupCodes(actor: Actor, device: Device): Promise<readonly string[]>;
}

export interface FactorServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly book: FactorBook;
  readonly challenges: Pick<Challenges, 'create'>;
  readonly answers: Answers;
  readonly send: SendCode;
  readonly sessions: Pick<Sessions, 'current' | 'raise'>;
  readonly passwords: Pick<PasswordHasher, 'hash'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const viewsOf = ({
  profile: { totps, phone, mailbox },
  passkeys,
}: Pick<Factors, 'profile' | 'passkeys'>): FactorView[] => {
  const view = (
    id: string,
    method: FactorMethod,
    name: string,
    { confirmedAt, lastUsedAt }: { readonly confirmedAt: string; readonly lastUsedAt?: string | undefined },
  ): FactorView => ({ id, method, name, createdAt: confirmedAt, lastUsedAt: lastUsedAt ?? null });
  return [
    ...totps.map((totp) => view(totp.id, 'totp', totp.name, totp)),
    ...passkeys.map(({ id, value }) => view(id, 'passkey', value.name, { ...value, confirmedAt: value.createdAt })),
    ...(phone === undefined ? [] : [view(phone.id, 'sms', `…${phone.number.slice(-4)}`, phone)]),
    ...(mailbox === undefined ? [] : [view(mailbox.id, 'email', 'Email', mailbox)]),
  ];
};

const notAllowed = () => new OmniError('precondition-failed', 'Your tenant does not allow this as a second factor.');

const viewOf = (profile: MfaProfile, id: string): FactorView => {
  const found = viewsOf({ profile, passkeys: [] }).find((one) => one.id === id);
  if (found === undefined) throw new OmniError('not-found', 'You have no such factor.');
  return found;
};

const withoutFactor = ({ totps, phone, mailbox, ...profile }: MfaProfile, id: string): MfaProfile => ({
  ...profile,
  totps: totps.filter((one) => one.id !== id),
  ...(phone === undefined || phone.id === id ? {} : { phone }),
  ...(mailbox === undefined || mailbox.id === id ? {} : { mailbox }),
});

export const createFactorService = (options: FactorServiceOptions): FactorService => {
  const { database, book, challenges, answers, send, sessions, passwords, tenants, makeEvent, newId, clock } = options;

  const lookAt = async (actor: Actor): Promise<Standing & { readonly current: CurrentSession }> => {
    const current = await sessions.current(actor);
    const factors = await book.read(actor.tenant, current.user.id);
    return { ...(await book.standingOf(actor.tenant, current.user, [], factors)), current };
  };

  const begin = async (
    actor: Actor,
    method: 'totp' | 'sms' | 'email',
    about: Pick<MfaChallenge, 'purpose' | 'phone' | 'totp'>,
  ) => {
    const there = await lookAt(actor);
    const { allowed, current } = there;
    requireSure(there, current);
    if (!allowed.includes(method)) throw notAllowed();
    return challenges.create(actor.tenant, {
      ...about,
      user: actor.id,
      epoch: current.user.value.epoch,
      session: current.session.id,
      shown: current.session.value.methods,
      methods: [method],
    });
  };

  const requestOf = (
    { session }: Actor,
    token: string,
    purpose: MfaChallenge['purpose'],
    device: Device,
  ): AnswerRequest => ({ token, purposes: [purpose], session, device });

  /**
   * What has just been shown counts for the session too, unless it was shown before by other means. Whoever has set up a
   * factor since this one was begun has to have shown that.
   */
  const raise = async (actor: Actor, method: Method, factors: Factors, write: RightAnswer['write']): Promise<void> => {
    const current = await sessions.current(actor);
    requireSure({ enrolled: methodsOf(factors).length > 0 }, current);
    const isOld = method === 'mail' && isSameMailbox(current.session.value.methods, current.user.value);
    await sessions.raise(actor, current, { methods: isOld ? [] : [method], secondFactor: true }, write);
  };

  const sent = async (actor: Actor, token: string, method: 'sms' | 'email', locale: string | undefined) => {
    const { session } = actor;
    const about = { method, locale, ...(session === undefined ? {} : { session }) };
    return { enrolment: token, ...(await send(token, about)) };
  };

  return {
    overview: async (actor) => {
      const { factors, required, requiredFrom } = await lookAt(actor);
      const { profile } = factors;
      const isLocked = profile.lockedUntil !== undefined && Date.parse(profile.lockedUntil) > clock.now();
      return {
        factors: viewsOf(factors),
        backupCodesLeft: backupCodesLeft(profile),
        required,
        requiredFrom: required ? isoTime(requiredFrom) : null,
        lockedUntil: isLocked ? (profile.lockedUntil ?? null) : null,
        reset: profile.reset ?? null,
      };
    },
    beginTotp: async (actor) => {
      const { name: issuer } = await tenants.get(actor.tenant);
      const { user } = await sessions.current(actor);
      const { secret, uri } = await newTotpSecret({ issuer, account: user.value.email });
      const { token } = await begin(actor, 'totp', { purpose: 'totp', totp: { secret } });
      return { enrolment: token, secret, uri };
    },
    confirmTotp: (actor, { enrolment, name, code }, device) => {
      let lastStep: number | undefined;
      return answers.takeNew(
        requestOf(actor, enrolment, 'totp', device),
        async ({ challenge }) => {
          const { totp } = challenge.value;
          lastStep = totp && (await stepOf(totp.secret, code, clock.now()));
          return lastStep !== undefined;
        },
        async ({ tenant, user, factors, challenge }, spend) => {
          const id = newId('otp');
          const secret = challenge.value.totp?.secret ?? '';
          const totp = { id, name, secret, lastStep: lastStep ?? 0, device };
          const added = await book.withTotp(tenant, user, factors.profile, totp);
          await raise(actor, 'otp', factors, (transaction) => {
            spend(transaction);
            book.save(transaction, tenant, user.id, factors.stored, added.profile);
            added.write(transaction);
          });
          return viewOf(added.profile, id);
        },
      );
    },
    beginPhone: async (actor, number, locale) => {
      const { token } = await begin(actor, 'sms', { purpose: 'phone', phone: { number } });
      return sent(actor, token, 'sms', locale);
    },
    beginMailbox: async (actor, locale) => {
      const { token } = await begin(actor, 'email', { purpose: 'mailbox' });
      return sent(actor, token, 'email', locale);
    },
    confirmSent: async (actor, what, { enrolment, code }, device) => {
      const method = what === 'phone' ? 'sms' : 'email';
      const request = requestOf(actor, enrolment, what, device);
      return answers.take(request, { method, code }, async ({ tenant, user, factors, challenge }, right) => {
        const id = newId(what === 'phone' ? 'tel' : 'box');
        const confirmedAt = isoTime(clock.now());
        const number = challenge.value.phone?.number ?? '';
        const made = what === 'phone' ? { phone: { id, number, confirmedAt } } : { mailbox: { id, confirmedAt } };
        const profile: MfaProfile = { ...right.profile, ...made, mustEnrol: false };
        const told = await book.added(tenant, user, { method, factor: id, device });
        await raise(actor, right.method, factors, (transaction) => {
          right.spend(transaction);
          book.save(transaction, tenant, user.id, factors.stored, profile);
          told(transaction);
        });
        return viewOf(profile, id);
      });
    },
    remove: (actor, id, device) =>
      retried(async () => {
        const standing = await lookAt(actor);
        const { factors, current } = standing;
        requireSure(standing, current);
        const { method } = viewOf(factors.profile, id);
        const { passkeys } = factors;
        const next = book.without(standing, { profile: withoutFactor(factors.profile, id), passkeys });
        const told = await book.removed(actor.tenant, current.user, { method, factor: id, device });
        await database.transaction((transaction) => {
          book.save(transaction, actor.tenant, actor.id, factors.stored, next);
          told(transaction);
        });
      }),
    makeBackupCodes: async (actor, device) => {
      const there = await lookAt(actor);
      const { factors, enrolled, allowed } = there;
      requireSure(there, there.current);
      if (!allowed.includes('backup-code')) throw notAllowed();
      if (!enrolled) throw new OmniError('precondition-failed', 'Set up another factor first.');
      requirePause(factors.profile.backupCodes?.createdAt, clock.now());
      const { codes, hashes } = await newBackupCodes(passwords);
      const backupCodes = { hashes: [...hashes], createdAt: isoTime(clock.now()) };
      const { tenant, id: user } = actor;
      const event = makeEvent(backupCodesMade, { tenant, subject: user, data: { user, device } });
      await database.transaction((transaction) => {
        book.save(transaction, tenant, user, factors.stored, { ...factors.profile, backupCodes });
        transaction.emit(event);
      });
      return codes;
    },
  };
};

/**
 * Who has a second factor shows it before they change their factors, also in a session from before they had one, of which
 * the route does not know that.
 */
const requireSure = ({ enrolled }: Pick<Standing, 'enrolled'>, { session }: CurrentSession): void => {
  if (!enrolled || acrOf(session.value.methods) === 'aal2') return;
  throw new OmniError('step-up-required', 'Prove once more who you are, by POST /api/v1/mfa/step-up.', {
    stepUp: { maxAge: 900, acr: 'aal2' },
  });
};

/** What happens to the other factors when a passkey comes or goes. */
export const passkeyChanges = (book: FactorBook): PasskeyChanges => ({
  admit: async (tenant, current) => {
    const { stored, profile, passkeys } = await book.read(tenant, current.user.id);
    requireSure({ enrolled: methodsOf({ profile, passkeys }).length > 0 }, current);
    const next = { ...profile, passkeys: passkeys.length + 1 };
    return (transaction) => book.save(transaction, tenant, current.user.id, stored, next);
  },
  added: (tenant, user, factor, device) => book.added(tenant, user, { method: 'passkey', factor, device }),
  removed: async (tenant, user, factor, device) => {
    const standing = await book.standingOf(tenant, user, [], await book.read(tenant, user.id));
    const { stored, profile, passkeys } = standing.factors;
    const left = { profile, passkeys: passkeys.filter(({ id }) => id !== factor) };
    const next = { ...book.without(standing, left), passkeys: left.passkeys.length };
    const told = await book.removed(tenant, user, { method: 'passkey', factor, device });
    return (transaction) => {
      book.save(transaction, tenant, user.id, stored, next);
      told(transaction);
    };
  },
});
