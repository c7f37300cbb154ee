import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { accessToken } from '#tests/support/auth.ts';
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
const credentials = async (tenant: string) => {
  const [key, token] = [await runtime.key(tenant, ['*']), await accessToken(runtime, tenant)];
  return ({ person }: Operation): string => (person ? token : key);
};
const [owner, rival, newcomer] = [await credentials('acme'), await credentials('rival'), await credentials('newcomer')];

const ofAcme = async () => [...(await driver.dump())].filter(([path]) => path.startsWith('tenants/acme/'));

const send = ({ app, method, path, body, schemas }: Operation, change: TestRequest, search = ''): Promise<Response> => {
  const text =
    body === undefined || body === 'raw' ? {} : { body: fc.sample(valid(body, schemas), { numRuns: 1, seed: 1 })[0] };
  return request(app, `${pathWith(path, resources[path] ?? {})}${search}`, { method, ...text, ...change });
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
const itemSchema = z.union([
  z.object({ id: z.string() }),
  z.object({ name: z.string() }).transform(({ name }) => ({ id: name })),
]);
const listSchema = z.object({ items: z.array(itemSchema), nextCursor: z.string().nullable() });
const lists = reads.filter((operation) => parametersIn(operation, 'query').some(({ name }) => name === 'cursor'));

it('has real ids for every operation that takes one', () => {
  const unknown = operations.filter(({ path }) => Object.values(resources[path] ?? {}).includes(nobody));
  expect(unknown.map(({ name }) => name)).toEqual([]);
});

describe('with the ids of one tenant, another', () => {
  it.each(named(reads))('is told by %s what a tenant that has nothing is told', async (_name, operation) => {
    const mine = await told(await send(operation, { key: owner(operation) }));
    const theirs = await told(await send(operation, { key: newcomer(operation) }));
    expect(mine.status).toBe(200);
    expect(theirs).not.toEqual(mine);
    expect(JSON.stringify(theirs)).not.toContain('acme');
    if (!operation.path.includes('{')) return;
    const ids = Object.fromEntries(
      parametersIn(operation, 'path').map(({ name, schema }) => {
        const own = resources[operation.path]?.[name] ?? '';
        return [name, schema.format === 'date' ? own : `${own.slice(0, -3)}000`];
      }),
    );
    const nothing = await told(
      await request(operation.app, pathWith(operation.path, ids), { key: newcomer(operation) }),
    );
    expect(theirs).toEqual(nothing);
    expect(theirs.status === 404 || operation.path.includes('{day}')).toBe(true);
  });

  it.each(named(operations))('changes nothing of theirs by %s', async (_name, operation) => {
    const before = await ofAcme();
    expect(before.length).toBeGreaterThan(0);
    for (const headers of [{}, { 'omni-tenant': 'acme' }, { 'x-tenant': 'acme' }]) {
      await send(operation, { key: rival(operation), headers });
    }
    await runtime.bus.idle();
    expect(await ofAcme()).toEqual(before);
  });

  it.each(named(operations.filter(({ method }) => method === 'POST')))(
    'repeats nothing of theirs by their idempotency key at %s',
    async (_name, operation) => {
      const headers = { 'idempotency-key': 'the-same' };
      // Some operations end the session that they are called in.
      const mine = await credentials('acme');
      await send(operation, { key: mine(operation), headers });
      const response = await send(operation, { key: rival(operation), headers });
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
    const page = async (who: typeof mine, search: string) =>
      listSchema.parse(await (await send(operation, { key: who(operation) }, search)).json());
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
