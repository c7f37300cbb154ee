import { type Principal, systemActor } from '../kernel/actor.ts';
import type { Clock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import { platformTenant } from '../kernel/event.ts';
import { runWithContext } from '../telemetry/index.ts';
import type { HttpContext, Middleware } from './context.ts';

/** Turns a credential into who it stands for. Undefined for one that is unknown, expired or revoked. */
export type Authenticate = (credential: string) => Promise<Principal | undefined> | Principal | undefined;

const maxLength = 4_096;

const credentialOf = (c: HttpContext): string | undefined => {
  const authorization = c.req.header('authorization');
  if (authorization === undefined) return c.req.header('x-api-key');
  return /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '';
};

/** Our own services act for the tenant that they name, or for the platform. */
const ofService = (c: HttpContext): Principal => ({
  actor: systemActor(c.req.header('omni-tenant') ?? platformTenant, 'service'),
  limits: { tenant: Number.POSITIVE_INFINITY, key: Number.POSITIVE_INFINITY },
  corsOrigins: [],
});

/**
 * Finds out who calls. No credential is fine here: whether one is needed is the contract's to say. A wrong one is
 * refused at once, wherever it is sent.
 */
export const authentication =
  (authenticate: Authenticate, clock: Clock): Middleware =>
  (c, next) => {
    c.set('now', clock.now());
    if (c.get('internal')) {
      c.set('principal', ofService(c));
      return next();
    }
    const credential = credentialOf(c);
    if (credential === undefined) return next();
    const go = (principal: Principal | undefined): Promise<void> => {
      if (principal === undefined) throw new OmniError('unauthenticated', 'The credential is not valid.');
      c.set('principal', principal);
      return runWithContext({ tenant: principal.actor.tenant }, next);
    };
    const found = credential === '' || credential.length > maxLength ? undefined : authenticate(credential);
    return found instanceof Promise ? found.then(go) : go(found);
  };
