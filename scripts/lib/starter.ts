import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { dirname, join } from 'node:path';
import { type Config, loadConfig } from '#shared/config/config.ts';
import { type EmbeddedBus, embeddedBus } from '#shared/events/embedded.ts';
import { mailboxHandler, openMailbox } from '#shared/messaging/index.ts';
import { createRuntime, type Runtime } from '#shared/runtime/runtime.ts';
import { startAcmePay } from './acmepay.ts';
import { demoTenant, firstRequest, makeDemo } from './demo.ts';
import { writeDevFile } from './dev-file.ts';
import { type Emulator, findJava, startFirestore, startPubSub } from './emulators.ts';
import type { FrameworkProcess } from './framework-process.ts';
import { createFront, functionOf, isUnder, proxyTo, type Target } from './front.ts';
import { type FunctionFolder, loadFunctions } from './functions.ts';
import { joinedOpenApi } from './generated.ts';
import { openInProcess } from './in-process.ts';
import { ensureBuilt, startIsolated } from './isolated.ts';
import { takeLock } from './lock.ts';
import { type Manifest, manifestOf } from './manifest.ts';
import { createPages } from './pages.ts';
import { listen } from './ports.ts';
import { startTimers } from './timers.ts';
import { wireEmbedded, wirePubSub } from './wire-bus.ts';

export interface StartOptions {
  /** 0 for a free one. */
  readonly port: number;
  /** Each built function in a process of its own. */
  readonly isolated: boolean;
  readonly devFile: string;
  readonly lockFile: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** One line for whoever watches. */
  readonly say: (line: string) => void;
  /** What functions in other processes print. */
  readonly log: (text: string) => void;
}

type Secrets = Record<'stripe' | 'shopify' | 'acmepay' | 'internal', string>;

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

const newSecrets = (): Secrets => ({
  stripe: `whsec_${hex(24)}`,
  shopify: `shpss_${hex(16)}`,
  acmepay: hex(24),
  internal: hex(24),
});

const listenOn = async (server: Server, port: number): Promise<string> => {
  try {
    return `http://127.0.0.1:${await listen(server, port)}`;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw new Error(`Port ${port} is taken. Choose another: npm start -- --port ${port + 1} (0 takes a free one).`);
  }
};

/** Milliseconds that requests under way have left. */
const patience = 2_000;

/** Does nothing to a server that is closed. */
const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    const giveUp = setTimeout(() => server.closeAllConnections(), patience);
    server.close(() => {
      clearTimeout(giveUp);
      resolve();
    });
    server.closeIdleConnections();
  });

/** Runs a step, and says what it was and how long it took. */
const timed = async <T>(say: StartOptions['say'], what: string, step: () => Promise<T>): Promise<T> => {
  const started = performance.now();
  const result = await step();
  say(`${what.padEnd(44)} ${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s`);
  return result;
};

interface Emulators {
  readonly firestore: Emulator | undefined;
  readonly pubSub: Emulator | undefined;
}

const standIn = 'The embedded one stands in, and what it holds is lost at the end.';

/** Both emulators, or what can be had of them. */
const startEmulators = async (options: StartOptions, stack: AsyncDisposableStack): Promise<Emulators> => {
  const { isolated, say, environment } = options;
  const begin = async (start: () => Promise<Emulator>): Promise<Emulator | undefined> => {
    try {
      return stack.adopt(await start(), (emulator) => emulator.stop());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (isolated) throw new Error(`${reason} Functions in processes of their own can't do without it.`);
      say(`${reason} ${standIn}`);
      return undefined;
    }
  };
  const given = environment.FIRESTORE_EMULATOR_HOST !== undefined || environment.PUBSUB_EMULATOR_HOST !== undefined;
  if (!isolated && !given && (await findJava()) === undefined) {
    say(`There is no Java for the emulators (21 is best): a store and a bus inside this process stand in for them.`);
    return { firestore: undefined, pubSub: undefined };
  }
  const [firestore, pubSub] = await timed(say, 'Emulators run', () =>
    Promise.all([begin(startFirestore), begin(startPubSub)]),
  );
  return { firestore, pubSub };
};

/** The environment of every function, without secrets that not all of them are to have. */
const commonEnvironment = (
  { environment, devFile }: StartOptions,
  { firestore, pubSub }: Emulators,
  { internal }: Secrets,
): Record<string, string> => {
  // On an emulator that was there before, an earlier run's subscriptions push to where nobody listens.
  const borrowed = environment.FIRESTORE_EMULATOR_HOST !== undefined || environment.PUBSUB_EMULATOR_HOST !== undefined;
  return {
    GOOGLE_CLOUD_PROJECT: environment.GOOGLE_CLOUD_PROJECT ?? (borrowed ? `omni-${hex(4)}` : 'omni-local'),
    OMNI_STORE: firestore === undefined ? 'embedded' : 'firestore',
    OMNI_BUS: pubSub === undefined ? 'embedded' : 'pubsub',
    OMNI_INTERNAL_SECRET: internal,
    OMNI_MAIL: 'local',
    OMNI_MAILBOX_DIRECTORY: join(dirname(devFile), 'mailbox'),
    // Google's libraries would otherwise ask whether this is a machine in Google Cloud.
    METADATA_SERVER_DETECTION: 'none',
    ...(firestore === undefined ? {} : { FIRESTORE_EMULATOR_HOST: firestore.host }),
    ...(pubSub === undefined ? {} : { PUBSUB_EMULATOR_HOST: pubSub.host }),
    ...Object.fromEntries(
      ['LOG_LEVEL', 'REDIS_URL', 'STRIPE_API_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_SAMPLER_ARG'].flatMap(
        (name) => {
          const value = environment[name];
          return value === undefined ? [] : [[name, value]];
        },
      ),
    ),
  };
};

/** Those that were made for this run, and those of accounts of one's own at providers. */
const secretsOf = ({ environment }: StartOptions, { stripe, shopify, acmepay }: Secrets): Record<string, string> => {
  const { STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRETS: theirs } = environment;
  return {
    STRIPE_WEBHOOK_SECRETS: theirs === undefined ? stripe : `${stripe},${theirs}`,
    SHOPIFY_WEBHOOK_SECRETS: shopify,
    ACMEPAY_WEBHOOK_SECRETS: acmepay,
    ...(key === undefined ? {} : { STRIPE_SECRET_KEY: key }),
  };
};

interface Opened {
  readonly targets: ReadonlyMap<string, Target>;
  readonly pids: readonly number[];
}

const openIsolated = async (
  options: StartOptions,
  manifest: Manifest,
  common: Record<string, string>,
  secrets: Record<string, string>,
  stack: AsyncDisposableStack,
): Promise<Opened> => {
  const processes = await startIsolated(manifest, common, secrets, options.log);
  const all: readonly FrameworkProcess[] = [...processes.values()];
  stack.defer(async () => {
    await Promise.all(all.map((process) => process.stop()));
  });
  return {
    targets: new Map([...processes].map(([name, { port }]) => [name, proxyTo(port)])),
    pids: all.map(({ pid }) => pid),
  };
};

/** The bus with a subscription per job, and the timers that publish on it. */
const wire = async (
  { say }: StartOptions,
  { functions }: Manifest,
  {
    config,
    baseUrl,
    bus,
  }: { readonly config: Config; readonly baseUrl: string; readonly bus: EmbeddedBus | undefined },
  stack: AsyncDisposableStack,
): Promise<void> => {
  const wiring = {
    jobs: functions.flatMap(({ jobs }) => jobs),
    endpointOf: (job: string) => `${baseUrl}/internal/jobs/${job}?token=${config.internal.secret ?? ''}`,
  };
  const { projectId, bus: where } = config;
  const wired =
    bus === undefined
      ? await wirePubSub(wiring, { projectId, topic: where.topic, host: where.emulatorHost ?? '' })
      : wireEmbedded(wiring, bus);
  stack.defer(() => wired.close());
  const timers = startTimers(
    functions.flatMap(({ schedules }) => schedules),
    (schedule) => wired.publishTick(schedule),
    (error) => say(`A timer could not publish: ${error instanceof Error ? error.message : String(error)}`),
  );
  stack.defer(() => timers.stop());
};

const welcome = (baseUrl: string, apiKey: string, devFile: string): string => `
Omni is at ${baseUrl}   API reference: ${baseUrl}/docs   Mail: ${baseUrl}/mailbox   Ctrl-C ends it

A first request, as the tenant ${demoTenant}:

${firstRequest(baseUrl, apiKey)}

For tools: ${devFile}
`;

/** Everything up to the point where the first request can be sent. What has to be undone is put on the stack. */
const bringUp = async (options: StartOptions, stack: AsyncDisposableStack): Promise<void> => {
  const { say, isolated, devFile } = options;
  const lock = await takeLock(options.lockFile);
  stack.defer(() => lock.release());
  if (lock.stale !== undefined) say(`Process ${lock.stale} ended without taking its lock away; it is ours now.`);
  const front = createFront();
  const baseUrl = await listenOn(front.server, options.port);
  stack.defer(() => closeServer(front.server));

  const functions: readonly FunctionFolder[] = await loadFunctions();
  const manifest = manifestOf(functions.map(({ definition }) => definition));
  if (isolated) await timed(say, 'Functions are built', () => ensureBuilt(manifest));
  const emulators = await startEmulators(options, stack);

  const secrets = newSecrets();
  const acmepay = await startAcmePay(`${baseUrl}/webhooks/acmepay`, secrets.acmepay);
  stack.defer(() => acmepay.stop());
  const common = { ...commonEnvironment(options, emulators, secrets), ACMEPAY_URL: acmepay.baseUrl };
  const webhookSecrets = secretsOf(options, secrets);
  const config = loadConfig({ ...common, ...webhookSecrets });
  const bus = emulators.pubSub === undefined ? embeddedBus() : undefined;
  const runtime: Runtime = await createRuntime('dev', config, bus === undefined ? {} : { bus });
  stack.defer(() => runtime.close());

  const { targets, pids } = await timed(say, `${functions.length} functions listen`, async () =>
    isolated
      ? openIsolated(options, manifest, common, webhookSecrets, stack)
      : { targets: openInProcess(functions, runtime), pids: [] },
  );
  const openApi = async () => `${JSON.stringify(await joinedOpenApi(functions), null, 2)}\n`;
  const request = firstRequest(baseUrl, '<the key that npm start printed>');
  const pages = createPages({ manifest, request, openApi });
  const nowhere: Target = (_request, response) => response.writeHead(404).end();
  const mailbox = mailboxHandler({ mailbox: openMailbox(config.mail.mailbox), path: '/mailbox' });
  const pageAt = (path: string): Target | undefined => (isUnder(path, '/mailbox') ? mailbox : pages.get(path));
  front.open((path) => pageAt(path) ?? targets.get(functionOf(manifest, path)) ?? nowhere);

  // Before what serves the requests is ended.
  stack.defer(() => closeServer(front.server));
  await timed(say, 'Jobs and timers are wired', () => wire(options, manifest, { config, baseUrl, bus }, stack));
  const { apiKey } = await timed(say, 'The demo tenant has a key', () => makeDemo(runtime));
  stack.defer(() => rm(devFile, { force: true }));
  await writeDevFile(devFile, {
    baseUrl,
    tenant: demoTenant,
    apiKey,
    webhookSecrets: { stripe: secrets.stripe, shopify: secrets.shopify },
    acmePay: { url: acmepay.baseUrl, adminToken: acmepay.adminToken },
    internalToken: secrets.internal,
    projectId: config.projectId,
    topic: config.bus.topic,
    emulators: { firestore: emulators.firestore?.host ?? null, pubSub: emulators.pubSub?.host ?? null },
    pids: [...pids],
  });
  say(welcome(baseUrl, apiKey, devFile));
};

/** Starts everything; the stack ends it again, in reverse. When a step fails, what was started before it is ended. */
export const startOmni = async (options: StartOptions): Promise<AsyncDisposableStack> => {
  await using stack = new AsyncDisposableStack();
  await bringUp(options, stack);
  return stack.move();
};
