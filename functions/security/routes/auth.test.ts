import { beforeAll, describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import {
  securityPolicySchema,
  sessionViewSchema,
  signInResultSchema,
  tokensSchema,
  userViewSchema,
} from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from '#tests/support/auth.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();

const { app, post, tenant, tokenTo, mails, events, person, signIn, services } = authWorld(runtime);

beforeAll(() => tenant('acme'));

let people = 0;

const newAddress = (): string => {
  people += 1;
  return `person-${people}@example.com`;
};

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, options);

const refusal = async (response: Response) => {
  const { status, code, errors, detail } = problemSchema.parse(await response.json());
  return { status, code, detail, paths: errors?.map(({ path }) => path) };
};

const signedUp = async (email = newAddress()): Promise<string> => {
  expect((await post('/sign-up', { tenant: 'acme', email, password: goodPassword })).status).toBe(202);
  const token = await tokenTo(email);
  expect((await post('/email/verify', { token, password: goodPassword })).status).toBe(200);
  return email;
};
const setPolicy = async (of: string, policy: z.input<typeof securityPolicySchema>): Promise<void> => {
  const actor = systemActor(of, 'test');
  const { revision: expected } = await services.policyService.get(actor);
  const update = { policy: securityPolicySchema.parse(policy), expected, address: undefined, force: true };
  await services.policyService.update(actor, update);
};
const isLive = async (key: string): Promise<boolean> => (await send('/me', { key })).status === 200;

describe('signing up', () => {
  it('opens the account by the link from the mail and the password, and signs in', async () => {
    const email = newAddress();
    await post('/sign-up', { tenant: 'acme', email, password: goodPassword, name: 'Ada' });
    const token = await tokenTo(email);
    const result = signInResultSchema.parse(
      await (await post('/email/verify', { token, password: goodPassword })).json(),
    );
    const first = result.status === 'complete' ? result.accessToken : '';
    expect(await isLive(first)).toBe(true);
    const { accessToken } = await signIn('acme', email);
    const me = userViewSchema.parse(await (await send('/me', { key: accessToken })).json());
    expect(me).toMatchObject({ email, emailVerified: true, name: 'Ada', roles: ['member'], hasPassword: true });
    expect(JSON.stringify(me)).not.toContain('argon2');
  });

  it('lets nobody in before the link was used', async () => {
    const email = newAddress();
    await post('/sign-up', { tenant: 'acme', email, password: goodPassword });
    expect((await post('/sign-in', { tenant: 'acme', email, password: goodPassword })).status).toBe(401);
  });

  it('gives the account the password of the sign-up whose link was used, not that of who came before', async () => {
    const email = newAddress();
    const foreign = 'violet-anchors-hum-at-noon';
    await post('/sign-up', { tenant: 'acme', email, password: foreign });
    const foreignToken = await tokenTo(email);
    await post('/sign-up', { tenant: 'acme', email, password: goodPassword });
    const token = await tokenTo(email);
    expect((await post('/email/verify', { token: foreignToken, password: goodPassword })).status).toBe(401);
    expect((await post('/email/verify', { token, password: goodPassword })).status).toBe(200);
    expect((await post('/email/verify', { token: foreignToken, password: foreign })).status).toBe(401);
    expect((await post('/sign-in', { tenant: 'acme', email, password: foreign })).status).toBe(401);
  });

  it('with a known address answers alike, and mails its owner a way in', async () => {
    const email = await signedUp();
    const again = await post('/sign-up', { tenant: 'acme', email, password: 'violet-anchors-hum-at-noon' });
    const fresh = await post('/sign-up', { tenant: 'acme', email: newAddress(), password: goodPassword });
    const shape = async (response: Response) => [
      response.status,
      await response.text(),
      [...response.headers.keys()].filter((name) => name !== 'server-timing').sort(),
    ];
    expect(await shape(again)).toEqual(await shape(fresh));
    await runtime.bus.idle();
    expect(mails.findLast(({ to }) => to === email)?.template).toBe('magic-link');
    expect((await post('/sign-in', { tenant: 'acme', email, password: goodPassword })).status).toBe(200);
  });

  it('shows no password where it was made without one, whatever is sent with the link', async () => {
    const email = newAddress();
    await post('/sign-up', { tenant: 'acme', email });
    const body = { token: await tokenTo(email), password: goodPassword };
    const { accessToken } = tokensSchema.parse(await (await post('/email/verify', body)).json());
    const list = await (await send('/sessions', { key: accessToken })).json();
    expect(
      pageSchema(sessionViewSchema)
        .parse(list)
        .items.map(({ methods }) => methods),
    ).toEqual([['link']]);
  });

  it('mails the owner of a known address no link that signs in, where the tenant lets none do that', async () => {
    await tenant('linkless');
    await person('linkless', 'ada@example.com');
    const allow = (...signInMethods: ('password' | 'oidc')[]) => setPolicy('linkless', { signInMethods });
    const again = async () => {
      const before = mails.length;
      await post('/sign-up', { tenant: 'linkless', email: 'ada@example.com', password: goodPassword });
      await runtime.bus.idle();
      return mails.slice(before).map(({ template }) => template);
    };
    await allow('password');
    expect(await again()).toEqual(['password-reset']);
    await allow('oidc');
    expect(await again()).toEqual([]);
  });

  it.each([
    ['short', 'aB3$xyz'],
    ['common', 'password1234'],
    ['repeated', 'aaaaaaaaaaaaaaaaaaaa'],
    ['the address itself', 'ada.lovelace@example.com'],
  ])('refuses a password that is %s', async (_what, password) => {
    const body = { tenant: 'acme', email: 'ada.lovelace@example.com', password };
    expect(await refusal(await post('/sign-up', body))).toMatchObject({ status: 400, paths: ['body.password'] });
  });

  it('is refused where the tenant takes none, as where there is no tenant', async () => {
    await tenant('closed', { signUp: false });
    const answers = await Promise.all(
      ['closed', 'nobody'].map((name) => post('/sign-up', { tenant: name, email: newAddress() }).then(refusal)),
    );
    expect(answers[0]).toMatchObject({ status: 403 });
    expect(answers[0]).toEqual(answers[1]);
  });

  it('keeps tenants apart: one address may be in two', async () => {
    await tenant('other');
    const email = await signedUp();
    expect((await post('/sign-in', { tenant: 'other', email, password: goodPassword })).status).toBe(401);
    expect((await post('/sign-up', { tenant: 'other', email, password: goodPassword })).status).toBe(202);
    const token = await tokenTo(email);
    expect(token).toContain('oml_other.');
    expect((await post('/email/verify', { token, password: goodPassword })).status).toBe(200);
  });
});

describe('signing in with a password', () => {
  it('refuses in the same words whatever is wrong, and says so to who watches', async () => {
    const email = await signedUp();
    const tries = [
      { tenant: 'acme', email, password: 'wrong' },
      { tenant: 'acme', email: 'nobody@example.com', password: goodPassword },
      { tenant: 'nobody', email, password: goodPassword },
    ];
    const answers = await Promise.all(tries.map((body) => post('/sign-in', body).then(refusal)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, code: 'unauthenticated' });
    await runtime.bus.idle();
    const failures = events.filter(({ type }) => type === 'security.sign-in.failed');
    expect(failures.map(({ data }) => data.reason)).toEqual(
      expect.arrayContaining(['wrong-credential', 'unknown-account']),
    );
    expect(JSON.stringify(failures)).not.toContain(email);
  });

  it('takes as long for an unknown account as for a wrong password', async () => {
    const email = await signedUp();
    const time = async (address: string): Promise<number> => {
      const started = performance.now();
      await post('/sign-in', { tenant: 'acme', email: address, password: 'wrong-password' });
      return performance.now() - started;
    };
    await time(email);
    const [known, unknown]: [number[], number[]] = [[], []];
    for (let i = 0; i < 25; i += 1) {
      // So that neither is locked out.
      runtime.clock.advance(2 * 60_000);
      known.push(await time(email));
      unknown.push(await time('nobody@example.com'));
    }
    const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
    // One hash takes many times what all else does: were it left out, the ratio would be far from one.
    expect(median(unknown) / median(known)).toBeGreaterThan(0.6);
    expect(median(unknown) / median(known)).toBeLessThan(1.6);
  });

  it('takes an address in any of its forms, and a password in any of its own', async () => {
    const email = newAddress();
    const password = 'zwölf-Boxkämpfer-jagen-Viktor';
    await post('/sign-up', { tenant: 'acme', email: email.toUpperCase(), password: password.normalize('NFD') });
    await post('/email/verify', { token: await tokenTo(email), password });
    expect((await post('/sign-in', { tenant: 'acme', email, password: password.normalize('NFC') })).status).toBe(200);
  });

  it('refuses a password of a megabyte before it costs anything', async () => {
    const body = { tenant: 'acme', email: newAddress(), password: 'x'.repeat(1_000_000) };
    expect(await refusal(await post('/sign-in', body))).toMatchObject({ status: 413 });
    const long = { ...body, password: 'x'.repeat(1_025) };
    expect(await refusal(await post('/sign-in', long))).toMatchObject({ status: 400, paths: ['body.password'] });
  });

  it('keeps nothing of it for an idempotency key', async () => {
    const email = await signedUp();
    const body = { tenant: 'acme', email, password: goodPassword };
    const once = () => send('/sign-in', { body, headers: { 'idempotency-key': 'the-same-key' } });
    const [first, second] = [tokensSchema.parse(await (await once()).json()), await once()];
    expect(second.headers.get('idempotency-replayed')).toBeNull();
    expect(tokensSchema.parse(await second.json()).session).not.toBe(first.session);
  });
});

describe('a magic link', () => {
  it('signs in once', async () => {
    const email = await signedUp();
    expect((await post('/magic-link', { tenant: 'acme', email })).status).toBe(202);
    const token = await tokenTo(email);
    // Of concurrent ones too.
    const all = await Promise.all(Array.from({ length: 5 }, () => post('/magic-link/sign-in', { token })));
    expect(all.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401, 401]);
  });

  it('is mailed to nobody who has no account, and the answer is the same', async () => {
    const before = mails.length;
    expect((await post('/magic-link', { tenant: 'acme', email: 'nobody@example.com' })).status).toBe(202);
    expect((await post('/magic-link', { tenant: 'no-such', email: 'nobody@example.com' })).status).toBe(202);
    await runtime.bus.idle();
    expect(mails).toHaveLength(before);
  });

  it('is mailed five times an hour, however often it is asked for, and the answer is the same', async () => {
    const email = await signedUp();
    await runtime.bus.idle();
    const before = mails.length;
    for (let i = 0; i < 30; i += 1) {
      expect((await post('/magic-link', { tenant: 'acme', email })).status).toBe(202);
    }
    await runtime.bus.idle();
    expect(mails.length - before).toBe(5);
  });

  it('ends after 15 minutes', async () => {
    const email = await signedUp();
    await post('/magic-link', { tenant: 'acme', email });
    const token = await tokenTo(email);
    runtime.clock.advance(15 * 60_000);
    expect((await post('/magic-link/sign-in', { token })).status).toBe(401);
  });

  it('is good no more once the tenant takes none', async () => {
    await tenant('stricter');
    await person('stricter', 'ada@example.com');
    await post('/magic-link', { tenant: 'stricter', email: 'ada@example.com' });
    const token = await tokenTo('ada@example.com');
    await setPolicy('stricter', { signInMethods: ['password'] });
    expect((await post('/magic-link/sign-in', { token })).status).toBe(401);
  });

  it('is good for nothing else', async () => {
    const email = await signedUp();
    await post('/magic-link', { tenant: 'acme', email });
    const token = await tokenTo(email);
    expect((await post('/password/reset', { token, password: goodPassword })).status).toBe(401);
    expect((await post('/email/confirm', { token })).status).toBe(401);
    expect((await post('/magic-link/sign-in', { token: token.replace('acme', 'other') })).status).toBe(401);
    expect((await post('/magic-link/sign-in', { token })).status).toBe(200);
  });

  it('leads to the tenant’s own app, with the token after the #', async () => {
    await tenant('linked', { appUrl: 'https://app.example.com/' });
    await person('linked', 'ada@example.com');
    await post('/magic-link', { tenant: 'linked', email: 'ada@example.com' });
    await runtime.bus.idle();
    expect(mails.at(-1)?.data).toMatchObject({
      link: expect.stringMatching(/^https:\/\/app\.example\.com\/auth\/sign-in#token=oml_linked\.[\w-]{43}$/),
    });
  });
});

describe('a password', () => {
  it('is set anew by a link, which ends all sessions and all other links', async () => {
    const email = await signedUp();
    const { accessToken, refreshToken } = await signIn('acme', email);
    await post('/magic-link', { tenant: 'acme', email });
    const magic = await tokenTo(email);
    await post('/password/forgot', { tenant: 'acme', email });
    const token = await tokenTo(email);
    const password = 'violet-anchors-hum-at-noon';
    expect((await post('/password/reset', { token, password: 'password1234' })).status).toBe(400);
    expect((await post('/password/reset', { token, password })).status).toBe(204);
    expect((await post('/password/reset', { token, password })).status).toBe(401);
    expect((await post('/refresh', { refreshToken })).status).toBe(401);
    expect((await post('/magic-link/sign-in', { token: magic })).status).toBe(401);
    runtime.clock.advance(30_000);
    expect(await isLive(accessToken)).toBe(false);
    expect((await post('/sign-in', { tenant: 'acme', email, password: goodPassword })).status).toBe(401);
    expect((await post('/sign-in', { tenant: 'acme', email, password })).status).toBe(200);
    await runtime.bus.idle();
    expect(mails.findLast(({ to }) => to === email)?.template).toBe('password-changed');
  });

  it('is changed by who knows the old one, which ends the other sessions and keeps this one', async () => {
    const email = await signedUp();
    const [here, there] = [await signIn('acme', email), await signIn('acme', email)];
    expect(await isLive(there.accessToken)).toBe(true);
    const password = 'violet-anchors-hum-at-noon';
    const change = (current: string) => post('/password/change', { current, password }, here.accessToken);
    expect((await change('wrong')).status).toBe(403);
    expect((await change(goodPassword)).status).toBe(204);
    expect((await post('/refresh', { refreshToken: there.refreshToken })).status).toBe(401);
    const next = tokensSchema.parse(await (await post('/refresh', { refreshToken: here.refreshToken })).json());
    expect(await isLive(next.accessToken)).toBe(true);
    runtime.clock.advance(30_000);
    expect(await isLive(there.accessToken)).toBe(false);
  });
});

describe('an address', () => {
  it('changes once the new one is shown to be read, and the old one is told', async () => {
    const email = await signedUp();
    const { accessToken } = await signIn('acme', email);
    const next = newAddress();
    const body = { email: next, password: goodPassword };
    expect((await post('/email/change', { ...body, password: 'wrong' }, accessToken)).status).toBe(403);
    expect((await post('/email/change', body, accessToken)).status).toBe(202);
    const token = await tokenTo(next);
    expect((await post('/sign-in', { tenant: 'acme', email: next, password: goodPassword })).status).toBe(401);
    expect((await post('/email/confirm', { token })).status).toBe(204);
    expect((await post('/email/confirm', { token })).status).toBe(401);
    expect((await post('/sign-in', { tenant: 'acme', email, password: goodPassword })).status).toBe(401);
    expect((await post('/sign-in', { tenant: 'acme', email: next, password: goodPassword })).status).toBe(200);
    await runtime.bus.idle();
    expect(mails.findLast(({ to }) => to === email)).toMatchObject({
      template: 'email-changed',
      data: { newEmail: `p…@example.com` },
    });
    // The old one is free again.
    await signedUp(email);
  });

  it('that was left leaves its links behind: who reads its mail signs in no more, nor moves the account', async () => {
    const old = await signedUp();
    const { accessToken } = await signIn('acme', old);
    await post('/magic-link', { tenant: 'acme', email: old });
    const magic = await tokenTo(old);
    await post('/password/forgot', { tenant: 'acme', email: old });
    const reset = await tokenTo(old);
    const [next, other] = [newAddress(), newAddress()];
    const change = (email: string) => post('/email/change', { email, password: goodPassword }, accessToken);
    await change(next);
    await change(other);
    const moved = await tokenTo(other);
    expect((await post('/email/confirm', { token: await tokenTo(next) })).status).toBe(204);
    expect((await post('/magic-link/sign-in', { token: magic })).status).toBe(401);
    expect((await post('/password/reset', { token: reset, password: 'violet-anchors-hum-at-noon' })).status).toBe(401);
    expect((await post('/email/confirm', { token: moved })).status).toBe(401);
    expect((await post('/sign-in', { tenant: 'acme', email: next, password: goodPassword })).status).toBe(200);
  });

  it('is sent five links to change to it in an hour, and then it says so', async () => {
    const { accessToken } = await person('acme', newAddress());
    const email = newAddress();
    const statuses = [];
    for (let i = 0; i < 6; i += 1) statuses.push((await post('/email/change', { email }, accessToken)).status);
    expect(statuses).toEqual([202, 202, 202, 202, 202, 429]);
  });

  it('that somebody has is refused to who reads its mail, and to nobody before', async () => {
    const [mine, theirs] = [await signedUp(), await signedUp()];
    const { accessToken } = await signIn('acme', mine);
    expect((await post('/email/change', { email: theirs, password: goodPassword }, accessToken)).status).toBe(202);
    expect((await post('/email/confirm', { token: await tokenTo(theirs) })).status).toBe(409);
  });

  it.each([
    ['a line break', 'ada@example.com\r\nBcc: all@example.com'],
    ['an encoded one', 'ada\u2028@example.com'],
    ['a Cyrillic letter in a Latin name', 'ada@pаypal.com'],
    ['a name of Cyrillic letters that look Latin', 'ada@аррӏе.com'],
    ['a local part that looks Latin', 'аdа@example.com'],
    ['no domain', 'ada@'],
    ['two', 'ada@example.com,eve@example.com'],
  ])('with %s is refused', async (_what, email) => {
    const body = { tenant: 'acme', email, password: goodPassword };
    expect(await refusal(await post('/sign-up', body))).toMatchObject({ status: 400, paths: ['body.email'] });
  });
});
