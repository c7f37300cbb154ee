import { createPublicKey } from 'node:crypto';
import { jwtVerify } from 'jose';
import { ai } from '#functions/ai/app.ts';
import { createServices } from '#functions/ai/services.ts';
import { loadConfig } from '#shared/config/config.ts';
import { functionApp } from '#shared/runtime/function-app.ts';
import { createRuntime, type Runtime } from '#shared/runtime/runtime.ts';
import { createSessions, securityPolicySchema, sessionCollection, tokenIssuer } from '#shared/security/index.ts';
import { databaseOn } from '#shared/store/database.ts';
import { firestoreDriver } from '#shared/store/firestore.ts';
import { counting } from '#tests/support/counting.ts';
import { timeOf } from './client.ts';
import { type Ground, tenant, userServiceOf } from './ground.ts';
import { interleaved, type Row } from './measure.ts';
import type { HotPath } from './report.ts';

const runs = 15;
const verifications = 3_000;
const requests = 1_000;

/** What a function runs on, over a driver that counts what is read. */
const openRuntime = async (environment: Ground['environment']) => {
  const config = loadConfig(environment);
  const { projectId, store } = config;
  const driver = counting(firestoreDriver({ projectId, emulatorHost: store.emulatorHost }));
  return { driver, runtime: await createRuntime('bench', config, { database: (hooks) => databaseOn(driver, hooks) }) };
};

/** The access token of somebody who has just signed in. */
const signedIn = async (runtime: Runtime): Promise<string> => {
  const { config, database, signingKeys } = runtime;
  const { users, accounts } = userServiceOf(runtime);
  const email = 'token@bench.example';
  await accounts.create(tenant, { email, emailVerified: true, roles: ['member'] });
  const user = await accounts.findByEmail(tenant, email);
  if (user === undefined) throw new Error('The user was not stored.');
  const sessions = createSessions({
    ...runtime,
    users,
    sessions: database.tenants(sessionCollection),
    policy: { of: async () => securityPolicySchema.parse({}) },
    issue: tokenIssuer({ ...runtime, ...config.tokens, current: signingKeys.current }),
  });
  return (await sessions.open(tenant, user, { methods: ['pwd'], device: {} })).accessToken;
};

/** Verification as every function does it, and what a whole request with a known token asks of the store. */
export const tokenVerification = async ({ environment }: Ground): Promise<{ row: Row; hotPath: HotPath }> => {
  const { driver, runtime } = await openRuntime(environment);
  const token = await signedIn(runtime);
  const { authenticate } = runtime.http;
  const { key } = await runtime.signingKeys.current();
  const publicKey = createPublicKey(key);
  const perSecond = async (verify: () => unknown): Promise<number> => {
    const milliseconds = await timeOf(verifications, 1, async () => {
      if ((await verify()) === undefined) throw new Error('A good token was refused.');
    });
    return (verifications * 1_000) / milliseconds;
  };
  const pair = await interleaved(
    runs,
    () => perSecond(() => authenticate(token)),
    () => perSecond(() => jwtVerify(token, publicKey)),
  );

  const app = functionApp(ai, runtime, createServices(runtime));
  const ask = async (): Promise<void> => {
    const { status } = await app.request('/healthz', { headers: { authorization: `Bearer ${token}` } });
    if (status !== 200) throw new Error(`Expected 200, got ${status}.`);
  };
  await ask();
  driver.taken();
  for (let i = 0; i < requests; i += 1) await ask();
  const { rateWindows: leases = 0, ...others } = driver.taken();
  const reads = Object.values(others).reduce((sum, count) => sum + count, 0);
  await runtime.close();
  return {
    hotPath: { requests, reads, leases },
    row: {
      name: 'Token verification',
      unit: '/s',
      ...pair,
      ratio: pair.ours / pair.baseline,
      bar: { atLeast: 0.9 },
      how:
        `Median of ${runs} runs of ${verifications} verifications, one after the other. Ours: what every function ` +
        'does with an access token: signature, type, issuer, audience and times are checked every time, its shape when ' +
        'the instance sees it first, and whether its session lives is looked up in what the instance read in the last ' +
        '30 s. Baseline: `jwtVerify` of jose with the same token and key, which checks the signature and the end.',
      bound: 'type, issuer, audience, age and session are looked at besides the signature.',
    },
  };
};
