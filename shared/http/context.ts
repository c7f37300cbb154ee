import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Principal } from '../kernel/actor.ts';

/** What the pipeline knows of the request that is being served. */
export interface RequestVariables {
  requestId: string;
  /** The pattern of the route that serves it (`/api/v1/invoices/:id`), `unmatched` where there is none. */
  endpoint: string;
  /** The caller proved to be one of our own services. */
  internal: boolean;
  principal: Principal | undefined;
  /** When it was found out who calls; milliseconds since the Unix epoch. */
  now: number;
  /** From where the request came, as our own proxies saw it; undefined where nobody knows. */
  address: string | undefined;
  /** The body as it came, for signatures. */
  rawBody: Uint8Array<ArrayBuffer> | undefined;
  /** The JSON that is answered, so that nobody has to read it back from the response. */
  json: string | undefined;
}

export interface HttpEnv {
  Variables: RequestVariables;
}
export type HttpContext = Context<HttpEnv>;
export type Middleware = MiddlewareHandler<HttpEnv>;

/** For `endpoint`, which the first middleware sets. Metrics are labelled by it: a raw path would make a series of every id. */
export const endpointOf = (c: HttpContext): string => {
  const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL');
  return route === undefined ? 'unmatched' : route.path;
};

/** An answer in JSON. */
export const jsonResponse = (c: HttpContext, value: unknown, status: ContentfulStatusCode): Response => {
  const json = JSON.stringify(value);
  c.set('json', json);
  return c.body(json, status, { 'content-type': 'application/json' });
};
