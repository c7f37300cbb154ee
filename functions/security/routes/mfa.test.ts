import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { factorViewSchema, newTotpSchema, tokensSchema } from '#shared/security/index.ts';
import { goodPassword } from '#tests/support/auth.ts';
import { softwareAuthenticator } from '#tests/support/authenticator.ts';
import {
  appCode,
  claimsOf,
  mfaWorld,
  otherCode,
  type Person,
  passkeyOrigin,
  passkeys,
  refusal,
} from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const {
  app,
  mfa,
  post,
  person,
  withTotp,
  addTotp,
  refreshed,
  challenged,
  signInWith,
  answer,
  mailsTo,
  eventsOf,
  overview,
  opened,
} = world;
const { clock } = runtime;
beforeAll(() => world.tenant('acme', { passkeys }));

describe('an authenticator app', () => {
  it('is a factor once its first code has confirmed it, and its owner is told', async () => {
    const there = await person('acme');
    const begun = newTotpSchema.parse(await (await mfa('/totp', undefined, there.key)).json());
    const uri = new URL(begun.uri);
    expect([uri.protocol, uri.host, uri.searchParams.get('secret')]).toEqual(['otpauth:', 'totp', begun.secret]);
    expect(decodeURIComponent(uri.pathname)).toBe(`/acme:${there.email}`);
    expect((await overview(there.key)).factors).toEqual([]);
    expect((await signInWith('acme', there.email)).status).toBe('complete');

    const code = appCode(begun.secret, clock.now());
    const confirm = (given: string) =>
      mfa('/totp/confirm', { enrolment: begun.enrolment, code: given, name: 'My phone' }, there.key);
    expect(await refusal(await confirm(otherCode(code)))).toEqual([400, 'invalid-request']);
    const made = factorViewSchema.parse(await (await confirm(code)).json());
    expect(made).toMatchObject({ method: 'totp', name: 'My phone' });
    expect((await confirm(code)).status).toBe(400);
    expect((await overview(there.key)).factors).toEqual([made]);
    expect(await mailsTo(there.email)).toContain('factor-added');
    expect(await eventsOf(there.user)).toEqual(expect.arrayContaining(['security.factor.added']));
  });

  it('is asked for after the password, and the session says that both were shown', async () => {
    const { email, secret, user } = await withTotp('acme');
    const asked = await challenged('acme', email);
    expect(asked).toMatchObject({ methods: ['totp'], enrolment: false });
    const { accessToken } = await opened(
      await answer(asked.challenge, { method: 'totp', code: appCode(secret, clock.now()) }),
    );
    expect(claimsOf(accessToken)).toMatchObject({
      sub: user,
      amr: ['pwd', 'otp'],
      acr: 'aal2',
      auth_time: Math.floor(clock.now() / 1_000),
    });
  });

  it('shows codes that are good once, also in another challenge and when they come late', async () => {
    const { email, secret } = await withTotp('acme');
    const [first, second] = [await challenged('acme', email), await challenged('acme', email)];
    const code = appCode(secret, clock.now());
    expect((await answer(first.challenge, { method: 'totp', code })).status).toBe(200);
    expect((await answer(second.challenge, { method: 'totp', code })).status).toBe(401);
    clock.advance(30_000);
    expect((await answer(second.challenge, { method: 'totp', code })).status).toBe(401);
  });

  it.each([
    ['one step late', -30_000, 200],
    ['one step early', 30_000, 200],
    ['two steps late', -60_000, 401],
    ['two steps early', 60_000, 401],
  ])('whose clock is %s is answered by %i ms: %i', async (_what, off, status) => {
    const { email, secret } = await withTotp('acme');
    clock.advance(60_000);
    const { challenge } = await challenged('acme', email);
    const code = appCode(secret, clock.now() + off);
    expect((await answer(challenge, { method: 'totp', code })).status).toBe(status);
  });

  it('can be one of five, and is removed with its codes', async () => {
    const there = await person('acme');
    for (let i = 0; i < 5; i += 1) {
      await addTotp(there);
      Object.assign(there, await refreshed(there));
    }
    const { enrolment, secret } = newTotpSchema.parse(await (await mfa('/totp', undefined, there.key)).json());
    const body = { enrolment, code: appCode(secret, clock.now()), name: 'One too many' };
    expect(await refusal(await mfa('/totp/confirm', body, there.key))).toEqual([412, 'precondition-failed']);
    const remove = (id: string, key: string) => request(app, `/api/v1/mfa/factors/${id}`, { method: 'DELETE', key });
    const stranger = await person('acme');
    for (const { id } of (await overview(there.key)).factors) {
      expect((await remove(id, stranger.key)).status).toBe(404);
      expect((await remove(id, there.key)).status).toBe(204);
    }
    expect((await signInWith('acme', there.email)).status).toBe('complete');
    expect(await mailsTo(there.email)).toContain('factor-removed');
  });
});

describe('a challenge', () => {
  it('ends with its answer, its time, its user’s password and its fifth wrong answer', async () => {
    const { email, secret } = await withTotp('acme');
    const good = () => ({ method: 'totp', code: appCode(secret, clock.now()) });
    const late = await challenged('acme', email);
    clock.advance(600_000);
    expect((await answer(late.challenge, good())).status).toBe(401);

    const { challenge } = await challenged('acme', email);
    const bad = { method: 'totp', code: otherCode(good().code) };
    for (let i = 0; i < 5; i += 1) expect((await answer(challenge, bad)).status).toBe(401);
    clock.advance(15 * 60_000);
    expect((await answer(challenge, good())).status).toBe(401);

    const old = await challenged('acme', email);
    await post('/password/forgot', { tenant: 'acme', email });
    const password = 'violet-anchors-hum-at-noon';
    expect((await post('/password/reset', { token: await world.tokenTo(email), password })).status).toBe(204);
    expect((await answer(old.challenge, good())).status).toBe(401);
    const next = { tenant: 'acme', email, password };
    // A new password is one factor, as the old one was.
    expect(await (await post('/sign-in', next)).json()).toMatchObject({ status: 'second-factor', methods: ['totp'] });
  });

  it('lets nobody guess by opening one after the other, and tells the owner', async () => {
    const { email, secret, user } = await withTotp('acme');
    const guess = async () => {
      const { challenge } = await challenged('acme', email);
      const code = otherCode(appCode(secret, clock.now()));
      return (await answer(challenge, { method: 'totp', code })).status;
    };
    for (let i = 0; i < 5; i += 1) expect(await guess()).toBe(401);
    expect(await guess()).toBe(429);
    expect(await mailsTo(email)).toContain('codes-blocked');
    expect(await eventsOf(user)).toEqual(
      expect.arrayContaining(['security.second-factor.failed', 'security.second-factor.blocked']),
    );
    const { challenge } = await challenged('acme', email);
    const right = () => answer(challenge, { method: 'totp', code: appCode(secret, clock.now()) });
    expect((await right()).headers.get('retry-after')).toBe('900');
    clock.advance(15 * 60_000);
    const later = await challenged('acme', email);
    const code = appCode(secret, clock.now());
    expect((await answer(later.challenge, { method: 'totp', code })).status).toBe(200);
  });

  it('pauses longer with every fifth wrong code in a row', async () => {
    const { email, secret } = await withTotp('acme');
    const pauses: (string | null)[] = [];
    for (let round = 0; round < 5; round += 1) {
      const { challenge } = await challenged('acme', email);
      for (let i = 0; i < 5; i += 1) {
        await answer(challenge, { method: 'totp', code: otherCode(appCode(secret, clock.now())) });
      }
      const next = await challenged('acme', email);
      const blocked = await answer(next.challenge, { method: 'totp', code: appCode(secret, clock.now()) });
      pauses.push(blocked.headers.get('retry-after'));
      clock.advance(Number(pauses.at(-1)) * 1_000);
    }
    expect(pauses).toEqual(['900', '3600', '21600', '86400', '86400']);
  });

  it.each([
    ['garbage', 'garbage'],
    ['one that never was', `omc_acme.${'x'.repeat(43)}`],
    ['one of no tenant', `omc_nobody.${'x'.repeat(43)}`],
  ])('that is %s is refused', async (_what, challenge) => {
    expect(await refusal(await answer(challenge, { method: 'totp', code: '123456' }))).toEqual([
      401,
      'unauthenticated',
    ]);
    expect((await mfa('/challenge/send', { challenge, method: 'email' })).status).toBe(401);
    expect((await mfa('/challenge/passkey', { challenge })).status).toBe(401);
    expect((await mfa('/challenge/enrolment', { challenge, method: 'totp' })).status).toBe(401);
  });

  it('takes no answer of a kind that it does not ask for', async () => {
    const { email } = await withTotp('acme');
    const { challenge } = await challenged('acme', email);
    expect((await answer(challenge, { method: 'password', password: goodPassword })).status).toBe(401);
    expect((await answer(challenge, { method: 'email', code: '123456' })).status).toBe(401);
    expect((await mfa('/challenge/send', { challenge, method: 'email' })).status).toBe(412);
    expect((await mfa('/challenge/passkey', { challenge })).status).toBe(412);
    expect((await mfa('/challenge/enrolment', { challenge, method: 'totp' })).status).toBe(401);
  });

  it('is not told from an account without one before the password is right', async () => {
    const [plain, guarded] = [await person('acme'), await withTotp('acme')];
    const wrong = (email: string) => post('/sign-in', { tenant: 'acme', email, password: 'wrong' });
    const shape = async (response: Response) => {
      const { requestId: _, ...rest } = problemSchema.parse(await response.json());
      return rest;
    };
    expect(await shape(await wrong(guarded.email))).toEqual(await shape(await wrong(plain.email)));
  });
});

describe('a passkey', () => {
  const withPasskey = async (): Promise<Person & { device: ReturnType<typeof softwareAuthenticator> }> => {
    const there = await person('acme');
    const device = softwareAuthenticator({ origin: passkeyOrigin });
    const ceremony = z.object({ flow: z.string(), options: z.unknown() });
    const begun = await post('/passkeys/registration/options', undefined, there.key);
    const { flow, options } = ceremony.parse(await begun.json());
    const body = { flow, name: 'Key', response: device.create(options) };
    expect((await post('/passkeys/registration', body, there.key)).status).toBe(201);
    return { ...(await refreshed(there)), device };
  };
  const optionsOf = async (challenge: string) =>
    z.object({ options: z.unknown() }).parse(await (await mfa('/challenge/passkey', { challenge })).json()).options;

  it('is a second factor after a password, and two factors by itself', async () => {
    const { email, device, user } = await withPasskey();
    const { challenge, methods } = await challenged('acme', email);
    expect(methods).toEqual(['passkey']);
    const response = device.get(await optionsOf(challenge));
    const proof = { method: 'passkey', response };
    const { accessToken } = await opened(await answer(challenge, proof));
    expect(claimsOf(accessToken)).toMatchObject({ amr: ['pwd', 'hwk'], acr: 'aal2' });
    expect((await answer(challenge, proof)).status).toBe(401);

    const begun = await (await post('/passkeys/sign-in/options', { tenant: 'acme' })).json();
    const { flow, options } = z.object({ flow: z.string(), options: z.unknown() }).parse(begun);
    const alone = { tenant: 'acme', flow, response: device.get(options) };
    const signedIn = tokensSchema.parse(await (await post('/passkeys/sign-in', alone)).json());
    expect(signedIn.user).toBe(user);
    expect(claimsOf(signedIn.accessToken)).toMatchObject({ amr: ['hwk'], acr: 'aal2' });
    expect(await mailsTo(email)).toContain('factor-added');
  });

  it('of somebody else, or for another challenge, is no answer', async () => {
    const [ada, eve] = [await withPasskey(), await withPasskey()];
    const [first, second] = [await challenged('acme', ada.email), await challenged('acme', ada.email)];
    const stolen = { method: 'passkey', response: eve.device.get(await optionsOf(first.challenge)) };
    expect((await answer(first.challenge, stolen)).status).toBe(401);
    const other = { method: 'passkey', response: ada.device.get(await optionsOf(first.challenge)) };
    await optionsOf(second.challenge);
    expect((await answer(second.challenge, other)).status).toBe(401);
  });

  it('is taken while codes are not', async () => {
    const there = await withPasskey();
    const secret = await addTotp(there);
    const { challenge } = await challenged('acme', there.email);
    for (let i = 0; i < 5; i += 1) {
      await answer(challenge, { method: 'totp', code: otherCode(appCode(secret, clock.now() + 30_000)) });
    }
    const next = await challenged('acme', there.email);
    const blocked = await answer(next.challenge, { method: 'totp', code: appCode(secret, clock.now() + 30_000) });
    expect(blocked.status).toBe(429);
    const response = there.device.get(await optionsOf(next.challenge));
    expect((await answer(next.challenge, { method: 'passkey', response })).status).toBe(200);
  });
});
