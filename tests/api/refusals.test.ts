import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { tenantCollection } from '#shared/platform/index.ts';
import { generateKey } from '#shared/security/api-keys/api-key.format.ts';
import { apiKeyCollection, createApiKeyService } from '#shared/security/index.ts';
import { impersonalAudit } from '#tests/support/auditing.ts';
import { accessToken } from '#tests/support/auth.ts';
import { valid } from '#tests/support/json-schema.ts';
import { type Operation, pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { makeResources } from '#tests/support/resources.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { signers, webhookEnvironment } from '#tests/support/signatures.ts';

const runtime = await testRuntime({ environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = await startOperations(runtime);
const resources = await makeResources(runtime, operations, 'acme');

/** Milliseconds for which an instance trusts what it read of a key, and of its tenant. */
const trust = 30_000;

const everything = ['*'];
/** Another instance of the same function. */
const elsewhere = createApiKeyService({
  database: runtime.database,
  keys: runtime.database.platform(apiKeyCollection),
  tenants: runtime.tenants,
  quotas: runtime.quotas,
  audit: impersonalAudit(runtime.database, runtime.clock),
  clock: runtime.clock,
});
const issue = async (tenant: string, scopes: readonly string[], expiresAt?: string) => {
  await runtime.key(tenant, scopes);
  const options = { tenant, name: 'test', scopes, requestsPerMinute: 1_000_000 };
  return runtime.apiKeys.issue(expiresAt === undefined ? options : { ...options, expiresAt });
};
const suspend = async (tenant: string): Promise<void> => {
  const records = runtime.database.platform(tenantCollection);
  const stored = await records.get(tenant);
  if (stored === undefined) throw new Error(`There is no tenant ${tenant}.`);
  await records.update(tenant, { ...stored.value, status: 'suspended' });
};

/** A request that is right in everything but what `change` says. */
const send = ({ app, method, path, body, schemas }: Operation, change: TestRequest = {}): Promise<Response> => {
  const signer = signers[path];
  const text = signer?.body('refused') ?? '';
  const good =
    body === undefined
      ? {}
      : body === 'raw'
        ? { body: text, headers: signer?.headers(text, runtime.clock.now() / 1000) ?? {} }
        : { body: fc.sample(valid(body, schemas), { numRuns: 1, seed: 1 })[0] };
  const headers = { ...good.headers, ...change.headers };
  return request(app, pathWith(path, resources[path] ?? {}), { method, ...good, ...change, headers });
};

const refusal = async (response: Promise<Response>) => {
  const { status, headers } = await response;
  const problem = problemSchema.parse(await (await response).json());
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(problem.status).toBe(status);
  return [status, problem.code];
};

const isLetIn = async (operation: Operation, key: string): Promise<boolean> => {
  const response = await send(operation, { key });
  if (response.status !== 403) return response.status !== 401;
  // Who gives something away must have it: that is asked for after the operation's own scopes.
  const { detail = '' } = problemSchema.parse(await response.json());
  return detail.startsWith('This credential lacks') && !(operation.scopes ?? []).some((one) => detail.includes(one));
};

const credential = ({ person }: Operation): Promise<string> =>
  person ? accessToken(runtime, 'acme') : runtime.key('acme', everything);

const named = (all: readonly Operation[]) => all.map((operation) => [operation.name, operation] as const);
const closed = operations.filter(({ scopes, person }) => scopes !== undefined && !person);
const personal = operations.filter(({ person }) => person);
const open = operations.filter(({ scopes }) => scopes === undefined);

describe.each(named(closed))('%s', (_name, operation) => {
  const { scopes = [] } = operation;

  it('says what scopes it wants, and is content with them', async () => {
    expect(scopes.length).toBeGreaterThan(0);
    const { text: key } = await issue('acme', scopes);
    expect(await isLetIn(operation, key)).toBe(true);
  });

  it('wants a credential', async () => {
    expect(await refusal(send(operation))).toEqual([401, 'unauthenticated']);
    expect((await send(operation)).headers.get('www-authenticate')).toBe('Bearer realm="omni"');
  });

  it('refuses an expired key from the millisecond of its end', async () => {
    const { text: key } = await issue('acme', everything, isoTime(runtime.clock.now() + 1_000));
    runtime.clock.advance(999);
    expect(await isLetIn(operation, key)).toBe(true);
    runtime.clock.advance(1);
    expect(await refusal(send(operation, { key }))).toEqual([401, 'unauthenticated']);
  });

  it('refuses a key that another instance revoked, once this one has heard of it', async () => {
    const { id, text: key } = await issue('acme', everything);
    expect(await isLetIn(operation, key)).toBe(true);
    await elsewhere.revoke(systemActor('acme', 'test'), id);
    runtime.clock.advance(trust);
    expect(await refusal(send(operation, { key }))).toEqual([401, 'unauthenticated']);
  });

  it('refuses the keys of a suspended tenant', async () => {
    const tenant = `late-${closed.indexOf(operation)}`;
    const { text: key } = await issue(tenant, everything);
    expect(await isLetIn(operation, key)).toBe(true);
    await suspend(tenant);
    runtime.clock.advance(trust);
    expect(await refusal(send(operation, { key }))).toEqual([401, 'unauthenticated']);
  });

  it.each(scopes)('refuses a key that has every scope of the API but %s', async (missing) => {
    const others = new Set(closed.flatMap(({ scopes: all = [] }) => all).filter((scope) => scope !== missing));
    const { text: key } = await issue('acme', ['other:read', ...others]);
    expect(await refusal(send(operation, { key }))).toEqual([403, 'forbidden']);
  });

  it('asks for a credential before it looks at anything else', async () => {
    const change: TestRequest = operation.method === 'GET' ? {} : { body: 'x'.repeat(11_000_000) };
    expect(await refusal(send(operation, change))).toEqual([401, 'unauthenticated']);
  });
});

describe.each(named(personal))('%s', (_name, operation) => {
  it('wants somebody who is signed in', async () => {
    const { text: key } = await issue('acme', everything);
    expect(await refusal(send(operation))).toEqual([401, 'unauthenticated']);
    expect(await refusal(send(operation, { key }))).toEqual([403, 'forbidden']);
    expect(await isLetIn(operation, await accessToken(runtime, 'acme'))).toBe(true);
  });
});

describe.each(named(open))('%s', (_name, operation) => {
  it('is open to anybody', async () => {
    const response = await send(operation);
    if (response.status < 300) return;
    // What it judges is in its body.
    const { code } = problemSchema.parse(await response.json());
    expect(operation.body).toBeDefined();
    expect(operation.codes).toContain(code);
  });
});

describe.each(named(operations))('%s', (_name, operation) => {
  it.each([
    ['nothing', { authorization: '' }],
    ['a scheme alone', { authorization: 'Bearer' }],
    ['another scheme', { authorization: 'Basic eDp5' }],
    ['garbage', { authorization: 'Bearer garbage' }],
    ['garbage in the other header', { 'x-api-key': 'garbage' }],
    ['5,000 characters', { authorization: `Bearer ${'x'.repeat(5_000)}` }],
    // Its check digits are right: only the store can tell.
    ['a key that nobody has', { authorization: `Bearer ${generateKey().text}` }],
  ])('refuses a credential that is %s', async (_what, headers) => {
    expect(await refusal(send(operation, { headers }))).toEqual([401, 'unauthenticated']);
  });

  it('names the methods that it takes to one that it does not', async () => {
    const key = await credential(operation);
    const method = ['PUT', 'PATCH', 'DELETE', 'POST'].find((one) => !operation.methods.includes(one)) ?? '';
    const response = await send(operation, { key, method });
    expect(response.headers.get('allow')?.split(', ')).toContain(operation.method);
    expect(await refusal(Promise.resolve(response))).toEqual([405, 'method-not-allowed']);
  });

  it('refuses a web origin that the tenant does not allow', async () => {
    const key = await credential(operation);
    const headers = { origin: 'https://evil.example' };
    expect(await refusal(send(operation, { key, headers }))).toEqual([403, 'forbidden']);
  });
});

describe.each(named(operations.filter(({ method }) => method !== 'GET')))('%s', (_name, operation) => {
  it('refuses an oversized body', async () => {
    const key = await credential(operation);
    const body = 'x'.repeat(11_000_000);
    expect(await refusal(send(operation, { key, body }))).toEqual([413, 'payload-too-large']);
  });

  it('refuses an encoded body', async () => {
    const key = await credential(operation);
    const headers = { 'content-encoding': 'gzip' };
    expect(await refusal(send(operation, { key, headers }))).toEqual([415, 'unsupported-media-type']);
  });
});

describe.each(named(operations.filter(({ body }) => body !== undefined)))('%s', (_name, operation) => {
  const right = signers[operation.path]?.headers('', 0)['content-type'] ?? 'application/json';
  const others = ['', 'text/plain', 'application/json', 'application/x-www-form-urlencoded'];

  it.each(others.filter((type) => type !== right))('refuses the content type "%s"', async (type) => {
    const key = await credential(operation);
    const headers = { 'content-type': type };
    expect(await refusal(send(operation, { key, headers }))).toEqual([415, 'unsupported-media-type']);
  });
});
