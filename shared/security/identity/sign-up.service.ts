import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { sha256 } from '../../kernel/json.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Admission, SignInAttempt, SignInService } from '../sessions/sign-in.service.ts';
import type { LinkBudget } from '../threats/link-budget.ts';
import { isActiveTenant } from './active-tenant.ts';
import type { AuthSettings } from './auth-settings.schema.ts';
import type { AuthSettingsService } from './auth-settings.service.ts';
import { type Device, emailVerified, linkRequested, type Origin, userSignedUp } from './identity.events.ts';
import type { FoundLink, Links, Writes } from './links.ts';
import type { PasswordHasher } from './password.ts';
import type { CheckPassword } from './password-policy.ts';
import type { User } from './user.schema.ts';
import { emailReservation, type UserService } from './user.service.ts';

export interface SignUp {
  readonly tenant: string;
  readonly email: string;
  readonly password?: string | undefined;
  readonly name?: string | undefined;
  readonly locale?: string | undefined;
}

export interface LinkRequest {
  readonly tenant: string;
  readonly email: string;
  readonly purpose: 'sign-in' | 'password-reset';
  readonly locale?: string | undefined;
}

export interface SignUpService {
  /**
   * Always ends alike, with a mail: to a new address a link that opens the account, to a known one a link that signs
   * in, as long as the budget of address and network lasts. Fails with `forbidden` where the tenant takes no sign-ups,
   * and with `invalid-request` for a weak password.
   */
  signUp(request: SignUp, device: Device): Promise<void>;
  /** Always ends alike; the job sends the mail where there is an account, and the budget lasts. */
  requestLink(request: LinkRequest, device: Device): Promise<void>;
  /**
   * The link of a sign-up and the password of that sign-up together open the account: neither who guesses that
   * somebody will click, nor who clicks, can put in their own. Guesses have the attempts that sign-ins have. Fails with
   * `unauthenticated`, `rate-limited` for one try too many.
   */
  verifyEmail(
    token: string,
    password: string | undefined,
    device: Origin,
  ): Promise<{
    readonly tenant: string;
    readonly user: Pick<Stored<User>, 'id' | 'value'>;
    /** What was shown besides the link: a password only where the sign-up had one. */
    readonly method: 'pwd' | 'link';
    /** What stood of the account before this attempt, where one was taken. */
    readonly admission: Admission | undefined;
  }>;
}

export interface SignUpOptions {
  readonly userStore: TenantStore<User>;
  readonly users: Pick<UserService, 'findByEmail' | 'draft'>;
  readonly links: Links;
  readonly linkBudget: LinkBudget;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly passwords: PasswordHasher;
  readonly checkPassword: CheckPassword;
  readonly signIns: Pick<SignInService, 'admit' | 'refuse'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const closed = () => new OmniError('forbidden', 'This tenant takes no sign-ups.');

export const createSignUpService = (options: SignUpOptions): SignUpService => {
  const {
    userStore,
    users,
    links,
    linkBudget,
    settings,
    policy,
    tenants,
    passwords,
    checkPassword,
    signIns,
    makeEvent,
    newId,
    clock,
  } = options;

  /** For who has an account: one of the ways in that their tenant allows. */
  const wayIn = async (tenant: string): Promise<'sign-in' | 'password-reset' | undefined> => {
    const { signInMethods } = await policy.of(tenant);
    if (signInMethods.includes('magic-link')) return 'sign-in';
    return signInMethods.includes('password') ? 'password-reset' : undefined;
  };

  /** For an address that somebody has: to a verified account a way in, to another one more link of its own. */
  const signUpAgain = async (
    { tenant, locale, name }: SignUp,
    { id, value: { email, epoch, emailVerified: verified } }: Stored<User>,
    passwordHash: string | undefined,
  ): Promise<Writes> => {
    const purpose = verified ? await wayIn(tenant) : 'sign-up';
    if (purpose === undefined) return () => {};
    const more = purpose === 'sign-up' ? { name, passwordHash } : {};
    return links.make(tenant, { purpose, user: id, email, epoch, locale, ...more });
  };

  const hashOf = async ({ tenant, email, name, password }: SignUp): Promise<string | undefined> => {
    if (password === undefined) return undefined;
    await checkPassword(password, (await policy.of(tenant)).passwords, [email, name ?? '', tenant]);
    return passwords.hash(password);
  };

  /** False when somebody else was faster. */
  const signUpFirst = async (
    { tenant, email, name, locale }: SignUp,
    { signUpRole }: AuthSettings,
    passwordHash: string | undefined,
    device: Device,
  ): Promise<boolean> => {
    const id = newId('usr');
    const user = users.draft({ email, emailVerified: false, name, roles: [signUpRole] });
    const mail = await links.make(tenant, {
      purpose: 'sign-up',
      user: id,
      email,
      epoch: 0,
      name,
      locale,
      passwordHash,
    });
    const event = makeEvent(userSignedUp, { tenant, subject: id, data: { user: id, device } });
    try {
      await linkBudget.within({ tenant, email, purpose: 'sign-up', device }, (transaction) => {
        transaction.reserve(tenant, emailReservation, email, id);
        transaction.create(userStore.of(tenant), id, user);
        mail(transaction);
        transaction.emit(event);
      });
      return true;
    } catch (error) {
      if (isOmniError(error, 'already-exists')) return false;
      throw error;
    }
  };

  /** Fails where the sign-up had a password, and this is another one. */
  const requireOwn = async (
    { tenant, link, user }: FoundLink,
    password = '',
    device: Origin,
  ): Promise<Admission | undefined> => {
    const { passwordHash } = link.value;
    if (passwordHash === undefined) return undefined;
    const attempt: SignInAttempt = { tenant, account: sha256(user.value.email), method: 'pwd', device };
    const admission = await signIns.admit(attempt);
    if (await passwords.verify(passwordHash, password)) return admission;
    return signIns.refuse(attempt, 'wrong-credential', user.id, password);
  };

  return {
    signUp: async (request, device) => {
      const { tenant, email } = request;
      const ofTenant = (await isActiveTenant(tenants, tenant)) ? await settings.of(tenant) : undefined;
      if (ofTenant?.signUp !== true) throw closed();
      const hash = await hashOf(request);
      const known = await users.findByEmail(tenant, email);
      if (known === undefined && (await signUpFirst(request, ofTenant, hash, device))) return;
      const user = known ?? (await users.findByEmail(tenant, email));
      if (user === undefined) throw new OmniError('revision-conflict', 'Try again.');
      const mail = await signUpAgain(request, user, hash);
      await linkBudget.within({ tenant, email, purpose: 'sign-up', device }, mail);
    },
    requestLink: async ({ tenant, email, purpose, locale }, device) => {
      if (!(await isActiveTenant(tenants, tenant))) return;
      const event = makeEvent(linkRequested, {
        tenant,
        subject: sha256(email),
        data: { purpose, email, device, ...(locale === undefined ? {} : { locale }) },
      });
      await linkBudget.within({ tenant, email, purpose, device }, (transaction) => transaction.emit(event));
    },
    verifyEmail: async (token, password, device) => {
      let opened: User | undefined;
      let admitted: Promise<Admission | undefined> | undefined;
      const { tenant, user, link } = await links.spend(token, 'sign-up', async ({ tenant, link, user }) => {
        const { passwordHash, name } = link.value;
        // Once, though all of this is done again where the account was changed meanwhile.
        admitted ??= requireOwn({ tenant, link, user }, password, device);
        await admitted;
        const event = makeEvent(emailVerified, { tenant, subject: user.id, data: { user: user.id, device } });
        // The epoch ends the links of other sign-ups with this address, and the passwords in them.
        const next: User = {
          ...user.value,
          emailVerified: true,
          epoch: user.value.epoch + 1,
          updatedAt: isoTime(clock.now()),
          ...(passwordHash === undefined ? {} : { passwordHash }),
          ...(name === undefined ? {} : { name }),
        };
        opened = next;
        return (transaction) => {
          transaction.update(userStore.of(tenant), user.id, next, { revision: user.revision });
          transaction.emit(event);
        };
      });
      const method = link.value.passwordHash === undefined ? 'link' : 'pwd';
      return { tenant, user: { id: user.id, value: opened ?? user.value }, method, admission: await admitted };
    },
  };
};
