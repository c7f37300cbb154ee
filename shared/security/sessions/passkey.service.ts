import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { sha256 } from '../../kernel/json.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import type { Origin } from '../identity/identity.events.ts';
import type { User } from '../identity/user.schema.ts';
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
import type { Sessions } from './session.service.ts';
import type { SignInAttempt, SignInResult, SignInService } from './sign-in.service.ts';

export interface PasskeyService {
  /** Begins a registration. Fails with `precondition-failed` where the tenant has named no domain for passkeys. */
  beginRegistration(actor: Actor): Promise<Ceremony>;
  /** Fails with `invalid-request` for a response that does not verify, `already-exists` for a known passkey. */
  register(
    actor: Actor,
    request: { readonly flow: string; readonly name: string; readonly response: RegistrationResponse },
  ): Promise<PasskeyView>;
  /** The actor's own. */
  list(actor: Actor): Promise<readonly PasskeyView[]>;
  /** Fails with `not-found`. */
  remove(actor: Actor, id: string): Promise<void>;
  /** Names no account: the browser offers what passkeys it has. */
  beginSignIn(tenant: string): Promise<Ceremony>;
  /** Fails with `unauthenticated`. */
  signIn(
    request: { readonly tenant: string; readonly flow: string; readonly response: AuthenticationResponse },
    device: Origin,
  ): Promise<SignInResult>;
  /** A response of this user's own passkey to this challenge. For whoever asks for a passkey as a second factor. */
  verify(tenant: string, challenge: string, response: AuthenticationResponse): Promise<Stored<Passkey> | undefined>;
}

export interface PasskeyServiceOptions {
  readonly passkeys: TenantStore<Passkey>;
  readonly users: TenantStore<User>;
  readonly flows: Flows;
  readonly settings: Pick<AuthSettingsService, 'of'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly sessions: Pick<Sessions, 'current'>;
  readonly signIns: Pick<SignInService, 'admit' | 'finish' | 'refuse'>;
  readonly clock: Clock;
}

/** Of one person. */
const maxPasskeys = 20;

const viewOf = ({ id, value }: Stored<Passkey>): PasskeyView => {
  const { name, backedUp, transports, createdAt, lastUsedAt } = value;
  return { id, name, backedUp, transports, createdAt, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) };
};

export const createPasskeyService = (options: PasskeyServiceOptions): PasskeyService => {
  const { passkeys, users, flows, settings, policy, sessions, signIns, clock } = options;

  const relyingParty = async (tenant: string): Promise<RelyingParty> => {
    const { passkeys: party } = await settings.of(tenant);
    const { signInMethods } = await policy.of(tenant);
    if (party !== undefined && signInMethods.includes('passkey')) return party;
    throw new OmniError(
      'precondition-failed',
      'This tenant has no passkeys. Its settings name the domain they are for.',
    );
  };

  const ofUser = async (tenant: string, user: string) =>
    (await passkeys.of(tenant).query({ where: [{ field: 'user', op: '==', value: user }], limit: maxPasskeys })).items;

  const verify: PasskeyService['verify'] = async (tenant, challenge, response) => {
    const party = await relyingParty(tenant);
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

  return {
    verify,
    beginRegistration: async (actor) => {
      const { user } = await sessions.current(actor);
      const { rpId: rpID, rpName } = await relyingParty(actor.tenant);
      const known = await ofUser(actor.tenant, user.id);
      const { generateRegistrationOptions } = await loadWebAuthn();
      const made = await generateRegistrationOptions({
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
      const { challenge } = made;
      const flow = await flows.begin(actor.tenant, { kind: 'passkey-registration', challenge, user: user.id });
      return { flow, options: { ...made } };
    },
    register: async (actor, { flow, name, response }) => {
      const { user } = await sessions.current(actor);
      const { tenant } = actor;
      const party = await relyingParty(tenant);
      const begun = await flows.end(tenant, flow, 'passkey-registration');
      const wrong = new OmniError('invalid-request', 'This is no answer to a registration that was begun here.');
      if (begun?.user !== user.id) throw wrong;
      if ((await ofUser(tenant, user.id)).length >= maxPasskeys) {
        throw new OmniError('precondition-failed', `A person has at most ${maxPasskeys} passkeys.`);
      }
      const made = await verifyRegistration(response, { party, challenge: begun.challenge });
      if (made === undefined) throw wrong;
      const stored = await passkeys.of(tenant).create(sha256(made.credential), {
        ...made,
        user: user.id,
        name,
        transports: (response.response.transports ?? []).filter(isTransport),
        createdAt: isoTime(clock.now()),
      });
      return viewOf(stored);
    },
    list: async (actor) => {
      await sessions.current(actor);
      return (await ofUser(actor.tenant, actor.id)).map(viewOf);
    },
    remove: async (actor, id) => {
      await sessions.current(actor);
      const found = await passkeys.of(actor.tenant).get(id);
      if (found?.value.user !== actor.id) throw new OmniError('not-found', 'You have no such passkey.');
      await passkeys.of(actor.tenant).delete(id);
    },
    beginSignIn: async (tenant) => {
      const { rpId: rpID } = await relyingParty(tenant);
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
