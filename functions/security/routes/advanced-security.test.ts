import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { tenantCollection } from '#shared/platform/index.ts';
import {
  keyRingViewSchema,
  keyRotationViewSchema,
  secretViewSchema,
  storedFileViewSchema,
} from '#shared/security/index.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { dumping } from '#tests/support/dump.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { security } from '../app.ts';
import { createServices } from '../services.ts';

const base = '/api/v1/advanced-security';
const driver = dumping(embeddedDriver());
const runtime = await testRuntime({ driver });
const app = runtime.start(security, createServices);
let key: string;
beforeAll(async () => {
  key = await runtime.key('acme', ['*']);
});

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, { key, ...options });
const post = (path: string, body: unknown, options: TestRequest = {}) => send(path, { body, ...options });
const refusal = async (response: Response) => {
  const { status, code, errors } = problemSchema.parse(await response.json());
  return { status, code, paths: errors?.map(({ path }) => path) };
};
const stored = async (): Promise<string> => JSON.stringify([...(await driver.dump())]);

describe('keys', () => {
  it('are rotated step by step, while everything stays readable', async () => {
    const key = await runtime.key('rotator', ['*']);
    for (let i = 0; i < 3; i += 1) await post('/secrets', { name: `secret-${i}`, value: `plain ${i}` }, { key });
    const list = async () => {
      const { items } = z
        .object({ items: z.array(keyRingViewSchema) })
        .parse(await (await send('/keys', { key })).json());
      return items.map(({ name, versions }) => [name, versions.map(({ state }) => state)]);
    };
    expect(await list()).toEqual([
      ['fields', ['current']],
      ['values', []],
    ]);
    const started = await send('/keys/fields/rotate', { key, method: 'POST' });
    expect(started.status).toBe(202);
    expect(keyRotationViewSchema.parse(await started.json())).toMatchObject({ id: 'fields~2', state: 'renewing' });
    await runtime.bus.idle();
    const rotation = async () =>
      keyRotationViewSchema.parse(await (await send('/key-rotations/fields~2', { key })).json());
    expect(await rotation()).toMatchObject({ state: 'renewed', documents: 3, renewed: 3, unreadable: 0 });
    const early = await send('/key-rotations/fields~2/retire', { key, method: 'POST' });
    expect(await refusal(early)).toMatchObject({ status: 412, code: 'precondition-failed' });
    runtime.clock.advance(300_000);
    expect((await send('/key-rotations/fields~2/retire', { key, method: 'POST' })).status).toBe(202);
    await runtime.bus.idle();
    expect(await rotation()).toMatchObject({ state: 'retired', documents: 3, renewed: 0 });
    expect(await list()).toEqual([
      ['fields', ['current', 'destroyed']],
      ['values', []],
    ]);
    const revealed = await send('/secrets/secret-1/versions/latest/value', { key });
    expect(await revealed.json()).toEqual({ version: 1, value: 'plain 1' });
  });

  it('of another tenant are not found', async () => {
    const stranger = await runtime.key('stranger', ['*']);
    expect(await refusal(await send('/key-rotations/fields~2', { key: stranger }))).toMatchObject({ status: 404 });
    expect(await refusal(await send('/key-rotations/a%2Fb'))).toMatchObject({ status: 400, paths: ['path.id'] });
    const unknown = await send('/keys/other/rotate', { method: 'POST' });
    expect(await refusal(unknown)).toMatchObject({ status: 400, paths: ['path.name'] });
  });
});

describe('values', () => {
  const encrypt = async (body: object, options: TestRequest = {}): Promise<string> => {
    const response = await post('/values/encrypt', body, options);
    return z.object({ ciphertext: z.string() }).parse(await response.json()).ciphertext;
  };

  it('are decrypted for their purpose and tenant alone', async () => {
    const ciphertext = await encrypt({ purpose: 'bank', value: 'a plain value' });
    expect(ciphertext).toMatch(/^enc1\.values~1\./);
    expect(await (await post('/values/decrypt', { purpose: 'bank', ciphertext })).json()).toEqual({
      value: 'a plain value',
    });
    const stranger = await runtime.key('stranger', ['*']);
    const others: [object, TestRequest][] = [
      [{ purpose: 'mail', ciphertext }, {}],
      [{ purpose: 'bank', ciphertext }, { key: stranger }],
      [{ purpose: 'bank', ciphertext: `${ciphertext.slice(0, -2)}AA` }, {}],
      [{ purpose: 'bank', ciphertext: 'enc1.values~9.x' }, {}],
      [{ purpose: 'bank', ciphertext: '' }, {}],
    ];
    for (const [body, options] of others) {
      expect(await refusal(await post('/values/decrypt', body, options))).toMatchObject({
        status: 400,
        code: 'invalid-request',
      });
    }
  });

  it('of a person are lost with that person’s key, which is never made again', async () => {
    const ann = await encrypt({ purpose: 'p', value: 'of ann', subject: 'ann' });
    const bob = await encrypt({ purpose: 'p', value: 'of bob', subject: 'bob' });
    for (let i = 0; i < 2; i += 1) expect((await send('/subjects/ann', { method: 'DELETE' })).status).toBe(204);
    expect(await refusal(await post('/values/decrypt', { purpose: 'p', ciphertext: ann }))).toMatchObject({
      status: 410,
      code: 'shredded',
    });
    expect(await refusal(await post('/values/encrypt', { purpose: 'p', value: 'x', subject: 'ann' }))).toMatchObject({
      status: 410,
    });
    expect((await post('/values/decrypt', { purpose: 'p', ciphertext: bob })).status).toBe(200);
  });
});

describe('secrets', () => {
  it('are made, listed, revealed, disabled and destroyed', async () => {
    const key = await runtime.key('keeper', ['*']);
    const made = await post('/secrets', { name: 'api-key', value: 'plain one' }, { key });
    expect(made.status).toBe(201);
    expect(secretViewSchema.parse(await made.json())).toMatchObject({
      name: 'api-key',
      versions: [{ version: 1, state: 'enabled' }],
    });
    expect((await post('/secrets/api-key/versions', { value: 'plain two' }, { key })).status).toBe(201);
    const latest = await send('/secrets/api-key/versions/latest/value', { key });
    expect(latest.headers.get('cache-control')).toBe('no-store');
    expect(await latest.json()).toEqual({ version: 2, value: 'plain two' });
    const put = (version: number, state: string) =>
      send(`/secrets/api-key/versions/${version}/state`, { key, method: 'PUT', body: { state } });
    expect((await put(2, 'disabled')).status).toBe(200);
    expect(await refusal(await send('/secrets/api-key/versions/2/value', { key }))).toMatchObject({ status: 412 });
    expect((await put(1, 'destroyed')).status).toBe(200);
    expect(await refusal(await send('/secrets/api-key/versions/1/value', { key }))).toMatchObject({
      status: 410,
      code: 'shredded',
    });
    expect(await refusal(await put(1, 'enabled'))).toMatchObject({ status: 410 });
    const list = await (await send('/secrets', { key })).text();
    expect(list).toContain('api-key');
    expect(list).not.toContain('plain');
  });

  it('are nowhere in plain text: not in the store, the log or the answers to idempotency keys', async () => {
    const headers = { 'idempotency-key': 'once' };
    const value = 'correct-horse-battery';
    expect((await post('/secrets', { name: 'hidden', value }, { headers })).status).toBe(201);
    await send('/secrets/hidden/versions/latest/value');
    await post('/values/encrypt', { purpose: 'p', value }, { headers });
    await post('/scan/text', { text: `${value} ann@example.com`, redact: true }, { headers });
    expect(await stored()).not.toMatch(/correct-horse|ann@example/);
    expect(JSON.stringify(runtime.lines)).not.toMatch(/correct-horse|ann@example/);
  });

  it('refuse what is no name, value or version', async () => {
    const bad: [Promise<Response>, number, string[] | undefined][] = [
      [post('/secrets', { name: '../x', value: 'v' }), 400, ['body.name']],
      [post('/secrets', { name: 'x', value: '' }), 400, ['body.value']],
      [post('/secrets', { name: 'x', value: 'v'.repeat(65_537) }), 400, ['body.value']],
      [post('/secrets/nobody/versions', { value: 'v' }), 404, undefined],
      [send('/secrets/nobody'), 404, undefined],
      [send('/secrets/nobody/versions/-1/value'), 400, ['path.version']],
      [send('/secrets/nobody/versions/latest/value'), 404, undefined],
    ];
    for (const [response, status, paths] of bad) expect(await refusal(await response)).toMatchObject({ status, paths });
  });
});

describe('scans', () => {
  it('find and redact in a text', async () => {
    const text = 'Pay 4242 4242 4242 4242, or write to ann@example.com';
    expect(await (await post('/scan/text', { text, redact: true })).json()).toEqual({
      findings: [
        { type: 'card', confidence: 'high', start: 4, end: 23, sample: '…4242' },
        { type: 'email', confidence: 'high', start: 37, end: 52, sample: 'a…com' },
      ],
      truncated: false,
      redacted: 'Pay [card], or write to [email]',
    });
    expect(await (await post('/scan/text', { text: '' })).json()).toEqual({ findings: [], truncated: false });
    const tooLong = await post('/scan/text', { text: 'x'.repeat(500_001) });
    expect(await refusal(tooLong)).toMatchObject({ status: 400, paths: ['body.text'] });
  });

  it('find in a file of the tenant, and in no other', async () => {
    const content = `name,card\nann,4242424242424242\n`;
    await runtime.blobs.of('acme').put('files/in/cards.csv', content, { contentType: 'text/csv' });
    await runtime.blobs.of('acme').put('internal/x.csv', content, { contentType: 'text/csv' });
    const scan = (file: string, options: TestRequest = {}) => post('/scan/file', { file }, options);
    expect(await (await scan('in/cards.csv')).json()).toMatchObject({
      findings: [{ type: 'card', start: 14 }],
      characters: content.length,
    });
    const stranger = await runtime.key('stranger', ['*']);
    expect(await refusal(await scan('in/cards.csv', { key: stranger }))).toMatchObject({ status: 404 });
    for (const file of ['../internal/x.csv', 'in/../../internal/x.csv', '/internal/x.csv', '.', 'a//b', '']) {
      expect(await refusal(await scan(file))).toMatchObject({ status: 400, paths: ['body.file'] });
    }
  });
});

describe('signed URLs', () => {
  const sign = (body: object, options: TestRequest = {}) => post('/signed-urls', body, options);

  it('lead to one file of the tenant, for a while', async () => {
    await runtime.blobs.of('acme').put('files/a.txt', 'text', { contentType: 'text/plain' });
    const response = await sign({ action: 'read', file: 'a.txt', expiresIn: 60 });
    expect(response.status).toBe(201);
    const { url, expiresAt } = z.object({ url: z.url(), expiresAt: z.string() }).parse(await response.json());
    expect(new URL(url).pathname).toMatch(/\/acme\/files\/a\.txt$/);
    expect(Date.parse(expiresAt)).toBe(runtime.clock.now() + 60_000);
    const write = await sign({ action: 'write', file: 'new.csv', contentType: 'text/csv', maxBytes: 100 });
    expect(write.status).toBe(201);
    expect(await write.json()).toMatchObject({
      headers: { 'content-type': 'text/csv', 'x-goog-content-length-range': '0,100' },
    });
  });

  it('are refused for what is not there, not a file, or too long', async () => {
    const stranger = await runtime.key('stranger', ['*']);
    expect(await refusal(await sign({ action: 'read', file: 'none.txt' }))).toMatchObject({ status: 404 });
    expect(await refusal(await sign({ action: 'read', file: 'a.txt' }, { key: stranger }))).toMatchObject({
      status: 404,
    });
    const bad: [object, string][] = [
      [{ action: 'read', file: '../a.txt' }, 'body.file'],
      [{ action: 'read', file: 'a.txt', expiresIn: 604_801 }, 'body.expiresIn'],
      [{ action: 'write', file: 'a.txt', maxBytes: 1 }, 'body.contentType'],
      [{ action: 'write', file: 'a.txt', contentType: 'text/csv' }, 'body.maxBytes'],
      [{ action: 'write', file: 'a.txt', contentType: 'text/html\r\nx: y', maxBytes: 1 }, 'body.contentType'],
      [{ action: 'delete', file: 'a.txt' }, 'body.action'],
    ];
    for (const [body, path] of bad)
      expect(await refusal(await sign(body))).toMatchObject({ status: 400, paths: [path] });
  });
});

describe('room for files', () => {
  const gigabyte = 1_000_000_000;
  /** A tenant whose plan has a gigabyte. */
  const free = async (tenant: string) => {
    const key = await runtime.key(tenant, ['files:sign']);
    const records = runtime.database.platform(tenantCollection);
    const { value, revision } = (await records.get(tenant)) ?? expect.fail('There is no tenant.');
    await records.update(tenant, { ...value, plan: { id: 'free', overrides: {} } }, { revision });
    const write = (file: string, maxBytes: number, expiresIn = 60) =>
      post('/signed-urls', { action: 'write', file, contentType: 'text/csv', maxBytes, expiresIn }, { key });
    const files = async () =>
      pageSchema(storedFileViewSchema).parse(await (await send('/files', { key })).json()).items;
    const used = async () =>
      (await runtime.quotas.usage(tenant)).find(({ name }) => name === 'storageBytes')?.used ?? -1;
    const remove = (id: string) => send(`/files/${id}`, { method: 'DELETE', key });
    return { write, files, used, remove };
  };

  it('is taken by a URL to write, once for a file, until the file is deleted', async () => {
    const { write, files, used, remove } = await free('room');
    expect((await write('a.csv', 0.6 * gigabyte)).status).toBe(201);
    expect((await write('a.csv', 0.5 * gigabyte, 3_600)).status).toBe(201);
    expect(await used()).toBe(0.6 * gigabyte);
    expect(await refusal(await write('b.csv', 0.5 * gigabyte))).toMatchObject({ status: 412 });
    expect((await write('b.csv', 0.4 * gigabyte)).status).toBe(201);
    expect(await refusal(await write('c.csv', 1))).toMatchObject({ status: 412 });
    const a = (await files()).find(({ file }) => file === 'a.csv') ?? expect.fail('It is not listed.');
    await runtime.blobs.of('room').put('files/a.csv', 'x', { contentType: 'text/csv' });
    // Who has a URL could bring it back.
    expect((await remove(a.id)).status).toBe(412);
    runtime.clock.advance(2 * 3_600_000 - 1);
    expect((await remove(a.id)).status).toBe(412);
    runtime.clock.advance(1);
    expect((await remove(a.id)).status).toBe(204);
    expect(await runtime.blobs.of('room').info('files/a.csv')).toBeUndefined();
    expect(await used()).toBe(0.4 * gigabyte);
    expect((await remove(a.id)).status).toBe(404);
    expect((await write('c.csv', 0.6 * gigabyte)).status).toBe(201);
  });

  it('is taken by no more of twenty at once than there is for', async () => {
    const { write, used } = await free('crowded');
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => write(`${i}.csv`, 0.3 * gigabyte)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 412)).toHaveLength(17);
    expect(await used()).toBe(0.9 * gigabyte);
    const taken = answers.findIndex(({ status }) => status === 201);
    const same = await Promise.all(Array.from({ length: 20 }, () => write(`${taken}.csv`, 0.4 * gigabyte)));
    expect(same.map(({ status }) => status)).toEqual(same.map(() => 201));
    expect(await used()).toBe(gigabyte);
  });
});

describe('scopes', () => {
  it.each([
    ['GET', '/keys', 'encryption:rotate'],
    ['POST', '/keys/fields/rotate', 'encryption:read'],
    ['POST', '/key-rotations/fields~2/retire', 'encryption:rotate'],
    ['DELETE', '/subjects/ann', 'encryption:rotate'],
    ['POST', '/values/encrypt', 'encryption:decrypt'],
    ['POST', '/values/decrypt', 'encryption:encrypt'],
    ['GET', '/secrets', 'secrets:reveal'],
    ['POST', '/secrets', 'secrets:read'],
    ['GET', '/secrets/x/versions/1/value', 'secrets:read'],
    ['PUT', '/secrets/x/versions/1/state', 'secrets:reveal'],
    ['POST', '/scan/text', 'files:sign'],
    ['POST', '/signed-urls', 'files:scan'],
    ['GET', '/files', 'files:scan'],
    ['DELETE', '/files/fil_1', 'files:scan'],
  ])('%s %s is closed to a key with %s alone', async (method, path, scope) => {
    const narrow = await runtime.key('acme', [scope]);
    expect(await refusal(await send(path, { method, key: narrow }))).toMatchObject({ status: 403 });
  });
});
