import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { sentEnrolmentSchema } from '#shared/security/index.ts';
import { claimsOf, mfaWorld, otherCode, type Person, passkeys, refusal } from '#tests/support/mfa.ts';
import { testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { mfa, post, person, withTotp, challenged, answer, codeTo, setPolicy, mailsTo, eventsOf, overview, opened } =
  world;
const { clock } = runtime;
beforeAll(() => world.tenant('acme', { passkeys }));

describe('backup codes', () => {
  const codesSchema = z.object({ codes: z.array(z.string()).length(10) });
  const make = async (key: string) =>
    codesSchema.parse(await (await mfa('/backup-codes', undefined, key)).json()).codes;

  it('are ten, each good once, counted and told of', async () => {
    const { key, email, user } = await withTotp('acme');
    const codes = await make(key);
    expect(new Set(codes).size).toBe(10);
    const use = async (code: string) => {
      const { challenge, methods } = await challenged('acme', email);
      expect(methods).toEqual(['totp', 'backup-code']);
      return answer(challenge, { method: 'backup-code', code });
    };
    const [first = '', second = ''] = codes;
    const { accessToken } = await opened(await use(first));
    expect(claimsOf(accessToken)).toMatchObject({ amr: ['pwd', 'rcv'], acr: 'aal2' });
    expect((await use(first)).status).toBe(401);
    // As people write them.
    expect((await use(` ${second.toUpperCase().replaceAll('-', ' ')} `)).status).toBe(200);
    expect((await overview(key)).backupCodesLeft).toBe(8);
    expect(await mailsTo(email)).toContain('backup-code-used');
    expect(await eventsOf(user)).toContain('security.backup-code.used');
  });

  it('replace those that there were, and are nothing without another factor', async () => {
    const there = await withTotp('acme');
    const [old = ''] = await make(there.key);
    expect(await refusal(await mfa('/backup-codes', undefined, there.key))).toEqual([429, 'rate-limited']);
    clock.advance(10_000);
    const [fresh = ''] = await make(there.key);
    const { challenge } = await challenged('acme', there.email);
    expect((await answer(challenge, { method: 'backup-code', code: old })).status).toBe(401);
    expect((await answer(challenge, { method: 'backup-code', code: fresh })).status).toBe(200);
    const plain = await person('acme');
    expect(await refusal(await mfa('/backup-codes', undefined, plain.key))).toEqual([412, 'precondition-failed']);
  });
});

describe('codes by mail and text message', () => {
  const enrol = async (there: Person, what: 'phone' | 'email', body: object, to: string) => {
    const begun = sentEnrolmentSchema.parse(await (await mfa(`/${what}`, body, there.key)).json());
    const code = await codeTo(to);
    const confirm = (given: string) => mfa(`/${what}/confirm`, { enrolment: begun.enrolment, code: given }, there.key);
    expect((await confirm(otherCode(code))).status).toBe(400);
    expect((await confirm(code)).status).toBe(201);
    expect((await confirm(code)).status).toBe(400);
    return begun;
  };

  it('are sent to a number that has shown a code, and are good once, for their challenge', async () => {
    const there = await person('acme');
    const number = '+4930123456';
    expect((await enrol(there, 'phone', { number, locale: 'de' }, number)).to).toBe('…3456');
    const [first, second] = [await challenged('acme', there.email), await challenged('acme', there.email)];
    expect(first.methods).toEqual(['sms']);
    expect((await mfa('/challenge/send', { challenge: first.challenge, method: 'sms' })).status).toBe(200);
    const proof = { method: 'sms', code: await codeTo(number) };
    expect((await answer(second.challenge, proof)).status).toBe(401);
    const { accessToken } = await opened(await answer(first.challenge, proof));
    expect(claimsOf(accessToken)).toMatchObject({ amr: ['pwd', 'sms'], acr: 'aal2' });
    expect((await answer(first.challenge, proof)).status).toBe(401);
  });

  it('by mail add nothing to what came by the same mail', async () => {
    const there = await person('acme');
    await enrol(there, 'email', {}, there.email);
    expect((await challenged('acme', there.email)).methods).toEqual(['email']);
    await post('/magic-link', { tenant: 'acme', email: there.email });
    const byLink = await post('/magic-link/sign-in', { token: await world.tokenTo(there.email) });
    expect(await byLink.json()).toMatchObject({ status: 'second-factor', methods: [] });
    await post('/password/forgot', { tenant: 'acme', email: there.email });
    const password = 'violet-anchors-hum-at-noon';
    await post('/password/reset', { token: await world.tokenTo(there.email), password });
    const byNew = await post('/sign-in', { tenant: 'acme', email: there.email, password });
    expect(await byNew.json()).toMatchObject({ status: 'second-factor', methods: [] });
  });

  it('are sent three times for a challenge, 30 seconds apart; the last one is good', async () => {
    const there = await person('acme');
    await enrol(there, 'email', {}, there.email);
    const { challenge } = await challenged('acme', there.email);
    const send = () => mfa('/challenge/send', { challenge, method: 'email' });
    expect((await send()).status).toBe(200);
    const first = await codeTo(there.email);
    expect((await send()).headers.get('retry-after')).toBe('30');
    clock.advance(30_000);
    expect(await (await send()).json()).toMatchObject({ sendsLeft: 1 });
    clock.advance(30_000);
    expect((await send()).status).toBe(200);
    clock.advance(30_000);
    expect(await refusal(await send())).toEqual([429, 'rate-limited']);
    const last = await codeTo(there.email);
    if (first !== last) expect((await answer(challenge, { method: 'email', code: first })).status).toBe(401);
    expect((await answer(challenge, { method: 'email', code: last })).status).toBe(200);
  });

  it('are at most twenty a day for one person', async () => {
    const there = await person('acme');
    await enrol(there, 'email', {}, there.email);
    const send = async () => {
      const { challenge } = await challenged('acme', there.email);
      return (await mfa('/challenge/send', { challenge, method: 'email' })).status;
    };
    const all: number[] = [];
    for (let i = 0; i < 20; i += 1) all.push(await send());
    expect(all).toEqual([...Array.from({ length: 19 }, () => 200), 429]);
    clock.advance(24 * 3_600_000);
    expect(await send()).toBe(200);
  });

  it('are refused where the tenant does not allow them', async () => {
    await world.tenant('strict', { passkeys });
    await setPolicy('strict', { mfa: { methods: ['totp', 'passkey'] } });
    const there = await person('strict');
    expect(await refusal(await mfa('/email', {}, there.key))).toEqual([412, 'precondition-failed']);
    expect(await refusal(await mfa('/phone', { number: '+4930123456' }, there.key))).toEqual([
      412,
      'precondition-failed',
    ]);
  });
});
