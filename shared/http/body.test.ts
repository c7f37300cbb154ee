import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import { createTracing } from '../telemetry/index.ts';
import { parseJson, readBody } from './body.ts';
import type { HttpEnv } from './context.ts';
import { observe } from './observe.ts';

/** Bytes. */
const limit = 100_000;
let server: Server;
let port = 0;

beforeAll(async () => {
  const app = new Hono<HttpEnv>();
  app.use(observe({ tracing: createTracing({ service: 'test', exporter: { kind: 'none' } }) }));
  app.use((c, next) => {
    if (c.req.header('x-refuse') === undefined) return next();
    throw new OmniError('unauthenticated', '');
  });
  app.post('/', async (c) => c.json({ bytes: (await readBody(c, limit)).byteLength }));
  app.post('/json', (c) => c.req.arrayBuffer().then((bytes) => c.json({ value: parseJson(c, new Uint8Array(bytes)) })));
  app.onError((error, c) => c.json({ code: isOmniError(error) ? error.code : String(error) }));
  server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(() => server.close());

/** Sends the chunks one by one, without a length unless one is given. */
const send = (chunks: readonly string[], headers: Readonly<Record<string, string>> = {}): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/', headers, agent: false },
      async (response) => {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()));
      },
    );
    outgoing.on('error', reject);
    for (const chunk of chunks) outgoing.write(chunk);
    outgoing.end();
  });

const chunk = 'x'.repeat(20_000);
const times = (count: number): string[] => Array.from({ length: count }, () => chunk);

describe('the body of a request to a server', () => {
  it('is read whole, in however many pieces it comes', async () => {
    expect(await send(times(5))).toEqual({ bytes: 100_000 });
    expect(await send([])).toEqual({ bytes: 0 });
  });

  it('is refused by its announced length', async () => {
    expect(await send([], { 'content-length': '100001' }).catch(() => 'hung up')).toEqual({
      code: 'payload-too-large',
    });
  });

  it('is refused where it goes on beyond the limit, and the sender gets the answer', async () => {
    expect(await send(times(50))).toEqual({ code: 'payload-too-large' });
  });

  it('that nobody reads is let through to its end on a refusal, so that the sender gets the answer', async () => {
    const headers = { connection: 'close', 'content-length': '10000000', 'x-refuse': 'yes' };
    expect(await send(times(500), headers)).toEqual({ code: 'unauthenticated' });
  });

  it('is not taken compressed', async () => {
    expect(await send(['x'], { 'content-encoding': 'gzip' })).toEqual({ code: 'unsupported-media-type' });
  });
});

describe('a JSON body', () => {
  const parse = async (body: string): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(`http://127.0.0.1:${port}/json`, { method: 'POST', headers, body })).json();
  };

  it.each([
    '{"__proto__":{"admin":true}}',
    '{"a":[{"b":{"__proto__":null}}]}',
    String.raw`{"\u005f_proto__":1}`,
    '{"constructor":{"prototype":{"admin":true}}}',
    String.raw`{"deep":{"constr\u0075ctor":{"prototype":1}}}`,
    `${'['.repeat(5_000)}{"__proto__":1}${']'.repeat(5_000)}`,
  ])('that would change prototypes is refused: %.60s', async (body) => {
    expect(await parse(body)).toEqual({ code: 'invalid-request' });
  });

  it.each([
    '{"constructor":"Brunel","prototype":"Great Western"}',
    '{"text":"__proto__ and constructor"}',
    '{"constructor":{"name":"Brunel"}}',
    String.raw`{"text":"\u00e4"}`,
    'null',
    '0',
  ])('that only looks like it is taken: %s', async (body) => {
    expect(await parse(body)).toEqual({ value: JSON.parse(body) });
  });
});
