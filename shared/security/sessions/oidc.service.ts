import type { authorizationCodeGrant, Configuration, CustomFetch } from 'openid-client';
import * as z from 'zod';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { sha256 } from '../../kernel/json.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { isActiveTenant } from '../identity/active-tenant.ts';
import type { AuthSettings, OidcProvider } from '../identity/auth-settings.schema.ts';
import type { AuthSettingsService } from '../identity/auth-settings.service.ts';
import { normaliseEmail } from '../identity/email.ts';
import type { Origin } from '../identity/identity.events.ts';
import type { User } from '../identity/user.schema.ts';
import { emailReservation, tieReservation, type UserService } from '../identity/user.service.ts';
import type { PublicFetch } from '../outbound/public-fetch.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import type { Flows } from './flows.ts';
import type { SignInAttempt, SignInResult, SignInService } from './sign-in.service.ts';

/** Loaded where it is first used, and then kept by Node. */
const loadOpenId = () => import('openid-client');

export interface OidcService {
  /**
   * Where to send the browser, and the secret by which it ends what it began. Fails with `not-found` for a provider
   * that the tenant does not have, `invalid-request` for a redirect that its policy does not list.
   */
  begin(request: {
    readonly tenant: string;
    readonly provider: string;
    readonly redirectUri: string;
  }): Promise<{ readonly authorizationUrl: string; readonly flow: string }>;
  /** `parameters` is the query that the provider sent the browser back with. Fails with `unauthenticated`. */
  finish(
    request: {
      readonly tenant: string;
      readonly provider: string;
      readonly flow: string;
      readonly parameters: string;
      readonly deviceToken?: string | undefined;
    },
    device: Origin,
  ): Promise<SignInResult>;
}

export interface OidcServiceOptions {
  readonly database: Pick<Database, 'transaction' | 'ownerOf'>;
  readonly userStore: TenantStore<User>;
  readonly users: Pick<UserService, 'findByEmail' | 'draft'>;
  readonly flows: Flows;
  readonly settings: Pick<AuthSettingsService, 'of' | 'clientSecretOf'>;
  readonly policy: Pick<SecurityPolicyService, 'of'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly signIns: Pick<SignInService, 'admit' | 'finish' | 'refuse'>;
  readonly fetch: PublicFetch;
  /** Takes issuers without TLS: on the developer's own machine alone. */
  readonly allowInsecure: boolean;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** Milliseconds for which what a provider says of itself is kept. */
const discoveredFor = 3_600_000;
/** Seconds for one call to a provider. */
const timeout = 10;
const maxDiscovered = 500;

/** What of an ID token we use (OpenID Connect Core, section 5.1). */
const claimsSchema = z.object({
  iss: z.string(),
  sub: z.string().min(1).max(255),
  email: z.string().max(254).optional(),
  email_verified: z.union([z.boolean(), z.stringbool()]).optional(),
  name: z.string().max(200).optional(),
});
type Claims = z.infer<typeof claimsSchema>;

const tieOf = ({ iss, sub }: Claims): string => JSON.stringify([iss, sub]);

/** Accounts at providers that one account here may be tied to. */
const maxTies = 20;
const tiedTo = (user: User, claims: Claims): User => ({ ...user, ties: [...(user.ties ?? []), tieOf(claims)] });
const isTiedEnough = ({ ties = [] }: User): boolean => ties.length >= maxTies;

const unknownProvider = () => new OmniError('not-found', 'This tenant has no such provider.');

/** The library trusts an ID token that came over TLS; here its signature is looked at as well. */
const strictness = async (allowInsecure: boolean) => {
  const { allowInsecureRequests, enableNonRepudiationChecks } = await loadOpenId();
  return [enableNonRepudiationChecks, ...(allowInsecure ? [allowInsecureRequests] : [])];
};

export const createOidcService = (options: OidcServiceOptions): OidcService => {
  const { database, userStore, users, flows, settings, policy, tenants, signIns, newId, clock } = options;
  const discovered = new Map<string, { readonly configuration: Configuration; readonly until: number }>();

  const providerOf = async (tenant: string, name: string): Promise<OidcProvider & { readonly all: AuthSettings }> => {
    if (!(await isActiveTenant(tenants, tenant))) throw unknownProvider();
    const [all, { signInMethods }] = await Promise.all([settings.of(tenant), policy.of(tenant)]);
    const provider = Object.hasOwn(all.providers, name) ? all.providers[name] : undefined;
    if (provider === undefined || !signInMethods.includes('oidc')) throw unknownProvider();
    return { ...provider, all };
  };

  const guardedFetch: CustomFetch = (url, { method, headers, body, signal }) =>
    options.fetch(url, {
      method,
      headers,
      signal,
      body: body instanceof URLSearchParams ? body.toString() : typeof body === 'string' ? body : undefined,
    });

  const configure = async (tenant: string, name: string, provider: OidcProvider): Promise<Configuration> => {
    const key = JSON.stringify([tenant, name, provider.issuer, provider.clientId, provider.clientSecret]);
    const known = discovered.get(key);
    if (known !== undefined && known.until > clock.now()) return known.configuration;
    const { discovery, customFetch, None, ClientSecretPost } = await loadOpenId();
    const secret = await settings.clientSecretOf(tenant, name, provider);
    const configuration = await discovery(
      new URL(provider.issuer),
      provider.clientId,
      {},
      secret === undefined ? None() : ClientSecretPost(secret),
      { timeout, [customFetch]: guardedFetch, execute: await strictness(options.allowInsecure) },
    ).catch((error: unknown) => {
      throw new OmniError('unavailable', 'The provider does not answer as it should.', { cause: error });
    });
    if (discovered.size >= maxDiscovered) discovered.clear();
    discovered.set(key, { configuration, until: clock.now() + discoveredFor });
    return configuration;
  };

  /** Who signed in there. Providers may keep all but the subject for the second question (Core, section 5.3). */
  const claimsOf = async (
    configuration: Configuration,
    tokens: Awaited<ReturnType<typeof authorizationCodeGrant>> | undefined,
  ): Promise<Claims | undefined> => {
    const claims = claimsSchema.safeParse(tokens?.claims()).data;
    if (tokens === undefined || claims === undefined || claims.email !== undefined) return claims;
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
    const { fetchUserInfo } = await loadOpenId();
    const more = await fetchUserInfo(configuration, tokens.access_token, claims.sub).catch(() => ({}));
    return claimsSchema.safeParse({ ...more, iss: claims.iss, sub: claims.sub }).data ?? claims;
  };

  const link = async (tenant: string, user: Stored<User>, claims: Claims): Promise<void> => {
    // Whoever reads the mail there has shown here that they do.
    const value: User = { ...tiedTo(user.value, claims), emailVerified: true, updatedAt: isoTime(clock.now()) };
    await database.transaction((transaction) => {
      transaction.reserve(tenant, tieReservation, tieOf(claims), user.id);
      transaction.update(userStore.of(tenant), user.id, value, { revision: user.revision });
    });
  };

  const signUp = async (tenant: string, email: string, claims: Claims, role: string): Promise<string> => {
    const id = newId('usr');
    const user = users.draft({ email, emailVerified: true, name: claims.name, roles: [role] });
    await database.transaction((transaction) => {
      transaction.reserve(tenant, tieReservation, tieOf(claims), id);
      transaction.reserve(tenant, emailReservation, email, id);
      transaction.create(userStore.of(tenant), id, tiedTo(user, claims));
    });
    return id;
  };

  /** The account that is tied to this one there, or may be tied to it now. */
  const accountFor = async (
    tenant: string,
    claims: Claims,
    { linkByEmail, signUp: mayCome, all }: OidcProvider & { readonly all: AuthSettings },
  ): Promise<string | undefined> => {
    const tied = await database.ownerOf(tenant, tieReservation, tieOf(claims));
    if (tied !== undefined) return tied;
    // An address that the provider has not verified is anybody's.
    const email = claims.email_verified === true ? normaliseEmail(claims.email ?? '') : undefined;
    if (email === undefined) return undefined;
    const known = await users.findByEmail(tenant, email);
    try {
      if (known === undefined) return mayCome ? await signUp(tenant, email, claims, all.signUpRole) : undefined;
      if (!linkByEmail || isTiedEnough(known.value)) return undefined;
      await link(tenant, known, claims);
      return known.id;
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
      // The same person, twice at once.
      return database.ownerOf(tenant, tieReservation, tieOf(claims));
    }
  };

  return {
    begin: async ({ tenant, provider: name, redirectUri }) => {
      const provider = await providerOf(tenant, name);
      if (!(await policy.of(tenant)).redirects.includes(redirectUri)) {
        throw new OmniError('invalid-request', 'Some fields are not valid.', {
          issues: [{ path: 'body.redirectUri', message: 'Is not among the redirects of the tenant’s policy' }],
        });
      }
      const configuration = await configure(tenant, name, provider);
      const { buildAuthorizationUrl, calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier, randomState } =
        await loadOpenId();
      const [codeVerifier, state, nonce] = [randomPKCECodeVerifier(), randomState(), randomNonce()];
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: provider.scopes.join(' '),
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      });
      const flow = await flows.begin(tenant, {
        kind: 'oidc',
        provider: name,
        redirectUri,
        state,
        nonce,
        codeVerifier,
      });
      return { authorizationUrl: url.href, flow };
    },
    finish: async ({ tenant, provider: name, flow, parameters, deviceToken }, device) => {
      const attempt: SignInAttempt = { tenant, method: 'fed', device };
      await signIns.admit(attempt);
      const provider = await providerOf(tenant, name);
      const begun = await flows.end(tenant, flow, 'oidc');
      if (begun?.provider !== name) return signIns.refuse(attempt, 'wrong-credential');
      const configuration = await configure(tenant, name, provider);
      const openId = await loadOpenId();
      const url = new URL(begun.redirectUri);
      for (const [key, value] of new URLSearchParams(parameters)) url.searchParams.append(key, value);
      const tokens = await openId
        .authorizationCodeGrant(configuration, url, {
          pkceCodeVerifier: begun.codeVerifier,
          expectedState: begun.state,
          expectedNonce: begun.nonce,
          idTokenExpected: true,
        })
        .catch((error: unknown) => {
          if (isOmniError(error)) throw error;
          return undefined;
        });
      const claims = await claimsOf(configuration, tokens);
      if (claims === undefined) return signIns.refuse(attempt, 'wrong-credential');
      const id = await accountFor(tenant, claims, provider);
      const user = id === undefined ? undefined : await userStore.of(tenant).get(id);
      const known: SignInAttempt = claims.email === undefined ? attempt : { ...attempt, account: sha256(claims.email) };
      if (user === undefined) return signIns.refuse(known, 'unknown-account');
      if (user.value.status !== 'active') return signIns.refuse(known, 'disabled', user.id);
      return signIns.finish({ tenant, user, method: 'fed', device, deviceToken });
    },
  };
};
