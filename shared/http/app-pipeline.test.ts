import { beforeEach, describe, expect, it } from 'vitest';
import { create, post, problemOf, send, start } from '#tests/support/things.ts';
import { createApp } from './app.ts';
import { handle } from './endpoint.ts';

let here: ReturnType<typeof start>;
beforeEach(() => {
  here = start();
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

  const elsewhere = { origin: 'https://elsewhere.example.com' };

  it('is read from any origin where nobody is signed in, as a sign-in is', async () => {
    const response = await send(here.app, '/healthz', { key: '', headers: elsewhere });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    expect(response.headers.get('vary')).toContain('origin');
  });

  it('shows a page why it was refused, when the credential is not good any more too', async () => {
    for (const key of ['', 'wrong']) {
      const response = await send(here.app, '/api/v1/things', { key, headers: elsewhere });
      expect(response.status).toBe(401);
      expect(response.headers.get('access-control-allow-origin')).toBe('*');
      expect(response.headers.get('access-control-expose-headers')).toContain('www-authenticate');
    }
  });

  it('is neither run nor read from an origin that the tenant does not name', async () => {
    const response = await post(here.app, { name: 'one' }, elsewhere);
    expect([response.status, here.made()]).toEqual([403, 0]);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('may bring its key in either header', async () => {
    const response = await send(here.app, '/api/v1/things', {
      method: 'OPTIONS',
      key: '',
      headers: { ...elsewhere, 'access-control-request-method': 'GET' },
    });
    for (const header of ['authorization', 'x-api-key']) {
      expect(response.headers.get('access-control-allow-headers')?.split(', ')).toContain(header);
    }
  });
});
