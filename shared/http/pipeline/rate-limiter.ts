import { OmniError } from '../../kernel/errors.ts';
import type { Middleware } from '../context.ts';
import { problemResponse } from '../problem.ts';

export interface Allowance {
  readonly allowed: boolean;
  readonly limit: number;
  /** What is left in this window, as far as this instance knows. */
  readonly remaining: number;
  /** Seconds until the window ends. */
  readonly reset: number;
}

export interface RateLimiter {
  /** Takes one request from a window of a minute. Synchronous while the leased tokens last. */
  take(key: string, limit: number): Allowance | Promise<Allowance>;
}

const window = 60;

const describe = (headers: Headers, allowances: readonly (readonly [string, Allowance])[]): void => {
  headers.set('ratelimit-policy', allowances.map(([name, { limit }]) => `"${name}";q=${limit};w=${window}`).join(', '));
  headers.set('ratelimit', allowances.map(([name, a]) => `"${name}";r=${a.remaining};t=${a.reset}`).join(', '));
};

/**
 * Sixth of the seven: a minute's requests per key and per tenant over all instances, told in `RateLimit` and
 * `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
 */
export const rateLimiter =
  (limiter: RateLimiter): Middleware =>
  async (c, next) => {
    const principal = c.get('principal');
    if (principal === undefined || c.get('internal')) return next();
    const { actor, limits } = principal;
    const key = limiter.take(`key:${actor.id}`, limits.key);
    const tenant = limiter.take(`tenant:${actor.tenant}`, limits.tenant);
    const allowances = [
      ['key', key instanceof Promise ? await key : key],
      ['tenant', tenant instanceof Promise ? await tenant : tenant],
    ] as const;
    const refused = allowances.find(([, { allowed }]) => !allowed);
    if (refused === undefined) {
      await next();
    } else {
      const [name, { reset }] = refused;
      const refusal = new OmniError('rate-limited', `The limit of this ${name} is used up for ${reset} s.`, {
        retryAfter: reset,
      });
      c.res = problemResponse(refusal, c.get('requestId'));
    }
    describe(c.res.headers, allowances);
    return undefined;
  };
