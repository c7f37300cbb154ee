import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import type { Device, Origin } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { User } from '../identity/user.schema.ts';
import { retried } from '../mfa/retried.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Flows } from './flows.ts';
import {
  type AuthenticationResponse,
  type Ceremony,
  isTransport,
  type Passkey,
  type PasskeyView,
  type RegistrationResponse,
} from './passkey.schema.ts';
import {
  algorithms,
  loadWebAuthn,
  type RelyingParty,
  verifyAuthentication,
  verifyRegistration,
} from './passkey.verify.ts';
import type { CurrentSession, Sessions } from './session.service.ts';
import type { SignInAttempt, SignInResult, SignInService } from './sign-in.service.ts';

export interface PasskeyService {
  /** Begins a registration. Fails with `precondition-failed` where the tenant has named no domain for passkeys. */
  beginRegistration(actor: Actor): Promise<Ceremony>;
  /** Fails with `invalid-request` for a response that does not verify, `already-exists` for a known passkey. */
  register(
    actor: Actor,
    request: { readonly flow: string; readonly name: string; readonly response: RegistrationResponse },
    device: Device,
  ): Promise<PasskeyView>;
  /** The actor's own. */
  list(actor: Actor): Promise<readonly PasskeyView[]>;
  /** Fails with `not-found`. */
  remove(actor: Actor, id: string, device: Device): Promise<void>;
  /** Names no account: the browser offers what passkeys it has. */
  beginSignIn(tenant: string): Promise<Ceremony>;
  /** Fails with `unauthenticated`. */
  signIn(
    request: { readonly tenant: string; readonly flow: string; readonly response: AuthenticationResponse },
    device: Origin,
  ): Promise<SignInResult>;
  /** Options for one of these passkeys to answer a challenge, and what it is to sign. */
  request(
    tenant: string,
    passkeys: readonly Stored<Passkey>[],
  ): Promise<{ readonly challenge: string; readonly options: Ceremony['options'] }>;
  /** The passkey whose response to this challenge it is: whose it is, is for the caller to look at. */
  verify(tenant: string, challenge: string, response: AuthenticationResponse): Promise<Stored<Passkey> | undefined>;
  /** What a new passkey of this user signs, for somebody who has no session yet. */
  creation(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
  ): Promise<{ readonly challenge: string; readonly options: Ceremony['options'] }>;
  /**
   * The passkey that a response makes, and what stores it. Fails with `invalid-request` for one that does not verify,
   * `precondition-failed` for one too many; the commit fails with `already-exists` for a known one.
   */
  made(
    tenant: string,
    user: Pick<Stored<User>, 'id' | 'value'>,
    request: {
      readonly challenge: string;
      readonly name: string;
      readonly response: RegistrationResponse;
      readonly device: Device;
    },
  ): Promise<{ readonly passkey: PasskeyView; readonly write: Writes }>;
}

/** What is to be known of it when somebody's passkeys change. */
export interface PasskeyChanges {
  /**
   * Throws `step-up-required` in a session that is not sure enough to change factors. What it returns belongs into the
   * transaction that adds one: it commits only if the factors are as they were when the session was found good for that.
   */
  admit(tenant: string, current: CurrentSession): Promise<Writes>;
  /** `write` is for the transaction in which the passkey is stored or deleted. */
  added(tenant: string, user: Pick<Stored<User>, 'id' | 'value'>, passkey: string, device: Device): Promise<Writes>;
  /** Fails with `precondition-failed` where it must not go. */
  removed(tenant: string, user: Pick<Stored<User>, 'id' | 'value'>, passkey: string, device: Device): Promise<Writes>;
}

export interface PasskeyServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly passkeys: TenantStore<Passkey>;
  readonly users: TenantStore<User>;
  readonly flows: Flows;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly sessions: Pick<Sessions, 'current' | 'raise'>;
  readonly changes: PasskeyChanges;
  readonly signIns: Pick<SignInService, 'admit' | 'finish' | 'refuse'>;
  readonly clock: Clock;
}

/** Of one person. */
const maxPasskeys = 20;

const notBegun = () => new OmniError('invalid-request', 'This is no answer to a registration that was begun here.');

const viewOf = ({ id, value }: Pick<Stored<Passkey>, 'id' | 'value'>): PasskeyView => {
  const { name, backedUp, transports, createdAt, lastUsedAt } = value;
  return { id, name, backedUp, transports, createdAt, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) };
};

export const createPasskeyService = (options: PasskeyServiceOptions): PasskeyService => {
  const { database, passkeys, users, flows, settings, policy, sessions, changes, signIns, clock } = options;

  const relyingParty = async (tenant: string, as: 'sign-in' | 'factor'): Promise<RelyingParty> => {
    const { passkeys: party } = await settings.of(tenant);
    const { signInMethods, mfa } = await policy.of(tenant);
    const isAllowed = signInMethods.includes('passkey') || (as === 'factor' && mfa.methods.includes('passkey'));
    if (party !== undefined && isAllowed) return party;
    throw new OmniError(
      'precondition-failed',
      'This tenant has no passkeys. Its settings name the domain they are for.',
    );
  };

  const ofUser = async (tenant: string, user: string) =>
    (await passkeys.of(tenant).query({ where: [{ field: 'user', op: '==', value: user }], limit: maxPasskeys })).items;

  const verify: PasskeyService['verify'] = async (tenant, challenge, response) => {
    const party = await relyingParty(tenant, 'factor');
    const stored = await passkeys.of(tenant).get(sha256(response.id));
    if (stored === undefined) return undefined;
    const used = await verifyAuthentication(response, stored.value, { party, challenge });
    if (used === undefined) return undefined;
    const value: Passkey = { ...stored.value, ...used, lastUsedAt: isoTime(clock.now()) };
    try {
      // Two who hold one counter are two devices with one key: the revision lets one in.
      return await passkeys.of(tenant).update(stored.id, value, { revision: stored.revision });
    } catch (error) {
      if (isOmniError(error, 'revision-conflict') || isOmniError(error, 'not-found')) return undefined;
      throw error;
    }
  };

  const creation: PasskeyService['creation'] = async (tenant, user) => {
    const { rpId: rpID, rpName } = await relyingParty(tenant, 'factor');
    const known = await ofUser(tenant, user.id);
    const { generateRegistrationOptions } = await loadWebAuthn();
    const options = await generateRegistrationOptions({
      rpID,
      rpName,
      userName: user.value.email,
      userDisplayName: user.value.name ?? user.value.email,
      userID: new Uint8Array(Buffer.from(user.id)),
      attestationType: 'none',
      supportedAlgorithmIDs: algorithms,
      excludeCredentials: known.map(({ value }) => ({ id: value.credential, transports: value.transports })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
    return { challenge: options.challenge, options: { ...options } };
  };

  const made: PasskeyService['made'] = async (tenant, user, { challenge, name, response, device }) => {
    const party = await relyingParty(tenant, 'factor');
    if ((await ofUser(tenant, user.id)).length >= maxPasskeys) {
      throw new OmniError('precondition-failed', `A person has at most ${maxPasskeys} passkeys.`);
    }
    const verified = await verifyRegistration(response, { party, challenge });
    if (verified === undefined) throw notBegun();
    const id = sha256(verified.credential);
    const passkey: Passkey = {
      ...verified,
      user: user.id,
      name,
      transports: (response.response.transports ?? []).filter(isTransport),
      createdAt: isoTime(clock.now()),
    };
    const told = await changes.added(tenant, user, id, device);
    return {
      passkey: viewOf({ id, value: passkey }),
      write: (transaction) => {
        transaction.create(passkeys.of(tenant), id, passkey);
        told(transaction);
      },
    };
  };

  return {
    verify,
    creation,
    made,
    request: async (tenant, known) => {
      const { rpId: rpID } = await relyingParty(tenant, 'factor');
      const { generateAuthenticationOptions } = await loadWebAuthn();
      const allowCredentials = known.map(({ value }) => ({ id: value.credential, transports: value.transports }));
      const options = await generateAuthenticationOptions({ rpID, userVerification: 'required', allowCredentials });
      return { challenge: options.challenge, options: { ...options } };
    },
    beginRegistration: async (actor) => {
      const there = await sessions.current(actor);
      const { user } = there;
      await changes.admit(actor.tenant, there);
      const { challenge, options } = await creation(actor.tenant, user);
      const flow = await flows.begin(actor.tenant, { kind: 'passkey-registration', challenge, user: user.id });
      return { flow, options };
    },
    register: async (actor, { flow, name, response }, device) => {
      const { tenant } = actor;
      await sessions.current(actor);
      const begun = await flows.end(tenant, flow, 'passkey-registration');
      if (begun?.user !== actor.id) throw notBegun();
      const about = { challenge: begun.challenge, name, response, device };
      return retried(async () => {
        const there = await sessions.current(actor);
        const counted = await changes.admit(tenant, there);
        const { passkey, write } = await made(tenant, there.user, about);
        // Its owner has just been verified by it.
        await sessions.raise(actor, there, { methods: ['hwk'], secondFactor: true }, (transaction) => {
          counted(transaction);
          write(transaction);
        });
        return passkey;
      });
    },
    list: async (actor) => {
      await sessions.current(actor);
      return (await ofUser(actor.tenant, actor.id)).map(viewOf);
    },
    remove: (actor, id, device) =>
      retried(async () => {
        const there = await sessions.current(actor);
        const found = await passkeys.of(actor.tenant).get(id);
        if (found?.value.user !== actor.id) throw new OmniError('not-found', 'You have no such passkey.');
        await changes.admit(actor.tenant, there);
        const told = await changes.removed(actor.tenant, there.user, id, device);
        await database.transaction((transaction) => {
          transaction.delete(passkeys.of(actor.tenant), id);
          told(transaction);
        });
      }),
    beginSignIn: async (tenant) => {
      const { rpId: rpID } = await relyingParty(tenant, 'sign-in');
      const { generateAuthenticationOptions } = await loadWebAuthn();
      const made = await generateAuthenticationOptions({ rpID, userVerification: 'required' });
      const flow = await flows.begin(tenant, { kind: 'passkey-sign-in', challenge: made.challenge });
      return { flow, options: { ...made } };
    },
    signIn: async ({ tenant, flow, response }, device) => {
      const attempt: SignInAttempt = { tenant, method: 'hwk', device };
      await signIns.admit(attempt);
      const begun = await flows.end(tenant, flow, 'passkey-sign-in');
      const passkey = begun && (await verify(tenant, begun.challenge, response));
      if (passkey === undefined) return signIns.refuse(attempt, 'wrong-credential');
      const user = await users.of(tenant).get(passkey.value.user);
      if (user?.value.status !== 'active') return signIns.refuse(attempt, 'disabled', user?.id);
      return signIns.finish({ tenant, user, method: 'hwk', device });
    },
  };
};
