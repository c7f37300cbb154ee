import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import type { Device } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import type { FactorMethod, SecurityPolicy } from '../policy/security-policy.schema.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Passkey } from '../sessions/passkey.schema.ts';
import type { Method } from '../sessions/session.schema.ts';
import { factorAdded, factorRemoved } from './mfa.events.ts';
import { type MfaProfile, noProfile, type Totp } from './mfa.schema.ts';
import type { Notices } from './notices.ts';

/** All second factors of one person. */
export interface Factors {
  readonly stored: Stored<MfaProfile> | undefined;
  readonly profile: MfaProfile;
  readonly passkeys: readonly Stored<Passkey>[];
}

/** What the tenant asks of a person, and what that person has. */
export interface Standing {
  readonly factors: Factors;
  /** There is at least one factor besides backup codes. */
  readonly enrolled: boolean;
  /** What can be asked for now. */
  readonly usable: readonly FactorMethod[];
  /** What the tenant lets them set up where nothing else lets them in. */
  readonly enrollable: readonly ('totp' | 'passkey')[];
  readonly allowed: readonly FactorMethod[];
  readonly required: boolean;
  /** Milliseconds since the Unix epoch; from then on nobody gets in without. */
  readonly requiredFrom: number;
}

export interface AboutFactor {
  readonly method: FactorMethod;
  readonly factor: string;
  readonly device?: Device;
}

export interface FactorBook {
  /**
   * For whoever decides on all of them and then changes some. Who changes passkeys stores the profile as well, which is
   * read first: so its revision guards both.
   */
  read(tenant: string, user: string): Promise<Factors>;
  /**
   * The same in two steps: it reads what everybody may have, which is the same for whoever has no account, and what it
   * gives back reads the rest.
   */
  ahead(tenant: string, user: string): Promise<() => Promise<Factors>>;
  /**
   * `shown` are the factors that were shown already: a code goes to no mailbox that one of them came from. `factors` are
   * those that were just read, where they were.
   */
  standingOf(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    shown: readonly Method[],
    factors?: Factors,
  ): Promise<Standing>;
  /** On condition that nobody has changed it since it was read. */
  save(transaction: Transaction, tenant: string, user: string, before: Factors['stored'], next: MfaProfile): void;
  /** The profile with one authenticator more. Fails with `precondition-failed` for one too many. */
  withTotp(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    profile: MfaProfile,
    totp: Pick<Totp, 'id' | 'name' | 'secret' | 'lastStep'> & { readonly device: Device },
  ): Promise<{ readonly profile: MfaProfile; readonly write: Writes }>;
  /** Says that there is one factor more. */
  added(tenant: string, user: Pick<Stored<User>, 'id' | 'value'>, about: AboutFactor): Promise<Writes>;
  removed(tenant: string, user: Pick<Stored<User>, 'id' | 'value'>, about: AboutFactor): Promise<Writes>;
  /**
   * What removing a factor does to the others; to be called with those that would be left. Fails with
   * `precondition-failed` where the tenant asks for a second factor and none would be left.
   */
  without(standing: Standing, left: Pick<Factors, 'profile' | 'passkeys'>): MfaProfile;
}

export interface FactorBookOptions {
  readonly profiles: TenantStore<MfaProfile>;
  readonly passkeys: TenantStore<Passkey>;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly policy: Pick<SecurityPolicyService, 'withSince'>;
  readonly notices: Notices;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Of one person; what the passkeys' own service lets them have. */
const maxPasskeys = 20;
const maxTotps = 5;
const day = 86_400_000;

/** Factors that can be shown, backup codes aside: those are no factor without another. */
export const methodsOf = ({ profile, passkeys }: Pick<Factors, 'profile' | 'passkeys'>): readonly FactorMethod[] => [
  ...(profile.totps.length > 0 ? (['totp'] as const) : []),
  ...(passkeys.length > 0 ? (['passkey'] as const) : []),
  ...(profile.phone === undefined ? [] : (['sms'] as const)),
  ...(profile.mailbox === undefined ? [] : (['email'] as const)),
];

export const backupCodesLeft = ({ backupCodes }: MfaProfile): number =>
  backupCodes?.hashes.filter((hash) => hash !== null).length ?? 0;

const administrators = ['owner', 'admin'];

export const isRequired = ({ required, roles }: SecurityPolicy['mfa'], user: Pick<User, 'roles'>): boolean =>
  required === 'everybody' ||
  (required === 'administrators' && user.roles.some((role) => administrators.includes(role))) ||
  user.roles.some((role) => roles.includes(role));

/** Who reads the mail has had all that was shown: a code sent there would add nothing. */
export const isSameMailbox = (shown: readonly Method[], { passwordBy }: Pick<User, 'passwordBy'>): boolean =>
  shown.includes('link') || (shown.includes('pwd') && passwordBy === 'link');

export const createFactorBook = (options: FactorBookOptions): FactorBook => {
  const { profiles, passkeys, settings, policy, notices, makeEvent, clock } = options;

  const passkeysOf = async (tenant: string, user: string) =>
    (await passkeys.of(tenant).query({ where: [{ field: 'user', op: '==', value: user }], limit: maxPasskeys })).items;
  const factorsOf = (stored: Factors['stored'], keys: Factors['passkeys']): Factors => ({
    stored,
    profile: stored?.value ?? noProfile,
    passkeys: keys,
  });
  const ahead: FactorBook['ahead'] = async (tenant, user) => {
    const stored = await profiles.of(tenant).get(user);
    const { passkeys: count } = stored?.value ?? noProfile;
    return async () => factorsOf(stored, count === 0 ? [] : await passkeysOf(tenant, user));
  };
  const read: FactorBook['read'] = async (tenant, user) => (await ahead(tenant, user))();

  const tell = async (
    type: typeof factorAdded,
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    { method, factor, device = {} }: AboutFactor,
  ): Promise<Writes> => {
    const template = type === factorAdded ? 'factor-added' : 'factor-removed';
    const mail = await notices.tell(tenant, user, { template, method }, factor);
    const event = makeEvent(type, { tenant, subject: user.id, data: { user: user.id, device, method, factor } });
    return (transaction) => {
      mail(transaction);
      transaction.emit(event);
    };
  };

  return {
    read,
    ahead,
    standingOf: async (tenant, user, shown, known) => {
      const [factors, { policy: rules, mfaSince }, { passkeys: party }] = await Promise.all([
        known ?? read(tenant, user.id),
        policy.withSince(tenant),
        settings.of(tenant),
      ]);
      const { mfa } = rules;
      const enrolled = methodsOf(factors);
      const isUsable = (method: FactorMethod): boolean =>
        (method !== 'passkey' || party !== undefined) && (method !== 'email' || !isSameMailbox(shown, user.value));
      const withCodes = [...enrolled, ...(backupCodesLeft(factors.profile) > 0 ? (['backup-code'] as const) : [])];
      const usable = withCodes.filter((method) => isUsable(method));
      const allowed = usable.filter((method) => mfa.methods.includes(method));
      const from = Math.max(Date.parse(user.value.createdAt), mfaSince === null ? 0 : Date.parse(mfaSince));
      return {
        factors,
        enrolled: enrolled.length > 0,
        // What the tenant no longer allows is still asked for before it is replaced: less must not open more.
        usable: allowed.length > 0 ? allowed : usable,
        enrollable: (['totp', 'passkey'] as const).filter((one) => mfa.methods.includes(one) && isUsable(one)),
        allowed: mfa.methods,
        required: factors.profile.mustEnrol || isRequired(mfa, user.value),
        requiredFrom: factors.profile.mustEnrol ? 0 : from + mfa.graceDays * day,
      };
    },
    save: (transaction, tenant, user, before, next) => {
      if (before === undefined) transaction.create(profiles.of(tenant), user, next);
      else transaction.update(profiles.of(tenant), user, next, { revision: before.revision });
    },
    withTotp: async (tenant, user, profile, { device, ...totp }) => {
      if (profile.totps.length >= maxTotps) {
        throw new OmniError('precondition-failed', `A person has at most ${maxTotps} authenticator apps.`);
      }
      const totps = [...profile.totps, { ...totp, confirmedAt: isoTime(clock.now()) }];
      const write = await tell(factorAdded, tenant, user, { method: 'totp', factor: totp.id, device });
      return { profile: { ...profile, totps, mustEnrol: false }, write };
    },
    added: (tenant, user, about) => tell(factorAdded, tenant, user, about),
    removed: (tenant, user, about) => tell(factorRemoved, tenant, user, about),
    without: ({ required }, left) => {
      if (methodsOf(left).length > 0) return left.profile;
      if (required) {
        throw new OmniError('precondition-failed', 'A second factor is asked of you: set up another one first.');
      }
      const { backupCodes: _, ...profile } = left.profile;
      return profile;
    },
  };
};
