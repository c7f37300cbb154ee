import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { problemSchema, problems } from '#shared/http/problem.ts';
import { within } from '#shared/kernel/within.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { accessToken } from '#tests/support/auth.ts';
import { marker } from '#tests/support/bad-json.ts';
import { type BadRequest, badRequests } from '#tests/support/bad-requests.ts';
import { dumping } from '#tests/support/dump.ts';
import { type Operation, pathWith, startOperations } from '#tests/support/operations.ts';
import { outsideEnvironment } from '#tests/support/outside.ts';
import { makeResources } from '#tests/support/resources.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { signers, webhookEnvironment } from '#tests/support/signatures.ts';

/** Change it to search elsewhere; a failure prints it with the path to its counterexample. */
const seed = 20_260_101;
const requestsEach = 200;
/** Seconds. */
const patience = 5;

const driver = dumping(embeddedDriver());
const runtime = await testRuntime({ driver, environment: { ...webhookEnvironment, ...(await outsideEnvironment()) } });
const operations = await startOperations(runtime);
const resources = await makeResources(runtime, operations, 'acme');
const [key, token] = [await runtime.key('acme', ['*']), await accessToken(runtime, 'acme')];
// Its first use is noted, and is none of the trace that is looked for.
await runtime.apiKeys.authenticate(key);
const now = runtime.clock.now() / 1000;

const isCode = (code: string): code is keyof typeof problems => code in problems;

const expectRefusal = async ({ app, scopes, person, codes }: Operation, bad: BadRequest): Promise<void> => {
  const credential = scopes === undefined ? {} : { key: person ? token : key };
  const response = await within(patience, async () => request(app, bad.path, { ...credential, ...bad.request }));
  const text = await response.text();
  expect(response.headers.get('content-type'), text.slice(0, 500)).toBe('application/problem+json');
  const { status, code } = problemSchema.parse(JSON.parse(text));
  expect([...codes, ...(bad.beside ?? [])]).toContain(code);
  expect([response.status, isCode(code) && problems[code].status]).toEqual([status, status]);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(text).not.toContain(marker);
  expect(text.length).toBeLessThan(50_000);
  expect(JSON.stringify([...response.headers])).not.toContain(marker);
};

describe(`${requestsEach} bad requests of seed ${seed}`, () => {
  it.each(operations.map((operation) => [operation.name, operation] as const))(
    'are all refused by %s, and leave no trace',
    async (_name, operation) => {
      const before = await driver.dump();
      const bad = badRequests(operation, { ids: resources[operation.path] ?? {}, now });
      await fc.assert(
        fc.asyncProperty(bad, (one) => expectRefusal(operation, one)),
        { seed, numRuns: requestsEach, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: true },
      );
      await runtime.bus.idle();
      expect(await driver.dump()).toEqual(before);
      expect(runtime.lines.filter(({ level }) => level === 'error')).toEqual([]);
      expect(JSON.stringify(runtime.lines)).not.toContain(marker);
    },
  );
});

describe('a webhook that comes again', () => {
  const webhooks = operations.filter(({ body }) => body === 'raw');

  it.each(webhooks.map((operation) => [operation.name, operation] as const))(
    'changes nothing at %s',
    async (_name, { app, path }) => {
      const signer = signers[path];
      const body = signer?.body('again') ?? '';
      const target = pathWith(path, resources[path] ?? {});
      const deliver = () => request(app, target, { body, headers: signer?.headers(body, now) ?? {} });
      expect((await deliver()).status).toBe(200);
      await runtime.bus.idle();
      const before = await driver.dump();
      expect(await (await deliver()).json()).toEqual({ received: 'duplicate' });
      await runtime.bus.idle();
      expect(await driver.dump()).toEqual(before);
    },
  );
});
