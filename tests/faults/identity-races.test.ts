import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { ceremonySchema, sessionViewSchema, userCollection } from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from '#tests/support/auth.ts';
import { softwareAuthenticator } from '#tests/support/authenticator.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

/**
 * What is good once, taken by twenty requests at the same time, on Firestore. Crashes are tried beside the services
 * (identity.test.ts, sessions.test.ts), and so is the first signing key, which needs instances of its own
 * (signing-keys.test.ts).
 */
const origin = 'https://app.example.com';
const runtime = await testRuntime({ database: 'firestore' });
const { app, post, tenant, person, tokenTo, services } = authWorld(runtime);
beforeAll(() => tenant('acme', { passkeys: { rpId: 'app.example.com', rpName: 'Example', origins: [origin] } }));

const twenty = Array.from({ length: 20 }, (_, i) => i);
const tally = (all: readonly Response[]) =>
  Object.fromEntries([...Map.groupBy(all, ({ status }) => status)].map(([status, those]) => [status, those.length]));
const atOnce = (call: (nth: number) => Promise<Response>) => Promise.all(twenty.map(call));
const sessionsOf = async (key: string): Promise<number> => {
  const answer = await request(app, `${base}/sessions?limit=100`, { key });
  return pageSchema(sessionViewSchema).parse(await answer.json()).items.length;
};
const usersWith = async (email: string): Promise<number> => {
  const users = runtime.database.tenants(userCollection).of('acme');
  return (await users.query({ where: [{ field: 'email', op: '==', value: email }], limit: 100 })).items.length;
};

describe('of twenty at once', () => {
  it('who sign up with one address, all are answered alike and one account is there', async () => {
    const email = 'sign-up@example.com';
    const answers = await atOnce(() => post('/sign-up', { tenant: 'acme', email, password: goodPassword }));
    expect(tally(answers)).toEqual({ 202: 20 });
    expect(await usersWith(email)).toBe(1);
  });

  it('who open an account by one link, one is signed in, and nobody afterwards', async () => {
    const email = 'verify@example.com';
    await post('/sign-up', { tenant: 'acme', email, password: goodPassword });
    const body = { token: await tokenTo(email), password: goodPassword };
    // Each takes an attempt at the password, of which there are ten: whoever comes after them is told to wait.
    const { 200: opened, 401: late = 0, 429: waiting = 0 } = tally(await atOnce(() => post('/email/verify', body)));
    expect([opened, late + waiting]).toEqual([1, 19]);
    expect((await post('/email/verify', body)).status).toBe(401);
  });

  it('who sign in by one magic link, one is, and nobody afterwards', async () => {
    const email = 'magic@example.com';
    const { accessToken } = await person('acme', email);
    await post('/magic-link', { tenant: 'acme', email });
    const body = { token: await tokenTo(email) };
    expect(tally(await atOnce(() => post('/magic-link/sign-in', body)))).toEqual({ 200: 1, 401: 19 });
    expect((await post('/magic-link/sign-in', body)).status).toBe(401);
    expect(await sessionsOf(accessToken)).toBe(2);
  });

  it('who set a password by one link, one does, and its password is the one that counts', async () => {
    const email = 'reset@example.com';
    await person('acme', email);
    await post('/password/forgot', { tenant: 'acme', email });
    const token = await tokenTo(email);
    const passwordOf = (nth: number) => `${goodPassword}-${nth}`;
    const answers = await atOnce((nth) => post('/password/reset', { token, password: passwordOf(nth) }));
    expect(tally(answers)).toEqual({ 204: 1, 401: 19 });
    const winner = answers.findIndex(({ status }) => status === 204);
    const signIn = async (nth: number) =>
      (await post('/sign-in', { tenant: 'acme', email, password: passwordOf(nth) })).status;
    expect(await signIn((winner + 1) % 20)).toBe(401);
    expect(await signIn(winner)).toBe(200);
  });

  it('who change to one address, one has it', async () => {
    const email = 'wanted@example.com';
    const tokens: string[] = [];
    for (const nth of twenty) {
      const from = `before-${nth}@example.com`;
      const { user } = await person('acme', from);
      // Not asked for, as an address is sent no more than five an hour.
      const link = { purpose: 'email-change', user, email, from, epoch: 0 } as const;
      await runtime.database.transaction(await services.links.make('acme', link));
      tokens.push(await tokenTo(email));
    }
    const answers = await atOnce((nth) => post('/email/confirm', { token: tokens[nth] }));
    expect(tally(answers)).toEqual({ 204: 1, 409: 19 });
    expect(await usersWith(email)).toBe(1);
  });

  it('who refresh by one token, one is answered, and the session that twenty hold is over', async () => {
    const { refreshToken } = await person('acme', 'refresh@example.com');
    const answers = await atOnce(() => post('/refresh', { refreshToken }));
    expect(tally(answers)).toEqual({ 200: 1, 401: 19 });
    const won = answers.find(({ status }) => status === 200);
    const { refreshToken: next } = z.object({ refreshToken: z.string() }).parse(await won?.json());
    expect((await post('/refresh', { refreshToken: next })).status).toBe(401);
  });

  it('who answer one challenge with a passkey, one is signed in', async () => {
    const { accessToken } = await person('acme', 'passkey@example.com');
    const authenticator = softwareAuthenticator({ origin });
    const begin = async (path: string, body?: unknown, key?: string) =>
      ceremonySchema.parse(await (await post(`/passkeys/${path}/options`, body, key)).json());
    const registration = await begin('registration', undefined, accessToken);
    const made = authenticator.create(registration.options);
    const registered = await atOnce((nth) =>
      post('/passkeys/registration', { flow: registration.flow, name: `${nth}`, response: made }, accessToken),
    );
    expect(tally(registered)).toEqual({ 201: 1, 400: 19 });
    const { flow, options } = await begin('sign-in', { tenant: 'acme' });
    const body = { tenant: 'acme', flow, response: authenticator.get(options) };
    expect(tally(await atOnce(() => post('/passkeys/sign-in', body)))).toEqual({ 200: 1, 401: 19 });
  });
});
