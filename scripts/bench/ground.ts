import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Firestore } from '@google-cloud/firestore';
import { v1 } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';
import { loadConfig } from '#shared/config/config.ts';
import { createRuntime, type Runtime } from '#shared/runtime/runtime.ts';
import { createOwnerGuard, createUserService, ownerGateCollection, userCollection } from '#shared/security/index.ts';
import { bundleFunction } from '../lib/bundle.ts';
import { fillCompileCache } from '../lib/compile-cache.ts';
import { startFirestore, startPubSub } from '../lib/emulators.ts';
import { type FrameworkProcess, startFramework } from '../lib/framework-process.ts';
import { root } from '../lib/functions.ts';
import { expectStatus, firstAnswer, type HttpRequest } from './client.ts';

/** What all rows stand on: the emulators, the built functions, and a tenant that has a key and a prediction. */
export interface Ground {
  /** What the built functions and the baselines have in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly key: string;
  /** Path of the stored prediction. */
  readonly prediction: string;
  /** A churn question, as JSON. */
  readonly question: string;
  /** The processes of the emulators that the bench has started. */
  readonly emulators: readonly number[];
  readonly firestore: Firestore;
  readonly pubSub: { readonly publisher: v1.PublisherClient; readonly subscriber: v1.SubscriberClient };
  close(): Promise<void>;
}

export const tenant = 'bench';
export const internalSecret = 'the-internal-secret-of-the-bench';
export const stripeSecret = 'whsec_the-secret-of-the-bench';

/** What the bench writes for itself. Inside the repository, so that modules resolve, and ignored by git. */
export const scratch = join(root, '.omni', 'bench');

export const builtFunction = (name: 'ai' | 'security' | 'webhooks'): FunctionFolder => ({
  name,
  directory: join(scratch, 'dist', name),
});

/** So high that no row meets it. */
const requestsPerMinute = 1_000_000;

export const churn = '/api/v1/ai-intelligence/churn-prediction';
const question = JSON.stringify({
  customerId: 'cus-4711',
  customer: { tenure: 2, monthlyCharges: 84.5, contract: 'Month-to-month', internetService: 'Fiber optic' },
});

export interface FunctionFolder {
  readonly name: string;
  readonly directory: string;
  readonly under?: readonly string[];
}

/** The function's processes end with the row that started them, whatever happens in it. */
export const withFunction = async <R>(
  folder: FunctionFolder,
  environment: Readonly<Record<string, string>>,
  work: (url: string, process: FrameworkProcess) => Promise<R>,
): Promise<R> => {
  const process = await startFramework({ ...folder, env: environment });
  try {
    await process.listening();
    return await work(`http://127.0.0.1:${process.port}`, process);
  } finally {
    await process.stop();
  }
};

/** Writes a function as people would write it without Omni. It is to register itself as `baseline`. */
export const writeBaseline = async (name: string, code: string): Promise<FunctionFolder> => {
  const folder = join(scratch, name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true, main: 'index.js' }));
  await writeFile(join(folder, 'index.js'), code);
  return { name: 'baseline', directory: folder };
};

/** As `npm run build` does it, but in a folder of the bench: what is measured is always what the sources say. */
const buildFunctions = async (): Promise<void> => {
  for (const { name, directory } of [builtFunction('ai'), builtFunction('security'), builtFunction('webhooks')]) {
    await bundleFunction(name, directory);
    await fillCompileCache(name, directory);
  }
};

const issueKey = async (environment: Ground['environment']): Promise<string> => {
  const runtime = await createRuntime('bench', loadConfig(environment));
  await runtime.tenants.ensure(tenant, { name: 'Bench', settings: { requestsPerMinute } });
  const { text } = await runtime.apiKeys.issue({ tenant, name: 'bench', scopes: ['ai:*'], requestsPerMinute });
  await runtime.close();
  return text;
};

export const bearer = (key: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${key}` });

export const postQuestion = (key: string): HttpRequest => ({
  method: 'POST',
  headers: { ...bearer(key), 'content-type': 'application/json' },
  body: question,
});

const makePrediction = (environment: Ground['environment'], key: string): Promise<string> =>
  withFunction(builtFunction('ai'), environment, async (url) => {
    const answer = await firstAnswer(`${url}${churn}`, postQuestion(key));
    expectStatus(answer, 201);
    const made: unknown = JSON.parse(answer.text);
    if (typeof made !== 'object' || made === null || !('id' in made)) throw new Error('The prediction has no id.');
    return `${churn}/${made.id}`;
  });

/** The emulators want no credentials, but without any the SDKs look for those of a machine in Google Cloud. */
const noAuth = () => new GoogleAuth({ authClient: new PassThroughClient() });

const pubSubOf = (projectId: string, emulator: string): Ground['pubSub'] => {
  const [servicePath = '', port] = emulator.split(':');
  const options = {
    projectId,
    servicePath,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    auth: noAuth(),
  };
  return { publisher: new v1.PublisherClient(options), subscriber: new v1.SubscriberClient(options) };
};

export const openGround = async (): Promise<Ground> => {
  await buildFunctions();
  const [firestoreEmulator, pubSubEmulator] = await Promise.all([startFirestore(), startPubSub()]);
  const projectId = `bench-${randomBytes(4).toString('hex')}`;
  const environment = {
    GOOGLE_CLOUD_PROJECT: projectId,
    FIRESTORE_EMULATOR_HOST: firestoreEmulator.host,
    PUBSUB_EMULATOR_HOST: pubSubEmulator.host,
    METADATA_SERVER_DETECTION: 'none',
    LOG_LEVEL: 'warn',
    OMNI_INTERNAL_SECRET: internalSecret,
    OMNI_KEY_FILE: join(scratch, 'keys.json'),
    STRIPE_WEBHOOK_SECRETS: stripeSecret,
  };
  const firestore = new Firestore({ projectId, host: firestoreEmulator.host, ssl: false, auth: noAuth() });
  const pubSub = pubSubOf(projectId, pubSubEmulator.host);
  await pubSub.publisher.createTopic({ name: `projects/${projectId}/topics/events` });
  const key = await issueKey(environment);
  return {
    environment,
    key,
    prediction: await makePrediction(environment, key),
    question,
    emulators: [firestoreEmulator, pubSubEmulator].flatMap(({ pid }) => pid ?? []),
    firestore,
    pubSub,
    close: async () => {
      await Promise.all([firestore.terminate(), pubSub.publisher.close(), pubSub.subscriber.close()]);
      await Promise.all([firestoreEmulator.stop(), pubSubEmulator.stop()]);
    },
  };
};

/** People's accounts, as functions make them. */
export const userServiceOf = (runtime: Runtime) => {
  const users = runtime.database.tenants(userCollection);
  const guard = createOwnerGuard({ gates: runtime.database.tenants(ownerGateCollection), users });
  return { users, accounts: createUserService({ ...runtime, users, guard }) };
};
