import { beforeAll, describe, expect, it } from 'vitest';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { goodPassword } from '#tests/support/auth.ts';
import { appCode, mfaWorld, otherCode } from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { app, person, withTotp, challenged } = world;
const minute = 60_000;
const wrong = 'not-the-password';
const home = '198.51.100.7';
const elsewhere = '203.0.113.7';

beforeAll(() => world.tenant('acme'));

const call = (path: string, body: object, { key, ip = home }: { readonly key?: string; readonly ip?: string }) =>
  request(app, `/api/v1${path}`, {
    body,
    headers: { 'x-forwarded-for': ip },
    ...(key === undefined ? {} : { key }),
  });
const ten = Array.from({ length: 10 }, (_, i) => i);

describe.each([
  ['a change of the password', '/auth/password/change', { password: 'violet-anchors-hum-low' }, 'current'],
  ['a change of the address', '/auth/email/change', { email: 'another@example.com' }, 'password'],
])('the password that %s asks for', (_what, path, body, field) => {
  const guess = (key: string, password: string, ip = home) => call(path, { ...body, [field]: password }, { key, ip });

  it('is guessed at ten times in 15 minutes, from whatever session, and then nothing is looked at', async () => {
    const { email, user, key } = await person('acme');
    for (const _ of ten) expect((await guess(key, wrong)).status).toBe(403);
    const refused = await guess(key, goodPassword);
    expect(refused.status).toBe(429);
    expect(problemSchema.parse(await refused.json()).code).toBe('rate-limited');
    // The guesses are those that a sign-in has: there are no more beside them.
    const signIn = { tenant: 'acme', email, password: goodPassword };
    expect((await call('/auth/sign-in', signIn, {})).status).toBe(429);
    expect((await call('/auth/sign-in', signIn, { ip: elsewhere })).status).toBe(200);
    await runtime.bus.idle();
    const told = world.events.filter(({ type, data }) => type === 'security.password.refused' && data.user === user);
    expect(told).toHaveLength(10);
    expect(JSON.stringify(world.events)).not.toContain(wrong);
    runtime.clock.advance(15 * minute);
    const again = await world.signIn('acme', email);
    expect((await guess(again.accessToken, goodPassword)).status).toBeLessThan(300);
  });

  it('is looked at ten times of twenty at once', async () => {
    const { key } = await person('acme');
    const answers = await Promise.all(Array.from({ length: 20 }, () => guess(key, wrong)));
    const counts = [403, 429].map((status) => answers.filter((one) => one.status === status).length);
    expect(counts).toEqual([10, 10]);
  });

  it('gives the attempts back to who knows it', async () => {
    const { key } = await person('acme');
    for (const _ of ten.slice(1)) expect((await guess(key, wrong)).status).toBe(403);
    expect((await guess(key, goodPassword)).status).toBeLessThan(300);
    for (const _ of ten) expect((await guess(key, wrong)).status).toBe(403);
    expect((await guess(key, wrong)).status).toBe(429);
  });
});

describe('the password of a sign-up, which its link asks for', () => {
  /** The token of the link that a sign-up was sent. */
  const signedUp = async (email: string): Promise<string> => {
    await call('/auth/sign-up', { tenant: 'acme', email, password: goodPassword }, {});
    return world.tokenTo(email);
  };
  const open = (token: string, password: string, ip = home) => call('/auth/email/verify', { token, password }, { ip });

  it('is guessed at ten times in 15 minutes by whoever has the link, and then nothing is looked at', async () => {
    const email = 'new-1@example.com';
    const token = await signedUp(email);
    for (const _ of ten) expect((await open(token, wrong)).status).toBe(401);
    const refused = await open(token, goodPassword);
    expect([refused.status, problemSchema.parse(await refused.json()).code]).toEqual([429, 'rate-limited']);
    await runtime.bus.idle();
    const told = world.events.filter(({ type }) => type === 'security.sign-in.failed').slice(-10);
    expect(told.map(({ data }) => [data.method, data.reason])).toEqual(ten.map(() => ['pwd', 'wrong-credential']));
    expect(JSON.stringify(world.events)).not.toContain(wrong);
    // Its owner is not kept out: neither elsewhere, nor for long.
    expect((await open(token, goodPassword, elsewhere)).status).toBe(200);
  });

  it('is looked at ten times of twenty at once, also with a second link of the same sign-up', async () => {
    const email = 'new-2@example.com';
    const [first, second] = [await signedUp(email), await signedUp(email)];
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => open(i % 2 === 0 ? first : second, wrong)));
    const counts = [401, 429].map((status) => answers.filter((one) => one.status === status).length);
    expect(counts).toEqual([10, 10]);
    runtime.clock.advance(15 * minute);
    expect((await open(second, goodPassword)).status).toBe(200);
  });

  it('takes no attempt where there is nothing to guess at', async () => {
    for (let i = 0; i < 12; i += 1) expect((await open(`oml_acme.${'x'.repeat(43)}`, goodPassword)).status).toBe(401);
    const token = await signedUp('new-3@example.com');
    expect((await open(token, goodPassword)).status).toBe(200);
  });
});

describe('an answer to a second factor', () => {
  it('is not looked at where its network is blocked, though it is right', async () => {
    const { email, secret } = await withTotp('acme');
    const { challenge } = await challenged('acme', email);
    const admin = systemActor('acme', 'test');
    const block = { target: 'network', network: elsewhere, reason: 'Attacks', minutes: 60 } as const;
    await world.services.blockService.set(admin, { ...block, sparesKnownDevices: false });
    const proof = { method: 'totp', code: appCode(secret, runtime.clock.now()) };
    expect((await call('/mfa/challenge/verify', { challenge, proof }, { ip: elsewhere })).status).toBe(429);
    expect((await call('/mfa/challenge/verify', { challenge, proof }, {})).status).toBe(200);
  });

  it('counts among the failures of a day that its address has', async () => {
    const ip = '192.0.2.44';
    await world.tenant('strict');
    await world.setPolicy('strict', { lockout: { failuresPerAddressAndDay: 10 } });
    const { email, secret } = await withTotp('strict');
    const { challenge } = await challenged('strict', email);
    const code = otherCode(appCode(secret, runtime.clock.now()));
    for (const _ of ten.slice(6)) {
      const answer = await call('/mfa/challenge/verify', { challenge, proof: { method: 'totp', code } }, { ip });
      expect(answer.status).toBe(401);
    }
    const nobody = (i: number) =>
      call('/auth/sign-in', { tenant: 'strict', email: `nobody-${i}@example.com`, password: wrong }, { ip });
    for (const i of ten.slice(4)) expect((await nobody(i)).status).toBe(401);
    expect((await nobody(10)).status).toBe(429);
  });
});
