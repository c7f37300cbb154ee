import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { mfaOverviewSchema, mfaSignInSchema, signInResultSchema } from '#shared/security/index.ts';
import { softwareAuthenticator } from '#tests/support/authenticator.ts';
import { appCode, mfaWorld, otherCode, passkeyOrigin, passkeys } from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const day = 86_400_000;

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { app, mfa, post, person, withTotp, challenged, signInWith, answer, codeTo, setPolicy, services } = world;
const { opened: complete } = world;
const { clock } = runtime;

beforeAll(async () => {
  await world.tenant('asking', { passkeys });
  await setPolicy('asking', { mfa: { required: 'everybody', graceDays: 0 } });
});

const code = (secret: string): string => appCode(secret, clock.now());

describe('a tenant that asks for a second factor', () => {
  it.each(['password', 'magic link', 'provider'])('asks who comes by %s, and has none, to set one up', async (way) => {
    const there = await person('asking');
    const user = await services.users.findByEmail('asking', there.email);
    if (user === undefined) throw new Error('The user is not there.');
    const byLink = async () => {
      await post('/magic-link', { tenant: 'asking', email: there.email });
      const token = await world.tokenTo(there.email);
      return signInResultSchema.parse(await (await post('/magic-link/sign-in', { token })).json());
    };
    const byProvider = () => services.signIns.finish({ tenant: 'asking', user, method: 'fed', device: {} });
    const result = await (way === 'password'
      ? signInWith('asking', there.email)
      : way === 'provider'
        ? byProvider()
        : byLink());
    expect(result).toMatchObject({ status: 'second-factor', methods: ['totp', 'passkey'], enrolment: true });
  });

  it('lets them in once they have set up an authenticator app, and asks for it from then on', async () => {
    const { email } = await person('asking');
    const { challenge } = await challenged('asking', email);
    expect((await answer(challenge, { method: 'totp', code: '123456' })).status).toBe(401);
    const begun = await (await mfa('/challenge/enrolment', { challenge, method: 'totp' })).json();
    const { secret } = z.object({ method: z.literal('totp'), secret: z.string(), uri: z.string() }).parse(begun);
    const confirm = (given: string) =>
      mfa('/challenge/enrolment/confirm', { challenge, factor: { method: 'totp', name: 'App', code: given } });
    expect((await confirm(otherCode(code(secret)))).status).toBe(401);
    expect(await complete(await confirm(code(secret)))).toMatchObject({ status: 'complete' });
    expect((await confirm(code(secret))).status).toBe(401);
    expect(await challenged('asking', email)).toMatchObject({ methods: ['totp'], enrolment: false });
  });

  it('lets them in once they have set up a passkey', async () => {
    const { email } = await person('asking');
    const { challenge } = await challenged('asking', email);
    const begun = await (await mfa('/challenge/enrolment', { challenge, method: 'passkey' })).json();
    const { options } = z.object({ options: z.unknown() }).parse(begun);
    const response = softwareAuthenticator({ origin: passkeyOrigin }).create(options);
    const factor = { method: 'passkey', name: 'Key', response };
    await complete(await mfa('/challenge/enrolment/confirm', { challenge, factor }));
    expect((await challenged('asking', email)).methods).toEqual(['passkey']);
  });

  it('lets no older challenge set up another factor once there is one', async () => {
    const { email } = await person('asking');
    const [mine, theirs] = [await challenged('asking', email), await challenged('asking', email)];
    const begin = async (challenge: string) =>
      z
        .object({ secret: z.string() })
        .parse(await (await mfa('/challenge/enrolment', { challenge, method: 'totp' })).json()).secret;
    const [first, second] = [await begin(mine.challenge), await begin(theirs.challenge)];
    const confirm = (challenge: string, secret: string) =>
      mfa('/challenge/enrolment/confirm', { challenge, factor: { method: 'totp', name: 'App', code: code(secret) } });
    expect((await confirm(mine.challenge, first)).status).toBe(200);
    expect((await confirm(theirs.challenge, second)).status).toBe(401);
  });

  it('keeps the last factor where it is', async () => {
    const there = await withTotp('asking');
    const overview = await request(app, '/api/v1/mfa', { key: there.key });
    const { factors, required } = mfaOverviewSchema.parse(await overview.json());
    expect(required).toBe(true);
    const path = `/api/v1/mfa/factors/${factors[0]?.id}`;
    expect((await request(app, path, { method: 'DELETE', key: there.key })).status).toBe(412);
  });

  it('gives days of grace, counted from its wish or from the account’s first day', async () => {
    await world.tenant('patient');
    const old = await person('patient');
    clock.advance(30 * day);
    await setPolicy('patient', { mfa: { required: 'everybody', graceDays: 7 } });
    clock.advance(6 * day);
    const young = await person('patient');
    expect((await signInWith('patient', old.email)).status).toBe('complete');
    clock.advance(day);
    expect(await challenged('patient', old.email)).toMatchObject({ enrolment: true });
    expect((await signInWith('patient', young.email)).status).toBe('complete');
    clock.advance(6 * day);
    expect(await challenged('patient', young.email)).toMatchObject({ enrolment: true });
  });

  it('may ask administrators alone, and further roles', async () => {
    await world.tenant('some');
    await setPolicy('some', { mfa: { required: 'administrators', roles: ['billing'], graceDays: 0 } });
    const asked = async (role: string) => (await signInWith('some', (await person('some', [role])).email)).status;
    const all = await Promise.all(['owner', 'admin', 'billing', 'member', 'viewer'].map(asked));
    expect(all).toEqual(['second-factor', 'second-factor', 'second-factor', 'complete', 'complete']);
  });

  it('has a factor that it no longer allows replaced before anybody gets in by it', async () => {
    await world.tenant('stricter');
    const there = await person('stricter');
    const number = '+4930123456';
    const begun = await (await mfa('/phone', { number }, there.key)).json();
    const { enrolment } = z.object({ enrolment: z.string() }).parse(begun);
    await mfa('/phone/confirm', { enrolment, code: await codeTo(number) }, there.key);
    await setPolicy('stricter', { mfa: { methods: ['totp'] } });
    const { challenge, methods } = await challenged('stricter', there.email);
    expect(methods).toEqual(['sms']);
    await mfa('/challenge/send', { challenge, method: 'sms' });
    const next = mfaSignInSchema.parse(
      await (await answer(challenge, { method: 'sms', code: await codeTo(number) })).json(),
    );
    if (next.status === 'complete') throw new Error('It opened a session.');
    expect(next).toMatchObject({ enrolment: true, methods: ['totp'] });
    const set = { challenge: next.challenge, method: 'totp' };
    const { secret } = z.object({ secret: z.string() }).parse(await (await mfa('/challenge/enrolment', set)).json());
    const factor = { method: 'totp', name: 'App', code: code(secret) };
    await complete(await mfa('/challenge/enrolment/confirm', { challenge: next.challenge, factor }));
    expect((await challenged('stricter', there.email)).methods).toEqual(['totp']);
  });

  it.each([
    { methods: ['sms'] },
    { methods: [] },
    { required: 'somebody' },
    { graceDays: 31 },
    { trustedDeviceDays: -1 },
  ])('is not set to %j', async (policy) => {
    const key = await runtime.key('asking', ['*']);
    const headers = { 'if-match': '"1"' };
    const response = await request(app, '/api/v1/security/policy', {
      method: 'PUT',
      key,
      headers,
      body: { mfa: policy },
    });
    expect([response.status, problemSchema.parse(await response.json()).code]).toEqual([400, 'invalid-request']);
  });
});

describe('a trusted device', () => {
  beforeAll(() => world.tenant('trusting'));
  const trusting = async () => {
    const there = await withTotp('trusting');
    const { challenge } = await challenged('trusting', there.email);
    const proof = { method: 'totp', code: code(there.secret) };
    const { deviceToken } = await complete(await answer(challenge, proof, { trustDevice: true }));
    return { ...there, deviceToken: deviceToken ?? '' };
  };

  it('is not asked again for 30 days, by its user alone', async () => {
    const [ada, eve] = [await trusting(), await withTotp('trusting')];
    const known = { deviceToken: ada.deviceToken };
    expect((await signInWith('trusting', ada.email)).status).toBe('second-factor');
    expect((await signInWith('trusting', ada.email, known)).status).toBe('complete');
    expect((await signInWith('trusting', eve.email, known)).status).toBe('second-factor');
    clock.advance(30 * day);
    expect((await signInWith('trusting', ada.email, known)).status).toBe('second-factor');
  });

  it('is one of ten at most, listed, and trusted no longer when its user says so', async () => {
    const { email, deviceToken, key, user } = await trusting();
    const list = z.object({ items: z.array(z.object({ id: z.string() })) });
    const path = '/api/v1/mfa/trusted-devices';
    const { items } = list.parse(await (await request(app, path, { key })).json());
    expect(items).toHaveLength(1);
    const stranger = await person('trusting');
    const revoke = (by: string) => request(app, `${path}/${items[0]?.id}`, { method: 'DELETE', key: by });
    expect((await revoke(stranger.key)).status).toBe(404);
    expect((await revoke(key)).status).toBe(204);
    expect((await signInWith('trusting', email, { deviceToken })).status).toBe('second-factor');
    await runtime.bus.idle();
    const types = world.events.filter(({ data }) => data.user === user).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['security.device.trusted', 'security.device.revoked']));
  });

  it('ends with the password, and is not enough for a risky sign-in', async () => {
    const { email, deviceToken } = await trusting();
    const user = await services.users.findByEmail('trusting', email);
    if (user === undefined) throw new Error('The user is not there.');
    const first = { tenant: 'trusting', user, method: 'pwd', device: {}, deviceToken } as const;
    expect((await services.signIns.finish(first)).status).toBe('complete');
    expect((await services.signIns.finish({ ...first, risk: 'elevated' })).status).toBe('second-factor');
    await post('/password/forgot', { tenant: 'trusting', email });
    const password = 'violet-anchors-hum-at-noon';
    await post('/password/reset', { token: await world.tokenTo(email), password });
    const again = await post('/sign-in', { tenant: 'trusting', email, password, deviceToken });
    expect(await again.json()).toMatchObject({ status: 'second-factor' });
  });

  it('is none where the tenant trusts none, from then on', async () => {
    const { email, deviceToken, secret } = await trusting();
    await setPolicy('trusting', { mfa: { trustedDeviceDays: 0 } });
    const { challenge } = await challenged('trusting', email, { deviceToken });
    clock.advance(30_000);
    const proof = { method: 'totp', code: code(secret) };
    const { deviceToken: none } = await complete(await answer(challenge, proof, { trustDevice: true }));
    expect(none).toBeUndefined();
  });
});

it('asks who has nothing set up for a code by mail, where a sign-in is risky', async () => {
  await world.tenant('risky');
  const { email } = await person('risky');
  const user = await services.users.findByEmail('risky', email);
  if (user === undefined) throw new Error('The user is not there.');
  const first = { tenant: 'risky', user, device: {}, risk: 'elevated' } as const;
  expect((await services.signIns.finish({ ...first, method: 'link' })).status).toBe('complete');
  const result = await services.signIns.finish({ ...first, method: 'pwd' });
  if (result.status === 'complete') throw new Error('Nothing is asked for.');
  expect(result.methods).toEqual(['email']);
  await mfa('/challenge/send', { challenge: result.challenge, method: 'email' });
  await complete(await answer(result.challenge, { method: 'email', code: await codeTo(email) }));
});
