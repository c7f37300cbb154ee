import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { authSettingsViewSchema, sessionViewSchema, tokensSchema } from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from '#tests/support/auth.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();

const { app, post, tenant, tokenTo, events, person, signIn, services } = authWorld(runtime);

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

const isLive = async (key: string): Promise<boolean> => (await send('/me', { key })).status === 200;

describe('sessions', () => {
  it('are listed, ended one by one, and all but one', async () => {
    const email = await signedUp();
    const [a, b, c] = [await signIn('acme', email), await signIn('acme', email), await signIn('acme', email)];
    const list = async (key: string) =>
      pageSchema(sessionViewSchema).parse(await (await send('/sessions', { key })).json()).items;
    expect((await list(a.accessToken)).filter(({ current }) => current).map(({ id }) => id)).toEqual([a.session]);
    expect(await list(a.accessToken)).toHaveLength(4);
    const end = (id: string) => send(`/sessions/${id}`, { method: 'DELETE', key: a.accessToken });
    expect((await end(b.session)).status).toBe(204);
    expect((await end(b.session)).status).toBe(204);
    expect((await post('/refresh', { refreshToken: b.refreshToken })).status).toBe(401);
    const stranger = await person('acme', newAddress());
    expect((await end(stranger.session)).status).toBe(404);
    expect((await post('/sessions/revoke-others', undefined, a.accessToken)).status).toBe(204);
    expect((await post('/refresh', { refreshToken: c.refreshToken })).status).toBe(401);
    const { accessToken } = tokensSchema.parse(await (await post('/refresh', { refreshToken: a.refreshToken })).json());
    expect(await list(accessToken)).toHaveLength(1);
    await runtime.bus.idle();
    expect(events.filter(({ type }) => type === 'security.session.revoked').length).toBeGreaterThanOrEqual(2);
  });

  it('end by sign-out: the refresh token at once, the access token within a minute', async () => {
    const { accessToken, refreshToken } = await person('acme', newAddress());
    expect(await isLive(accessToken)).toBe(true);
    expect((await post('/sign-out', undefined, accessToken)).status).toBe(204);
    expect((await post('/refresh', { refreshToken })).status).toBe(401);
    // What reads the session again knows at once.
    expect(await isLive(accessToken)).toBe(false);
    runtime.clock.advance(30_000);
    expect((await send('/roles', { key: accessToken })).status).toBe(401);
  });

  it('end with the account', async () => {
    const { accessToken, user } = await person('acme', newAddress());
    const admin = await person('acme', newAddress(), ['owner']);
    const body = { status: 'disabled' };
    const path = `/users/${user}/status`;
    expect((await send(path, { method: 'PUT', body, key: accessToken })).status).toBe(403);
    expect((await send(path, { method: 'PUT', body, key: admin.accessToken })).status).toBe(200);
    runtime.clock.advance(30_000);
    expect(await isLive(accessToken)).toBe(false);
  });

  it('are for people: a key has none', async () => {
    const key = await runtime.key('acme', ['*']);
    expect(await refusal(await send('/sessions', { key }))).toMatchObject({ status: 403 });
  });
});

describe('a service account', () => {
  it('gets a token for its secret, with its scopes and no more', async () => {
    const { accessToken: key } = await person('acme', newAddress(), ['owner']);
    const made = z
      .object({ id: z.string(), clientId: z.string(), clientSecret: z.string() })
      .parse(await (await post('/service-accounts', { name: 'ci', scopes: ['roles:read'] }, key)).json());
    const ask = (secret: string) =>
      post('/token', { grant_type: 'client_credentials', client_id: made.clientId, client_secret: secret });
    expect((await ask('x'.repeat(43))).status).toBe(401);
    const { access_token: token } = z
      .object({ access_token: z.string() })
      .parse(await (await ask(made.clientSecret)).json());
    expect((await send('/roles', { key: token })).status).toBe(200);
    expect((await send('/users', { key: token })).status).toBe(403);
    const rotated = z
      .object({ clientSecret: z.string() })
      .parse(await (await post(`/service-accounts/${made.id}/rotate`, { overlap: 60 }, key)).json());
    expect((await ask(made.clientSecret)).status).toBe(200);
    expect((await ask(rotated.clientSecret)).status).toBe(200);
    runtime.clock.advance(60_000);
    expect((await ask(made.clientSecret)).status).toBe(401);
    expect((await send(`/service-accounts/${made.id}`, { method: 'DELETE', key })).status).toBe(204);
    runtime.clock.advance(30_000);
    expect((await send('/roles', { key: token })).status).toBe(401);
    expect((await ask(rotated.clientSecret)).status).toBe(401);
  });
});

describe('API keys', () => {
  it('are issued, listed with their last use, replaced with an overlap, and revoked', async () => {
    await tenant('keyed');
    const { accessToken: owner } = await person('keyed', newAddress(), ['owner']);
    const secret = z.object({ id: z.string(), key: z.string() });
    const first = secret.parse(await (await post('/api-keys', { name: 'ci', scopes: ['roles:read'] }, owner)).json());
    expect((await send('/roles', { key: first.key })).status).toBe(200);
    const next = secret.parse(await (await post(`/api-keys/${first.id}/rotate`, { overlap: 60 }, owner)).json());
    expect((await send('/roles', { key: next.key })).status).toBe(200);
    expect((await send('/roles', { key: first.key })).status).toBe(200);
    const text = await (await send('/api-keys', { key: owner })).text();
    expect(text).not.toContain(next.key.slice(21));
    expect(JSON.parse(text).items).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ id: first.id, rotatedTo: next.id, lastUsedAt: expect.any(String) }),
      ]),
    );
    runtime.clock.advance(60_000);
    expect((await send('/roles', { key: first.key })).status).toBe(401);
    expect((await send(`/api-keys/${next.id}`, { method: 'DELETE', key: owner })).status).toBe(204);
    expect((await send('/roles', { key: next.key })).status).toBe(401);
  });

  it('never may more than who gives them away', async () => {
    const { accessToken: admin } = await person('acme', newAddress(), ['admin']);
    expect((await post('/api-keys', { name: 'x', scopes: ['*'] }, admin)).status).toBe(403);
    expect((await post('/service-accounts', { name: 'x', scopes: ['keys:*'] }, admin)).status).toBe(403);
  });
});

describe('roles', () => {
  it('of a tenant’s own making hold within a minute, and fall away with the role', async () => {
    const { accessToken: owner } = await person('acme', newAddress(), ['owner']);
    const put = (scopes: readonly string[]) =>
      send('/roles/key-keeper', { method: 'PUT', body: { scopes }, key: owner });
    expect((await put(['keys:read'])).status).toBe(200);
    const { accessToken } = await person('acme', newAddress(), ['key-keeper']);
    expect((await send('/api-keys', { key: accessToken })).status).toBe(200);
    expect((await send('/users', { key: accessToken })).status).toBe(403);
    expect((await put(['keys:read', 'users:read'])).status).toBe(200);
    runtime.clock.advance(30_000);
    expect((await send('/users', { key: accessToken })).status).toBe(200);
    expect((await send('/roles/key-keeper', { method: 'DELETE', key: owner })).status).toBe(204);
    runtime.clock.advance(30_000);
    expect((await send('/users', { key: accessToken })).status).toBe(403);
  });

  it('can’t be used to rise: an admin makes no owner, and touches none', async () => {
    const { accessToken: admin, user } = await person('acme', newAddress(), ['admin']);
    const owner = await person('acme', newAddress(), ['owner']);
    const set = (id: string, roles: readonly string[]) =>
      send(`/users/${id}/roles`, { method: 'PUT', body: { roles }, key: admin });
    expect((await set(user, ['owner'])).status).toBe(403);
    expect((await set(owner.user, ['viewer'])).status).toBe(403);
    expect((await set(user, ['no-such-role'])).status).toBe(400);
    expect((await send('/roles/owner', { method: 'PUT', body: { scopes: ['ai:read'] }, key: admin })).status).toBe(400);
  });
});

describe('the settings', () => {
  it('let an owner alone name who opens accounts that are there', async () => {
    await tenant('trusting', { signUp: false });
    const [owner, admin] = [
      (await person('trusting', 'owner@example.com', ['owner'])).accessToken,
      (await person('trusting', 'admin@example.com', ['admin'])).accessToken,
    ];
    const provider = (issuer: string, linkByEmail = true) => ({ issuer, clientId: 'omni', linkByEmail });
    const put = async (key: string, one: object, settings = {}) =>
      (await send('/settings', { method: 'PUT', key, body: { ...settings, providers: { idp: one } } })).status;
    expect(await put(admin, provider('https://id.example.com'))).toBe(403);
    expect(await put(admin, provider('https://id.example.com', false))).toBe(200);
    expect(await put(owner, provider('https://id.example.com'))).toBe(200);
    expect(await put(admin, provider('https://id.example.com'), { signUp: true })).toBe(200);
    expect(await put(admin, provider('https://of-the-admin.example.com'))).toBe(403);
  });

  it('let an owner alone say where the links in mails lead', async () => {
    await tenant('linking', { signUp: false });
    const [owner, admin] = [
      (await person('linking', 'owner@example.com', ['owner'])).accessToken,
      (await person('linking', 'admin@example.com', ['admin'])).accessToken,
    ];
    const put = async (key: string, body: object) => (await send('/settings', { method: 'PUT', key, body })).status;
    expect(await put(admin, { appUrl: 'https://of-the-admin.example.com' })).toBe(403);
    expect((await services.authSettings.of('linking')).appUrl).toBeUndefined();
    expect(await put(owner, { appUrl: 'https://app.example.com' })).toBe(200);
    expect(await put(admin, { appUrl: 'https://app.example.com', signUp: true })).toBe(200);
    expect(await put(admin, { appUrl: 'https://of-the-admin.example.com' })).toBe(403);
  });

  it('never show a provider’s secret, and keep it under its name for its issuer alone', async () => {
    await tenant('shown');
    const { accessToken: key } = await person('shown', newAddress(), ['owner']);
    const provider = { issuer: 'https://idp.example.com', clientId: 'omni' };
    const put = (one: object) => send('/settings', { method: 'PUT', key, body: { providers: { idp: one } } });
    const keeps = async (response: Response) =>
      authSettingsViewSchema.parse(await response.json()).providers.idp?.hasClientSecret;
    const text = await (await put({ ...provider, clientSecret: 'the-secret-of-omni' })).text();
    expect(text).not.toContain('the-secret-of-omni');
    expect((await services.authSettings.of('shown')).providers.idp?.clientSecret).not.toContain('the-secret');
    expect(await keeps(await put(provider))).toBe(true);
    const elsewhere = { ...provider, issuer: 'https://evil.example.com' };
    expect(await keeps(await put(elsewhere))).toBe(false);
  });

  it.each(['http://app.example.com', 'javascript:alert(1)', 'https://user@app.example.com', '//evil.example.com'])(
    'take no %s as the app',
    async (appUrl) => {
      const key = await runtime.key('acme', ['*']);
      expect(await refusal(await send('/settings', { method: 'PUT', key, body: { appUrl } }))).toMatchObject({
        status: 400,
      });
    },
  );
});
