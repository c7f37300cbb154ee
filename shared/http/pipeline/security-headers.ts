import type { Middleware } from '../context.ts';

/** What an API that serves JSON should say to browsers (OWASP HTTP Headers Cheat Sheet, REST Security Cheat Sheet). */
const headers: readonly (readonly [string, string])[] = [
  ['strict-transport-security', 'max-age=63072000; includeSubDomains'],
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-site'],
  ['permissions-policy', 'interest-cohort=()'],
];

/** What is set already stands. */
export const secure = (target: Headers): void => {
  for (const [name, value] of headers) if (!target.has(name)) target.set(name, value);
  if (!target.has('cache-control')) target.set('cache-control', 'no-store');
};

/** Second of the seven. */
export const securityHeaders: Middleware = async (c, next) => {
  await next();
  secure(c.res.headers);
};
