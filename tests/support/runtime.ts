import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, inject } from 'vitest';
import { loadConfig } from '#shared/config/config.ts';
import { type EmbeddedBus, embeddedBus } from '#shared/events/embedded.ts';
import type { App } from '#shared/http/app.ts';
import { type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import type { FunctionDefinition } from '#shared/runtime/function.ts';
import { functionApp } from '#shared/runtime/function-app.ts';
import { createRuntime, type Runtime, type RuntimeParts } from '#shared/runtime/runtime.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDatabase } from '#shared/store/embedded.ts';
import { firestoreDatabase } from '#shared/store/firestore.ts';
import type { Database } from '#shared/store/store.ts';
import { type LogLine, memoryLogger } from '#shared/telemetry/index.ts';
import { newProjectId } from './firestore.ts';

export interface TestRuntime extends Runtime {
  /** Stands still until it is told to move. */
  readonly clock: ManualClock;
  /** `await bus.idle()`: every event has reached its jobs. */
  readonly bus: EmbeddedBus;
  /** What was logged. */
  readonly lines: readonly LogLine[];
  /** The text of a new key. Its tenant is made where it is new. */
  key(tenant: string, scopes: readonly string[]): Promise<string>;
  /** A function's app, with its jobs subscribed to the bus. */
  start<S>(definition: FunctionDefinition<S>, createServices: (runtime: Runtime) => S): App;
}

export interface TestRuntimeOptions {
  /** `embedded` where absent; `firestore` is a project of its own on the emulator. */
  readonly database?: 'embedded' | 'firestore';
  /** In the place of `database`, where a test wants to see what is stored: `dumping(embeddedDriver())`. */
  readonly driver?: Driver;
  /** Environment variables, such as secrets. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Proves a test's request to be one of our own services: `/internal/jobs/ai.update-rollup?token=…`. */
export const internalToken = 'the-internal-secret-of-tests';

/** So high that no test meets it by accident. */
const requestsPerMinute = 1_000_000;

const openDatabase = (kind: 'embedded' | 'firestore', options: Parameters<typeof embeddedDatabase>[0]): Database =>
  kind === 'embedded'
    ? embeddedDatabase(options)
    : firestoreDatabase({ ...options, projectId: newProjectId(), emulatorHost: inject('firestoreHost') });

/** What functions stand on, for one test file: call it at the top of the file, where it is closed after the last test. */
export const testRuntime = async ({
  database = 'embedded',
  driver,
  environment = {},
}: TestRuntimeOptions = {}): Promise<TestRuntime> => {
  const clock = manualClock();
  const bus = embeddedBus({ minBackoff: 1, maxBackoff: 20 });
  const logger = { ...memoryLogger(), attachCloudTransport: async () => {} };
  const parts: RuntimeParts = {
    clock,
    bus,
    logger,
    database: (hooks) => {
      const options = { ...hooks, now: clock.now };
      return driver === undefined ? openDatabase(database, options) : databaseOn(driver, options);
    },
  };
  const folder = await mkdtemp(join(tmpdir(), 'omni-test-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const config = loadConfig({
    OMNI_INTERNAL_SECRET: internalToken,
    OMNI_BLOB_DIRECTORY: folder,
    OMNI_KEY_FILE: join(folder, 'keys.json'),
    OMNI_MAILBOX_DIRECTORY: join(folder, 'mailbox'),
    // Nobody listens there: no test asks the world's DNS.
    OMNI_DNS_SERVERS: '127.0.0.1:1',
    ...environment,
  });
  const runtime = await createRuntime('test', config, parts);
  afterAll(() => runtime.close());
  return {
    ...runtime,
    clock,
    bus,
    lines: logger.lines,
    key: async (tenant, scopes) => {
      await runtime.tenants.ensure(tenant, { name: tenant, settings: { requestsPerMinute } });
      return (await runtime.apiKeys.issue({ tenant, name: 'test', scopes, requestsPerMinute })).text;
    },
    start: (definition, createServices) => {
      const app = functionApp(definition, runtime, createServices(runtime));
      for (const { name } of definition.jobs) {
        const path = `/internal/jobs/${name}?token=${internalToken}`;
        bus.subscribe(name, async (body) => (await request(app, path, { body })).status);
      }
      return app;
    },
  };
};

export interface TestRequest {
  /** An API key's text. */
  readonly key?: string;
  /** GET where there is no body, else POST. */
  readonly method?: string;
  /** Sent as JSON; a string or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Bytes come in pieces, as they do over a network, and what is not read of them costs nothing. */
const piecesOf = function* (bytes: Uint8Array, size = 1_000_000): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
};

const streamOf = (pieces: Generator<Uint8Array>): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull: (controller) => {
      const { value, done } = pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });

const bodyOf = (body: unknown): RequestInit & { readonly duplex?: 'half' } => {
  if (body === undefined) return {};
  if (body instanceof Uint8Array) return { body: streamOf(piecesOf(body)), duplex: 'half' };
  return { body: typeof body === 'string' ? body : JSON.stringify(body) };
};

/** One request to an app, without a network. */
export const request = async (
  app: App,
  path: string,
  { key, method, body, headers }: TestRequest = {},
): Promise<Response> =>
  app.request(path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    ...bodyOf(body),
  });
