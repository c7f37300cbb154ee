import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadConfig } from '#shared/config/config.ts';
import { createRuntime } from '#shared/runtime/runtime.ts';
import { argon2Parameters } from '#shared/security/index.ts';
import { expectStatus, keepAlive, send, timeOf } from './client.ts';
import { besides, measured } from './cores.ts';
import { builtFunction, type Ground, scratch, tenant, userServiceOf, withFunction } from './ground.ts';
import { interleaved, type Pair, type Row } from './measure.ts';

const runs = 7;
const concurrency = 16;
const attempts = 96;
const warmUp = 1_000;
const people = 32;
const password = 'quiet-otter-borrows-lamps';

const addressOf = (index: number): string => `person-${index % people}@bench.example`;

const makePeople = async (environment: Ground['environment'], passwordHash: string): Promise<void> => {
  const runtime = await createRuntime('bench', loadConfig(environment));
  const { users: userStore, accounts: users } = userServiceOf(runtime);
  for (let i = 0; i < people; i += 1) {
    const email = addressOf(i);
    await users.create(tenant, { email, emailVerified: true, roles: ['member'] });
    const made = await users.findByEmail(tenant, email);
    if (made === undefined) throw new Error('The user was not stored.');
    await userStore.of(tenant).update(made.id, { ...made.value, passwordHash }, { revision: made.revision });
  }
  await runtime.close();
};

/** Prints how many verifications a second it did. */
const verificationCode = `
import { verify } from '@node-rs/argon2';
const [hash, password, count, concurrency] = process.argv.slice(2);
const run = async (calls) => {
  let left = calls;
  const started = performance.now();
  await Promise.all(Array.from({ length: Number(concurrency) }, async () => {
    while (left > 0) {
      left -= 1;
      if (!(await verify(hash, password))) throw new Error('The password does not fit.');
    }
  }));
  return performance.now() - started;
};
await run(Number(concurrency));
console.log((Number(count) * 1000) / await run(Number(count)));
`;

const [pin, ...pinArguments] = measured;

const verifications = async (script: string, hash: string): Promise<number> => {
  const calls = [hash, password, String(attempts), String(concurrency)];
  const { stdout } = await promisify(execFile)(pin, [...pinArguments, process.execPath, script, ...calls]);
  return Number(stdout);
};

const measure = async ({ environment }: Ground): Promise<Pair> => {
  const { default: argon2 } = await import('@node-rs/argon2');
  const hash = await argon2.hash(password, argon2Parameters);
  await makePeople(environment, hash);
  const script = join(scratch, 'verifications.mjs');
  await writeFile(script, verificationCode);
  const agent = keepAlive(concurrency);
  const folder = { ...builtFunction('security'), under: measured };
  const pair = await withFunction(folder, environment, async (url) => {
    const signIn = async (index: number): Promise<void> => {
      const body = JSON.stringify({ tenant, email: addressOf(index), password });
      const headers = { 'content-type': 'application/json' };
      const answer = await send(agent, `${url}/api/v1/auth/sign-in`, { method: 'POST', headers, body });
      expectStatus(answer, 200);
      if (!answer.text.includes('"complete"')) throw new Error(`Nobody was signed in: ${answer.text}`);
    };
    await timeOf(warmUp, concurrency, signIn);
    return interleaved(
      runs,
      async () => (attempts * 1_000) / (await timeOf(attempts, concurrency, signIn)),
      () => verifications(script, hash),
    );
  });
  agent.destroy();
  return pair;
};

export const passwordSignIns = async (ground: Ground): Promise<Row> => {
  const pair = await besides(ground.emulators, () => measure(ground));
  return {
    name: 'Password sign-ins',
    unit: '/s',
    ...pair,
    ratio: pair.ours / pair.baseline,
    bar: { atLeast: 0.8 },
    how:
      `Median of ${runs} runs of ${attempts} sign-ins of ${people} people, ${concurrency} at a time, after ${warmUp} to ` +
      'warm up. Ours: the built `security` function, from the request with address and password to the answer with ' +
      'both tokens: tenant, guard and account are read, the attempt is taken, the password is verified, the session and ' +
      'its event are stored, the event is published, the access token is signed. Baseline: a process that calls `verify` of ' +
      '@node-rs/argon2 (m=19456, t=2, p=1) as often, and does nothing else. Each has the same one core for itself; ' +
      'the client and the emulators, which in the cloud are other machines, are kept off it.',
    bound:
      'a sign-in is one verification, two reads, three commits and a publish. What the clients of Firestore and ' +
      'Pub/Sub take for these calls, gRPC above all, is most of the difference.',
  };
};
