import { beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createMemoryCounter } from '../cache/counter.ts';
import { createMemoryCache } from '../cache/memory.ts';
import { type Principal, systemActor } from '../kernel/actor.ts';
import { manualClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import { databaseOn } from '../store/database.ts';
import { embeddedDriver } from '../store/embedded.ts';
import { createMetrics, createTracing, memoryLogger } from '../telemetry/index.ts';
import { type App, createApp, type HttpGround } from './app.ts';
import { endpoint, handle, type Route } from './endpoint.ts';
import { createIdempotency, idempotencyCollection } from './idempotency.ts';
import { leasedRateLimiter } from './leased-rate-limiter.ts';
import type { UsageRecord } from './pipeline/usage-tracker.ts';

const thing = z.object({ id: z.string(), name: z.string() });
const newThing = z.strictObject({ name: z.string().max(20), size: z.int().optional() });

const create = endpoint({
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
const list = endpoint({
  method: 'get',
  path: '/api/v1/things',
  summary: 'List things',
  access: { scopes: ['things:read'] },
  status: 200,
  response: z.array(thing),
  cacheFor: 60,
});
const get = endpoint({
  method: 'get',
  path: '/api/v1/things/{id}',
  summary: 'Get a thing',
  access: { scopes: ['things:read'] },
  params: z.object({ id: z.string().max(10) }),
  status: 200,
  response: thing,
  errors: ['not-found'],
});
const remove = endpoint({
  method: 'delete',
  path: '/api/v1/things/{id}',
  summary: 'Delete a thing',
  access: { scopes: ['things:write'] },
  params: z.object({ id: z.string() }),
  status: 204,
});
const tick = endpoint({ method: 'post', path: '/tick', summary: 'Tick', access: 'internal', status: 204 });

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

const start = () => {
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

const send = (app: App, path: string, init: RequestInit & { key?: string } = {}) => {
  const { key = 'acme-1', ...rest } = init;
  const headers = new Headers(rest.headers);
  if (key !== '') headers.set('authorization', `Bearer ${key}`);
  if (rest.body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  return app.request(path, { ...rest, headers });
};
const post = (app: App, body: unknown, headers: Record<string, string> = {}, key = 'acme-1') =>
  send(app, '/api/v1/things', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
    key,
  });
const problemOf = async (response: Response) => {
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

let here: ReturnType<typeof start>;
beforeEach(() => {
  here = start();
});

describe('an operation', () => {
  it('answers with what its contract names and nothing else', async () => {
    const response = await post(here.app, { name: 'one' });
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ id: 't1', name: 'one' });
  });

  it('carries security headers, a request id and how long it took', async () => {
    const { headers } = await send(here.app, '/api/v1/things', { headers: { 'x-request-id': 'caller-chose-it' } });
    expect(headers.get('x-request-id')).toBe('caller-chose-it');
    expect(headers.get('strict-transport-security')).toContain('max-age');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('server-timing')).toMatch(/^app;dur=\d/);
  });

  it('without content sends none', async () => {
    const response = await send(here.app, '/api/v1/things/t1', { method: 'DELETE' });
    expect([response.status, await response.text()]).toEqual([204, '']);
  });
});

describe('a refusal', () => {
  it('is logged with who was refused what', async () => {
    await send(here.app, '/api/v1/things', { key: 'acme-1+other:read' });
    expect(here.lines).toContainEqual(
      expect.objectContaining({
        message: 'Access refused.',
        level: 'warn',
        fields: expect.objectContaining({ code: 'forbidden', endpoint: '/api/v1/things', tenant: 'acme', kind: 'key' }),
      }),
    );
  });

  it.each([
    ['no credential', () => send(here.app, '/api/v1/things', { key: '' }), 401, 'unauthenticated'],
    ['an unknown credential', () => send(here.app, '/api/v1/things', { key: 'nonsense' }), 401, 'unauthenticated'],
    [
      'an unknown credential where none is needed',
      () => send(here.app, '/healthz', { key: 'x' }),
      401,
      'unauthenticated',
    ],
    [
      'an oversized credential',
      () => send(here.app, '/api/v1/things', { key: `acme-${'x'.repeat(5000)}` }),
      401,
      'unauthenticated',
    ],
    [
      'another kind of credential',
      () => send(here.app, '/api/v1/things', { key: '', headers: { authorization: 'Basic eDp5' } }),
      401,
      'unauthenticated',
    ],
    ['a missing scope', () => send(here.app, '/api/v1/things', { key: 'acme-1+other:read' }), 403, 'forbidden'],
    ['an unknown path', () => send(here.app, '/api/v1/nothing'), 404, 'not-found'],
    ['a path that does not decode', () => send(here.app, '/api/v1/things/%E0%A4%A'), 404, 'not-found'],
    ['a wrong method', () => send(here.app, '/api/v1/things', { method: 'PUT' }), 405, 'method-not-allowed'],
    ['malformed JSON', () => post(here.app, '{"name":'), 400, 'malformed-json'],
    [
      'JSON that is not UTF-8',
      () =>
        send(here.app, '/api/v1/things', {
          method: 'POST',
          body: new Uint8Array([0x22, 0xff, 0x22]),
          headers: { 'content-type': 'application/json' },
        }),
      400,
      'malformed-json',
    ],
    [
      'no body',
      () => send(here.app, '/api/v1/things', { method: 'POST', headers: { 'content-type': 'application/json' } }),
      400,
      'malformed-json',
    ],
    [
      'another media type',
      () => post(here.app, 'name=x', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported-media-type',
    ],
    ['a compressed body', () => post(here.app, '{}', { 'content-encoding': 'gzip' }), 415, 'unsupported-media-type'],
    ['an oversized body', () => post(here.app, { name: 'x'.repeat(3000) }), 413, 'payload-too-large'],
    [
      'an oversized body without a length',
      () =>
        send(here.app, '/api/v1/things', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: new Blob(['x'.repeat(3000)]).stream(),
          duplex: 'half',
        } as RequestInit),
      413,
      'payload-too-large',
    ],
    [
      'a body where none is taken',
      () => send(here.app, '/api/v1/things/t1', { method: 'DELETE', body: '{}' }),
      400,
      'invalid-request',
    ],
    ['deep nesting', () => post(here.app, `${'['.repeat(900)}${']'.repeat(900)}`), 400, 'invalid-request'],
    [
      'a repeated query parameter',
      () => send(here.app, '/api/v1/things?dry=true&dry=false', { method: 'POST', body: '{"name":"x"}' }),
      400,
      'invalid-request',
    ],
    ['an unknown query parameter', () => send(here.app, '/api/v1/things?x=1'), 400, 'invalid-request'],
    ['an oversized id', () => send(here.app, `/api/v1/things/${'x'.repeat(11)}`), 400, 'invalid-request'],
    [
      'a bad idempotency key',
      () => post(here.app, { name: 'x' }, { 'idempotency-key': 'has space' }),
      400,
      'invalid-request',
    ],
    ['an internal path to the outside', () => send(here.app, '/tick', { method: 'POST' }), 404, 'not-found'],
    ['the internal prefix without proof', () => send(here.app, '/internal/tick', { method: 'POST' }), 404, 'not-found'],
    ['the metrics to the outside', () => send(here.app, '/metrics'), 404, 'not-found'],
    [
      'a foreign web origin',
      () => send(here.app, '/api/v1/things', { headers: { origin: 'https://evil.example' } }),
      403,
      'forbidden',
    ],
  ])('tells of %s', async (_what, request, status, code) => {
    const response = await request();
    expect(response.status).toBe(status);
    expect(await problemOf(response)).toMatchObject({ status, code });
    expect(here.made()).toBe(0);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('names every bad field of every part, and repeats no value', async () => {
    const response = await send(here.app, '/api/v1/things?dry=perhaps', {
      method: 'POST',
      body: JSON.stringify({ name: 'a-secret-that-is-much-too-long', size: 1.5, colour: 'red' }),
    });
    const problem = await problemOf(response);
    expect(problem.errors?.map(({ path }) => path).sort()).toEqual([
      'body.colour',
      'body.name',
      'body.size',
      'query.dry',
    ]);
    expect(JSON.stringify(problem)).not.toContain('a-secret');
  });

  it('tells the allowed methods', async () => {
    const response = await send(here.app, '/api/v1/things', { method: 'PATCH' });
    expect(response.headers.get('allow')).toBe('POST, GET, HEAD');
  });

  it('of a fault says nothing of it, and the log says all', async () => {
    here.fail(new Error('the password is hunter2'));
    const response = await post(here.app, { name: 'x' });
    expect(response.status).toBe(500);
    const problem = await problemOf(response);
    expect(JSON.stringify(problem)).not.toContain('hunter2');
    expect(problem.detail).toBeUndefined();
    expect(here.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

describe('an internal call', () => {
  const headers = { 'x-service': 'ours', 'omni-tenant': 'acme' };

  it('reaches internal paths, and is neither metered nor limited', async () => {
    expect((await send(here.app, '/internal/tick', { method: 'POST', headers, key: '' })).status).toBe(204);
    const response = await send(here.app, '/internal/api/v1/things', { headers, key: '' });
    expect(response.status).toBe(200);
    expect(response.headers.get('ratelimit')).toBeNull();
    expect(here.usage).toEqual([]);
  });

  it('reads the metrics, by endpoint and not by path', async () => {
    await send(here.app, '/api/v1/things/t1');
    await send(here.app, '/wp-login.php');
    const text = await (await send(here.app, '/internal/metrics', { headers, key: '' })).text();
    expect(text).toMatch(
      /http_requests_total\{method="GET",endpoint="\/api\/v1\/things\/:id",status="404",service="test"\} 1/,
    );
    expect(text).toContain('endpoint="unmatched",status="404"');
    expect(text).toContain('http_request_duration_seconds_bucket');
    expect(text).not.toContain('wp-login');
  });
});

describe('the meter', () => {
  it('sees tenant, key, endpoint and status of each request', async () => {
    await send(here.app, '/api/v1/things/t1');
    expect(here.usage).toEqual([
      { tenant: 'acme', principal: 'acme-1', endpoint: 'GET /api/v1/things/:id', status: 404 },
    ]);
  });
});

describe('an idempotency key', () => {
  const key = { 'idempotency-key': 'k-1' };

  it('has a repetition get the first answer without running again', async () => {
    const first = await post(here.app, { name: 'one' }, key);
    const second = await post(here.app, { name: 'one' }, key);
    expect(await second.text()).toBe(await first.text());
    expect([first.status, second.status, here.made()]).toEqual([201, 201, 1]);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect(first.headers.get('location')).toMatch(/^\/api\/v1\/things\//);
  });

  it('refuses another body', async () => {
    await post(here.app, { name: 'one' }, key);
    const response = await post(here.app, { name: 'two' }, key);
    expect(await problemOf(response)).toMatchObject({ status: 422, code: 'idempotency-mismatch' });
  });

  it('has one of twenty at once run, and the others wait or get its answer', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => post(here.app, { name: 'one' }, key)));
    const first = all.filter(({ status, headers }) => status === 201 && headers.get('idempotency-replayed') === null);
    expect(first).toHaveLength(1);
    expect(all.every(({ status }) => status === 201 || status === 409)).toBe(true);
    expect(here.made()).toBe(1);
  });

  it('is another one for another tenant and another credential', async () => {
    await post(here.app, { name: 'one' }, key);
    await post(here.app, { name: 'one' }, key, 'other-1');
    await post(here.app, { name: 'one' }, key, 'acme-2');
    expect(here.made()).toBe(3);
  });

  it('stays free after a refusal or a fault, so that a corrected request goes through', async () => {
    expect((await post(here.app, { name: 7 }, key)).status).toBe(400);
    here.fail(new Error('down'));
    expect((await post(here.app, { name: 'one' }, key)).status).toBe(500);
    here.fail(undefined);
    expect((await post(here.app, { name: 'one' }, key)).status).toBe(201);
  });

  it('of an instance that died is free again after its lease, and its ids are the same', async () => {
    const { idempotency } = here.ground;
    const context: Parameters<typeof idempotency.once>[0][] = [];
    const app = createApp(
      'dying',
      [
        handle(create, ({ actor, c }) => {
          context.push(c);
          return { id: actor.idempotencyKey ?? '', name: '' };
        }),
      ],
      here.ground,
    );
    const never = post(
      createApp(
        'dying',
        [handle(create, () => new Promise<{ id: string; name: string }>(() => undefined))],
        here.ground,
      ),
      { name: 'one' },
      key,
    );
    void never;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await post(app, { name: 'one' }, key)).status).toBe(409);
    here.clock.advance(121_000);
    const after = await post(app, { name: 'one' }, key);
    expect(after.status).toBe(201);
    expect(context).toHaveLength(1);
  });

  it('is forgotten after a day', async () => {
    await post(here.app, { name: 'one' }, key);
    here.clock.advance(25 * 3_600_000);
    await post(here.app, { name: 'two' }, key);
    expect(here.made()).toBe(2);
  });
});

describe('a rate limit', () => {
  it('is told in the standard headers', async () => {
    const { headers } = await send(here.app, '/api/v1/things');
    expect(headers.get('ratelimit-policy')).toBe('"key";q=200;w=60, "tenant";q=300;w=60');
    expect(headers.get('ratelimit')).toBe('"key";r=199;t=60, "tenant";r=299;t=60');
  });

  it('refuses with the seconds to wait, and lets through again in the next window', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await send(here.app, '/api/v1/things', { key: 'acme-few' })).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    const refused = await send(here.app, '/api/v1/things', { key: 'acme-few' });
    expect(refused.headers.get('retry-after')).toBe('60');
    expect(await problemOf(refused)).toMatchObject({ code: 'rate-limited' });
    here.clock.advance(60_000);
    expect((await send(here.app, '/api/v1/things', { key: 'acme-few' })).status).toBe(200);
  });

  it('of the tenant holds over its keys', async () => {
    const keys = ['acme-1', 'acme-2'];
    const statuses = [];
    for (let i = 0; i < 320; i += 1) {
      statuses.push((await send(here.app, '/api/v1/things', { key: keys[i % 2] ?? '' })).status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(300);
  });
});

describe('the response cache', () => {
  it('gives an ETag, and 304 to who has it', async () => {
    await post(here.app, { name: 'one' });
    const first = await send(here.app, '/api/v1/things');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]{20,}"$/);
    const second = await send(here.app, '/api/v1/things', { headers: { 'if-none-match': `W/${etag}, "x"` } });
    expect([second.status, await second.text(), second.headers.get('etag')]).toEqual([304, '', etag]);
  });

  it('answers again without the handler until the tenant writes', async () => {
    await send(here.app, '/api/v1/things');
    expect((await send(here.app, '/api/v1/things')).headers.get('x-cache')).toBe('hit');
    await post(here.app, { name: 'one' });
    const after = await send(here.app, '/api/v1/things');
    expect(after.headers.get('x-cache')).toBeNull();
    expect(await after.json()).toHaveLength(1);
  });

  it('never gives one tenant or key what another one asked', async () => {
    await send(here.app, '/api/v1/things');
    expect((await send(here.app, '/api/v1/things', { key: 'other-1' })).headers.get('x-cache')).toBeNull();
    expect((await send(here.app, '/api/v1/things', { key: 'acme-2' })).headers.get('x-cache')).toBeNull();
    expect((await send(here.app, '/api/v1/things', { key: 'acme-1+things:write' })).status).toBe(403);
  });

  it('keeps nothing of endpoints that do not ask for it', async () => {
    await post(here.app, { name: 'one' });
    await send(here.app, '/api/v1/things/t1');
    expect((await send(here.app, '/api/v1/things/t1')).headers.get('x-cache')).toBeNull();
  });
});

describe('a cross-origin call', () => {
  it('is allowed from an origin of the tenant’s settings', async () => {
    const response = await send(here.app, '/api/v1/things', { headers: { origin: 'https://app.example.com' } });
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(response.headers.get('vary')).toContain('origin');
  });

  it('is announced by a preflight, which needs no credential', async () => {
    const response = await send(here.app, '/api/v1/things', {
      method: 'OPTIONS',
      key: '',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-methods')).toContain('POST');
  });
});

describe('health', () => {
  it('answers without a credential', async () => {
    expect(await (await send(here.app, '/healthz', { key: '' })).json()).toEqual({ status: 'ok', version: '1' });
    expect((await send(here.app, '/readyz', { key: '' })).status).toBe(200);
  });

  it('is not ready while the store does not answer', async () => {
    const app = createApp('x', [], {
      ...here.ground,
      ready: () => Promise.reject(new OmniError('unavailable', 'no store')),
    });
    const response = await send(app, '/readyz', { key: '' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
  });
});
