import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { accessToken } from '#tests/support/auth.ts';
import { billingOnce, billingRequests } from '#tests/support/billing-resources.ts';
import { makeRequests } from '#tests/support/bodies.ts';
import { dumping } from '#tests/support/dump.ts';
import { valid } from '#tests/support/json-schema.ts';
import { type Operation, parametersIn, pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { makeResources, nobody } from '#tests/support/resources.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { webhookEnvironment } from '#tests/support/signatures.ts';

const driver = dumping(embeddedDriver());
const runtime = await testRuntime({ driver, environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = (await startOperations(runtime)).filter(({ scopes }) => scopes !== undefined);

const resources = await makeResources(runtime, operations, 'acme');
await makeResources(runtime, operations, 'rival');
const requests = { ...(await makeRequests(runtime, operations, 'acme')), ...billingRequests(resources, 'acme') };

/** A key with every scope, and the access token of an owner. */
const credentials = async (tenant: string) => ({
  key: await runtime.key(tenant, ['*']),
  token: await accessToken(runtime, tenant),
});
type Credentials = Awaited<ReturnType<typeof credentials>>;
const [owner, newcomer] = [await credentials('acme'), await credentials('newcomer')];
/** Keys are refused what is for people, whoever has them. */
const allThatMay = ({ person }: Operation, { key, token }: Credentials) => (person ? [token] : [key, token]);
const one = ({ person }: Operation, { key, token }: Credentials) => (person ? token : key);

/** All that is acme's, also in the collections of the platform: its keys, its record. */
const isOfAcme = (path: string, { tenant }: Readonly<Record<string, unknown>>): boolean =>
  path.startsWith('tenants/acme/') || path === 'tenantRecords/acme' || tenant === 'acme';
/** But for the meter, which stores what acme itself asked whenever it is due. */
const ofAcme = async () =>
  [...(await driver.dump())].filter(
    ([path, data]) => isOfAcme(path, data) && !path.startsWith('tenants/acme/apiUsage/'),
  );

const send = (
  { app, name, method, path, body, schemas }: Operation,
  change: TestRequest,
  search = '',
): Promise<Response> => {
  const text =
    body === undefined || body === 'raw' ? {} : { body: fc.sample(valid(body, schemas), { numRuns: 1, seed: 1 })[0] };
  const real = requests[name] ?? {};
  const headers = { ...real.headers, ...change.headers };
  const to = `${pathWith(path, resources[path] ?? {})}${search}`;
  return request(app, to, { method, ...text, ...real, ...change, headers });
};

/** What was answered, without what names the one request. */
const told = async (response: Response) => {
  const text = await response.text();
  const body: unknown = text === '' ? null : JSON.parse(text);
  const problem = problemSchema.safeParse(body);
  return { status: response.status, body: problem.success ? { ...problem.data, requestId: '' } : body };
};

const named = (all: readonly Operation[]) => all.map((operation) => [operation.name, operation] as const);
const reads = operations.filter(({ method }) => method === 'GET');
/** What this deployment reads is the same for everybody. */
const ofNobody = ['/api/v1/crypto/assets'];
const itemSchema = z.union([
  z.object({ id: z.string() }),
  z.object({ name: z.string() }).transform(({ name }) => ({ id: name })),
  z.object({ address: z.string() }).transform(({ address }) => ({ id: address })),
]);
const listSchema = z.object({ items: z.array(itemSchema), nextCursor: z.string().nullable() });
/** The accounts of the books have the names of the chart, which are the same for every tenant. */
const namedAlike = ['/api/v1/payments/ledger/accounts'];
const lists = reads
  .filter((operation) => parametersIn(operation, 'query').some(({ name }) => name === 'cursor'))
  .filter(({ path }) => !namedAlike.includes(path));

/** Operations that name in their body what is to be kept apart. */
const inBody = ['values/decrypt', 'scan/file', 'signed-urls'].map((end) => `POST /api/v1/advanced-security/${end}`);

it('has real ids for every operation that takes one', () => {
  const unknown = operations.filter(({ path }) => Object.values(resources[path] ?? {}).includes(nobody));
  expect(unknown.map(({ name }) => name)).toEqual([]);
});

describe('with the ids of one tenant, another', () => {
  it.each(named(reads.filter(({ path }) => !ofNobody.includes(path))))(
    'is told by %s what a tenant that has nothing is told',
    async (_name, operation) => {
      const mine = await told(await send(operation, { key: one(operation, owner) }));
      const [theirs, ...same] = await Promise.all(
        allThatMay(operation, newcomer).map(async (key) => told(await send(operation, { key }))),
      );
      expect(mine.status).toBe(200);
      expect(theirs).not.toEqual(mine);
      expect(same.every((answer) => answer.status === theirs?.status)).toBe(true);
      expect(JSON.stringify([theirs, ...same])).not.toContain('acme');
      if (!operation.path.includes('{')) return;
      const ids = Object.fromEntries(
        parametersIn(operation, 'path').map(({ name, schema }) => {
          const own = resources[operation.path]?.[name] ?? '';
          return [name, schema.format === 'date' ? own : `${own.slice(0, -3)}000`];
        }),
      );
      const nothing = await told(
        await request(operation.app, pathWith(operation.path, ids), { key: one(operation, newcomer) }),
      );
      expect(theirs).toEqual(nothing);
      expect(theirs?.status === 404 || operation.path.includes('{day}')).toBe(true);
    },
  );

  it.each(named(operations))('changes and learns nothing of theirs by %s', async (_name, operation) => {
    const before = await ofAcme();
    expect(before.length).toBeGreaterThan(0);
    // Anew: some operations end the session that they are called in.
    const rival = await credentials('rival');
    for (const key of allThatMay(operation, rival)) {
      for (const [i, headers] of [{}, { 'omni-tenant': 'acme' }, { 'x-tenant': 'acme' }].entries()) {
        const { status, body } = await told(await send(operation, { key, headers }));
        if (i === 0) expect(status).not.toBe(401);
        const sent = JSON.stringify(requests[operation.name]?.body ?? null);
        // What was sent may come back; nothing else names them.
        if (status < 300 && !sent.includes('acme')) expect(JSON.stringify(body)).not.toMatch(/\bacme\b(?!\.example)/);
      }
    }
    await runtime.bus.idle();
    expect(await ofAcme()).toEqual(before);
  });

  it.each(named(operations.filter(({ name }) => inBody.includes(name))))(
    'gets nothing of theirs that it names in the body by %s',
    async (_name, operation) => {
      for (const key of allThatMay(operation, await credentials('rival'))) {
        expect((await send(operation, { key })).status).toBeGreaterThanOrEqual(400);
      }
      expect((await send(operation, { key: owner.key })).status).toBeLessThan(300);
    },
  );

  it.each(named(operations.filter(({ method }) => method === 'POST')))(
    'repeats nothing of theirs by their idempotency key at %s',
    async (_name, operation) => {
      const headers = { 'idempotency-key': 'the-same' };
      // Some operations end the session that they are called in.
      const mine = await credentials('acme');
      const first = await send(operation, { key: one(operation, mine), headers });
      if (billingOnce.includes(operation.path)) expect(first.status).toBeLessThan(300);
      const theirs = await credentials('rival');
      const response = await send(operation, { key: one(operation, theirs), headers });
      expect(response.headers.get('idempotency-replayed')).toBeNull();
    },
  );
});

describe('a cursor of one tenant', () => {
  it.each(named(lists))('shows another only their own at %s', async (_name, operation) => {
    // Anew: some operations have ended the sessions of those above.
    const [mine, theirs, nobodys] = [
      await credentials('acme'),
      await credentials('rival'),
      await credentials('newcomer'),
    ];
    const page = async (who: Credentials, search: string) =>
      listSchema.parse(await (await send(operation, { key: one(operation, who) }, search)).json());
    const first = await page(mine, '?limit=1');
    const everythingOfAcme = new Set((await page(mine, '?limit=200')).items.map(({ id }) => id));
    const rest = await page(theirs, `?cursor=${first.nextCursor}`);
    expect(first.nextCursor).not.toBeNull();
    expect(everythingOfAcme.size).toBeGreaterThan(1);
    expect(rest.items.filter(({ id }) => everythingOfAcme.has(id))).toEqual([]);
    const others = await page(nobodys, `?cursor=${first.nextCursor}`);
    expect(others.items.filter(({ id }) => everythingOfAcme.has(id))).toEqual([]);
  });
});

/** One particular person's, whom the last test's owner is not; or what can be done once, and was. */
const ofSomebody = ['auth/passkeys/{id}', 'auth/sessions/{id}', 'mfa/factors/{id}', 'mfa/trusted-devices/{id}']
  .concat(['mfa/resets/{id}/cancel', 'stripe/payment-intents/{id}/capture', 'stripe/payment-intents/{id}/cancel'])
  .concat([
    'auth/api-keys/{id}/rotate',
    'stripe/subscriptions/{id}/cancel',
    'crypto/payments/{id}/cancel',
    'crypto/payments/{id}/accept',
  ])
  // Only a transaction on the chain proves these: their own tests make it.
  .concat(['crypto/payments/{id}/returns', 'crypto/payments/{id}/refunds/{refund}/settle'])
  .map((path) => `/api/v1/${path}`)
  .concat(billingOnce);
/** What takes something away comes last. */
const inOrder = [...operations].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));

describe('the requests that prove this', () => {
  it.each(named(inOrder))('mean something: their owner is not refused %s for its form', async (_name, operation) => {
    const mine = await credentials('acme');
    const answer = await send(operation, { key: one(operation, mine) });
    const problem = problemSchema.safeParse(answer.status >= 400 ? await answer.json() : undefined);
    // Where this fails, tests/support/bodies.ts is to be told of a body that the operation takes.
    expect(problem.data?.errors ?? []).toEqual([]);
    if (!operation.path.includes('{') || ofSomebody.includes(operation.path)) return;
    expect(answer.status).toBeLessThan(300);
  });
});
