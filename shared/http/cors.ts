import { OmniError } from '../kernel/errors.ts';
import type { Middleware } from './context.ts';

/**
 * Cross-origin requests of browsers. A preflight carries no credential, so it can't be judged by a tenant's settings:
 * it is granted to any web origin, which gives away nothing. The request itself is refused before it runs unless the
 * tenant allows its origin.
 */
export const preflight: Middleware = (c, next) => {
  const origin = c.req.header('origin');
  if (
    c.req.method !== 'OPTIONS' ||
    origin === undefined ||
    c.req.header('access-control-request-method') === undefined
  ) {
    return next();
  }
  c.res = new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers':
        'authorization, content-type, idempotency-key, if-match, if-none-match, omni-device, traceparent, x-api-key',
      'access-control-max-age': '600',
      vary: 'origin, access-control-request-method',
    },
  });
  return Promise.resolve();
};

const exposed =
  'etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, server-timing, www-authenticate, ' +
  'x-request-id';

/**
 * Lets web pages read answers. There are no cookies, so an answer to nobody in particular, such as a sign-in's or the
 * refusal of an expired token, is the same for every page: any may read it. What somebody was let in for is read by
 * the origins of their tenant alone. Around the authentication, so that its refusals are read too.
 */
export const crossOrigin: Middleware = (c, next) => {
  const origin = c.req.header('origin');
  if (origin === undefined) return next();
  return next().then(() => {
    const { headers } = c.res;
    const principal = c.get('principal');
    headers.append('vary', 'origin');
    if (principal?.corsOrigins.includes(origin) === false) return;
    headers.set('access-control-allow-origin', principal === undefined ? '*' : origin);
    headers.set('access-control-expose-headers', exposed);
  });
};

/** Refuses what a page of another origin than the tenant's asks in somebody's name, before it runs. */
export const requireOrigin: Middleware = (c, next) => {
  const origin = c.req.header('origin');
  const principal = c.get('principal');
  if (origin === undefined || principal === undefined || principal.corsOrigins.includes(origin)) return next();
  throw new OmniError('forbidden', 'This tenant does not allow calls from this web origin. Add it to its settings.');
};
