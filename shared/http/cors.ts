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
        'authorization, content-type, idempotency-key, if-match, if-none-match, omni-device, traceparent',
      'access-control-max-age': '600',
      vary: 'origin, access-control-request-method',
    },
  });
  return Promise.resolve();
};

const exposed =
  'etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, server-timing, x-request-id';

export const crossOrigin: Middleware = (c, next) => {
  const origin = c.req.header('origin');
  const principal = c.get('principal');
  if (origin === undefined || principal === undefined) return next();
  if (!principal.corsOrigins.includes(origin)) {
    throw new OmniError('forbidden', 'This tenant does not allow calls from this web origin. Add it to its settings.');
  }
  return next().then(() => {
    c.res.headers.set('access-control-allow-origin', origin);
    c.res.headers.set('access-control-expose-headers', exposed);
    c.res.headers.append('vary', 'origin');
  });
};
