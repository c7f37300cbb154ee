import { OmniError } from '../../kernel/errors.ts';
import type { HttpContext, Middleware } from '../context.ts';

/** Tells whether a request comes from one of our own services. */
export interface ServiceIdentity {
  /** The service account's name, or undefined for anybody else. */
  verify(request: Request): Promise<string | undefined>;
}

const prefix = '/internal';

/** A pattern rather than a URL, which costs ten times as much. Requests have their URL normalised. */
const pathOf = (url: string): string => /^[^:]+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? '/';

/** `/internal/jobs/x` is served as `/jobs/x`. Handed to the router, which is the only one that can do it. */
export const pathWithoutPrefix = (request: Request): string => {
  const path = pathOf(request.url);
  return path === prefix || path.startsWith(`${prefix}/`) ? path.slice(prefix.length) || '/' : path;
};

const verified = async (identity: ServiceIdentity, c: HttpContext): Promise<void> => {
  if ((await identity.verify(c.req.raw)) === undefined) {
    throw new OmniError('not-found', 'There is nothing at this path.');
  }
};

/** First of the seven: a request under `/internal` is marked as such, or refused where its caller proves nothing. */
export const internalPrefix =
  (identity: ServiceIdentity): Middleware =>
  (c, next) => {
    const internal = pathOf(c.req.url).startsWith(`${prefix}/`);
    c.set('internal', internal);
    return internal ? verified(identity, c).then(next) : next();
  };
