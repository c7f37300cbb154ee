import type { Principal } from '../../kernel/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { TenantService } from '../../platform/index.ts';
import type { TenantStore } from '../../store/store.ts';
import type { RoleService } from '../access/role.service.ts';
import type { User } from '../identity/user.schema.ts';
import { isUsable, type ServiceAccount } from '../service-accounts/service-account.schema.ts';
import type { AccessTokenClaims } from '../tokens/access-token.schema.ts';
import type { VerifyToken } from '../tokens/access-tokens.ts';
import { acrOf, authTimeOf, isLive } from './session.rules.ts';
import type { Session } from './session.schema.ts';

/** Who an access token stands for; undefined for a bad one, and where its session or account is over. */
export type AuthenticateToken = (token: string) => Promise<Principal | undefined>;

export interface TokenAuthenticationOptions {
  readonly verify: VerifyToken;
  readonly sessions: TenantStore<Session>;
  readonly users: TenantStore<User>;
  readonly serviceAccounts: TenantStore<ServiceAccount>;
  readonly roles: Pick<RoleService, 'scopesOf'>;
  readonly tenants: Pick<TenantService, 'get'>;
  readonly clock: Clock;
  /** Milliseconds for which an instance trusts what it read: how late it learns of a revocation. 30 s where absent. */
  readonly cacheFor?: number;
}

/** What a session or service account may do now, and under which epoch. */
interface Standing {
  readonly epoch: number;
  readonly principal: Principal;
}

interface Cached {
  readonly until: number;
  readonly standing: Promise<Standing | undefined>;
  /** What it came to, once it has: every request asks. */
  found?: Standing | undefined;
}

const maxCached = 5_000;
/** Requests a minute of one person. */
const requestsPerMinute = 3_000;

/**
 * The token is verified without a read; whether its session still lives, and what its user's roles allow, is read once
 * in `cacheFor` milliseconds. What was found to be over is remembered as well.
 */
export const tokenAuthentication = (options: TokenAuthenticationOptions): AuthenticateToken => {
  const { verify, sessions, users, serviceAccounts, roles, tenants, clock, cacheFor = 30_000 } = options;
  const cache = new Map<string, Cached>();

  const tenantOf = (id: string) =>
    tenants.get(id).catch((error: unknown) => {
      if (isOmniError(error, 'not-found')) return undefined;
      throw error;
    });

  /** Of what the token says and what the session says the less: either may be the older. */
  const proofOf = (session: Session, { auth_time: authTime = 0, acr = 'aal1' }: AccessTokenClaims) =>
    ({
      authTime: Math.min(authTime, authTimeOf(session)),
      acr: acr === 'aal2' ? acrOf(session.methods) : 'aal1',
      secondFactor: session.secondFactor === true,
    }) as const;

  const ofSession = async (claims: AccessTokenClaims, sid: string) => {
    const { tenant, sub } = claims;
    const [session, user] = await Promise.all([sessions.of(tenant).get(sid), users.of(tenant).get(sub)]);
    if (!session || !user || session.value.user !== sub || !isLive(session.value, user.value, clock.now())) {
      return undefined;
    }
    const scopes = await roles.scopesOf(tenant, user.value.roles);
    return {
      epoch: session.value.epoch,
      actor: { tenant, kind: 'user', id: sub, scopes, session: sid, ...proofOf(session.value, claims) },
    } as const;
  };

  const ofServiceAccount = async (tenant: string, sub: string) => {
    const account = (await serviceAccounts.of(tenant).get(sub))?.value;
    if (account === undefined || !isUsable(account, clock.now())) return undefined;
    return {
      epoch: account.epoch,
      actor: { tenant, kind: 'key', id: sub, scopes: new Set(account.scopes) },
    } as const;
  };

  const look = async (claims: AccessTokenClaims): Promise<Standing | undefined> => {
    const { tenant: id, sub, sid } = claims;
    const [found, tenant] = await Promise.all([
      sid === undefined ? ofServiceAccount(id, sub) : ofSession(claims, sid),
      tenantOf(id),
    ]);
    if (found === undefined || tenant?.status !== 'active') return undefined;
    const { requestsPerMinute: ofTenant, corsOrigins } = tenant.settings;
    const limits = { tenant: ofTenant, key: requestsPerMinute };
    return { epoch: found.epoch, principal: { actor: found.actor, limits, corsOrigins } };
  };

  const read = (key: string, claims: AccessTokenClaims): Promise<Standing | undefined> => {
    const oldest = cache.size >= maxCached ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest);
    const standing = look(claims);
    const cached: Cached = { until: clock.now() + cacheFor, standing };
    cache.set(key, cached);
    standing.then(
      (found) => {
        cached.found = found;
      },
      // What could not be read is no answer.
      () => cache.delete(key),
    );
    return standing;
  };

  return async (token) => {
    const claims = await verify(token);
    if (claims === undefined) return undefined;
    // A token from after a step-up says more than one from before.
    const key = `${claims.tenant} ${claims.sid ?? claims.sub} ${claims.auth_time ?? 0} ${claims.acr ?? ''}`;
    const cached = cache.get(key);
    const known = cached !== undefined && cached.until > clock.now() ? cached : undefined;
    let standing = known?.found ?? (await (known?.standing ?? read(key, claims)));
    // Signed after what is cached was read: the session has gone over into a new epoch.
    if (standing !== undefined && claims.epoch > standing.epoch) standing = await read(key, claims);
    return standing?.epoch === claims.epoch ? standing.principal : undefined;
  };
};
