import { beforeEach, describe, expect, it } from 'vitest';
import { post, problemOf, send, start } from '#tests/support/things.ts';
import { OmniError } from '../kernel/errors.ts';
import { createApp } from './app.ts';

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
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('cache-control')).toBe('private, no-cache');
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
