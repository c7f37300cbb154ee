import { expect } from 'vitest';
import * as z from 'zod';
import { createMemoryCounter } from '#shared/cache/counter.ts';
import { createMemoryCache } from '#shared/cache/memory.ts';
import { type App, createApp, type HttpGround } from '#shared/http/app.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { createIdempotency, idempotencyCollection } from '#shared/http/idempotency.ts';
import { leasedRateLimiter } from '#shared/http/leased-rate-limiter.ts';
import type { UsageRecord } from '#shared/http/pipeline/usage-tracker.ts';
import { type Principal, systemActor } from '#shared/kernel/actor.ts';
import { manualClock } from '#shared/kernel/clock.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import { databaseOn } from '#shared/store/database.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { createMetrics, createTracing, memoryLogger } from '#shared/telemetry/index.ts';

export const thing = z.object({ id: z.string(), name: z.string() });
const newThing = z.strictObject({ name: z.string().max(20), size: z.int().optional() });

export const create = endpoint({
  method: 'post',
  path: '/api/v1/things',
  summary: 'Make a thing',
  access: { scopes: ['things:write'] },
  query: z.strictObject({ dry: z.enum(['true', 'false']).optional() }),
  body: newThing,
  maxBody: 2_000,
  status: 201,
  response: thing,
});
export const list = endpoint({
  method: 'get',
  path: '/api/v1/things',
  summary: 'List things',
  access: { scopes: ['things:read'] },
  status: 200,
  response: z.array(thing),
  cacheFor: 60,
});
export const get = endpoint({
  method: 'get',
  path: '/api/v1/things/{id}',
  summary: 'Get a thing',
  access: { scopes: ['things:read'] },
  params: z.object({ id: z.string().max(10) }),
  status: 200,
  response: thing,
  errors: ['not-found'],
});
export const remove = endpoint({
  method: 'delete',
  path: '/api/v1/things/{id}',
  summary: 'Delete a thing',
  access: { scopes: ['things:write'] },
  params: z.object({ id: z.string() }),
  status: 204,
});
export const tick = endpoint({ method: 'post', path: '/tick', summary: 'Tick', access: 'internal', status: 204 });

/** Keys are `<tenant>-<id>`, with scopes after a plus sign. */
const principalOf = (key: string): Principal | undefined => {
  const [name = '', scopes = 'things:*'] = key.split('+');
  const [tenant = '', id] = name.split('-');
  if (id === undefined) return undefined;
  return {
    actor: { ...systemActor(tenant, key), kind: 'key', scopes: new Set(scopes.split(',')) },
    limits: { tenant: 300, key: id === 'few' ? 3 : 200 },
    corsOrigins: ['https://app.example.com'],
  };
};

export const start = () => {
  const clock = manualClock();
  const logger = memoryLogger();
  const usage: UsageRecord[] = [];
  const things = new Map<string, { id: string; name: string; secret: string }>();
  let failure: Error | undefined;
  let made = 0;
  const ground: HttpGround = {
    version: '1',
    logger,
    metrics: createMetrics({ service: 'test' }),
    tracing: createTracing({ service: 'test', exporter: { kind: 'none' } }),
    identity: { verify: async (request) => (request.headers.get('x-service') === 'ours' ? 'ours' : undefined) },
    authenticate: principalOf,
    meter: {
      record: (record) => usage.push(record),
      flushWhenDue: async () => undefined,
      flush: async () => undefined,
    },
    limiter: leasedRateLimiter({ counter: createMemoryCounter({ clock }), clock, logger }),
    cache: createMemoryCache({ clock }),
    idempotency: createIdempotency({
      entries: databaseOn(embeddedDriver(), { now: clock.now }).tenants(idempotencyCollection),
      clock,
    }),
    ready: async () => undefined,
  };
  const routes: Route[] = [
    handle(create, async ({ actor, body, c }) => {
      made += 1;
      await Promise.resolve();
      if (failure !== undefined) throw failure;
      const id = actor.idempotencyKey === undefined ? `t${made}` : actor.idempotencyKey.slice(0, 6);
      const made_ = { id, name: body.name, secret: 'hidden' };
      things.set(id, made_);
      c.header('location', `/api/v1/things/${id}`);
      return made_;
    }),
    handle(list, () => [...things.values()]),
    handle(get, ({ params }) => {
      if (failure !== undefined) throw failure;
      const found = things.get(params.id);
      if (found === undefined) throw new OmniError('not-found', 'There is no such thing.');
      return found;
    }),
    handle(remove, () => undefined),
    handle(tick, () => undefined),
  ];
  return {
    app: createApp('things', routes, ground),
    clock,
    ground,
    usage,
    lines: logger.lines,
    made: () => made,
    fail: (error: Error | undefined) => {
      failure = error;
    },
  };
};

export const send = (app: App, path: string, init: RequestInit & { key?: string } = {}) => {
  const { key = 'acme-1', ...rest } = init;
  const headers = new Headers(rest.headers);
  if (key !== '') headers.set('authorization', `Bearer ${key}`);
  if (rest.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  return app.request(path, { ...rest, headers });
};
export const post = (app: App, body: unknown, headers: Record<string, string> = {}, key = 'acme-1') =>
  send(app, '/api/v1/things', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
    key,
  });
export const problemOf = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return z
    .object({
      status: z.number(),
      code: z.string(),
      requestId: z.string(),
      detail: z.string().optional(),
      errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    })
    .parse(await response.json());
};
