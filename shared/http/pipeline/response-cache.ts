import { hash } from 'node:crypto';
import * as z from 'zod';
import type { Cache } from '../../cache/cache.ts';
import type { HttpContext, Middleware } from '../context.ts';

const cachedSchema = z.object({ etag: z.string(), json: z.string() });
type Cached = z.infer<typeof cachedSchema>;
const parseCached = (value: unknown): Cached => cachedSchema.parse(value);
const parseGeneration = (value: unknown): string => z.string().parse(value);

export interface ResponseCacheOptions {
  readonly cache: Cache;
  /** Seconds for which answers of an endpoint (`/api/v1/things/:id`) may be kept. */
  readonly cacheFor: ReadonlyMap<string, number>;
}

const cacheControl = 'private, no-cache';

const etagOf = (json: string): string => `"${hash('sha256', json, 'base64url')}"`;

/** `If-None-Match` compares weakly (RFC 9110, 13.1.2). */
const isKnown = (header: string | undefined, etag: string): boolean =>
  header?.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag) ?? false;

const notModified = (): Response => new Response(null, { status: 304 });

/** The route group, `/api/v1/billing`: a write anywhere in it makes the tenant's cached answers of it stale. */
const groupOf = (path: string): string => path.split('/').slice(0, 4).join('/');

/** A day: longer than any answer is kept. */
const generationTtl = 86_400;

/**
 * Last of the seven. Every JSON answer to a GET has an ETag and becomes a 304 where the client has it. Endpoints that
 * say `cacheFor` are answered from the cache, whose keys carry tenant, principal and the group's generation, which
 * each write renews. Another instance learns of the write through the second level within seconds; without one, only
 * when `cacheFor` is over.
 */
export const responseCache = ({ cache, cacheFor }: ResponseCacheOptions): Middleware => {
  const cachedGroups = new Set([...cacheFor.keys()].map(groupOf));
  const generationKey = (c: HttpContext, tenant: string) => `generation:${tenant}:${groupOf(c.req.path)}`;

  const keyOf = async (c: HttpContext): Promise<string | undefined> => {
    const principal = c.get('principal');
    if (principal === undefined) return undefined;
    const { tenant, id } = principal.actor;
    const generation = (await cache.get(generationKey(c, tenant), parseGeneration)) ?? '0';
    const { pathname, search } = new URL(c.req.url);
    return `response:${tenant}:${id}:${generation}:${pathname}${search}`;
  };

  const finish = (c: HttpContext, etag: string): void => {
    if (isKnown(c.req.header('if-none-match'), etag)) c.res = notModified();
    c.res.headers.set('etag', etag);
    c.res.headers.set('cache-control', cacheControl);
  };

  const read: Middleware = async (c, next) => {
    const seconds = cacheFor.get(c.get('endpoint'));
    const key = seconds === undefined ? undefined : await keyOf(c);
    const hit = key === undefined ? undefined : await cache.get(key, parseCached);
    if (hit !== undefined) {
      c.res = new Response(hit.json, { headers: { 'content-type': 'application/json', 'x-cache': 'hit' } });
      return finish(c, hit.etag);
    }
    await next();
    const json = c.get('json');
    // An answer that its handler wants stored nowhere gets no ETag either: that is a hash of it.
    const isSecret = c.res.headers.get('cache-control') === 'no-store';
    if (c.res.status !== 200 || json === undefined || isSecret) return;
    const etag = etagOf(json);
    if (key !== undefined && seconds !== undefined) await cache.set(key, { etag, json }, seconds);
    finish(c, etag);
  };

  const write: Middleware = async (c, next) => {
    await next();
    const tenant = c.get('principal')?.actor.tenant;
    if (tenant !== undefined && c.res.ok && cachedGroups.has(groupOf(c.req.path))) {
      await cache.set(generationKey(c, tenant), crypto.randomUUID(), generationTtl);
    }
  };

  return (c, next) => (c.req.method === 'GET' || c.req.method === 'HEAD' ? read(c, next) : write(c, next));
};
