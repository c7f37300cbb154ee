import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createServices as createPlatform } from '#functions/platform/services.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { signInResultSchema, userViewSchema } from '#shared/security/index.ts';
import { authWorld } from '#tests/support/auth.ts';
import { startOidcServer } from '#tests/support/oidc-provider.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const redirectUri = 'https://app.example.com/signed-in';
const client = { clientId: 'omni', clientSecret: 'a-secret-between-the-two-of-us' };
const server = await startOidcServer({ redirectUri, ...client });
afterAll(() => server.close());

const runtime = await testRuntime();
const { app, post, tenant, person, tokenTo, services } = authWorld(runtime);

const open = async (id: string, provider: { linkByEmail?: boolean; signUp?: boolean } = {}): Promise<void> => {
  await tenant(id, { providers: { idp: { issuer: server.issuer, ...client, ...provider } } });
  const policy = { redirects: [redirectUri] };
  const key = await runtime.key(id, ['*']);
  const put = { method: 'PUT', key, body: policy, headers: { 'if-match': '"0"' } };
  expect((await request(app, '/api/v1/security/policy', put)).status).toBe(200);
};
beforeAll(async () => {
  await open('acme', { signUp: true });
  await open('linking', { linkByEmail: true });
});

const begin = async (of: string) =>
  z
    .object({ authorizationUrl: z.string(), flow: z.string() })
    .parse(await (await post('/oidc/idp/start', { tenant: of, redirectUri })).json());
const finish = (of: string, flow: string, parameters: string) =>
  post('/oidc/idp/callback', { tenant: of, flow, parameters });
const signIn = async (of: string) => {
  const { authorizationUrl, flow } = await begin(of);
  return finish(of, flow, await server.visit(authorizationUrl));
};
const userOf = async (response: Response): Promise<string> => {
  const result = signInResultSchema.parse(await response.json());
  return result.status === 'complete' ? result.user : '';
};

describe('signing in at a provider', () => {
  it('asks it with PKCE, a state and a nonce', async () => {
    const { searchParams } = new URL((await begin('acme')).authorizationUrl);
    expect(Object.fromEntries(searchParams)).toMatchObject({
      client_id: 'omni',
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      redirect_uri: redirectUri,
    });
  });

  it('opens an account for who comes first, where the tenant lets it, and the same one again', async () => {
    server.become({ sub: 'ada', email: 'Ada@Example.com', email_verified: true, name: 'Ada' });
    const first = await signIn('acme');
    expect(first.status).toBe(200);
    const user = await userOf(first);
    server.become({ sub: 'ada', email: 'ada@new.example.com', email_verified: true });
    expect(await userOf(await signIn('acme'))).toBe(user);
    const view = userViewSchema.parse(await services.users.get(systemActor('acme', 'test'), user));
    expect(view).toMatchObject({ email: 'ada@example.com', emailVerified: true, name: 'Ada', roles: ['member'] });
  });

  it('opens none where the tenant does not, nor for an address that the provider has not verified', async () => {
    server.become({ sub: 'bob', email: 'bob@example.com', email_verified: true });
    expect((await signIn('linking')).status).toBe(401);
    server.become({ sub: 'eve', email: 'eve@example.com', email_verified: false });
    expect((await signIn('acme')).status).toBe(401);
    server.become({ sub: 'mallory' });
    expect((await signIn('acme')).status).toBe(401);
  });

  it('takes over an account of the same address only where the tenant trusts the provider so far', async () => {
    const [cy, dee] = [await person('acme', 'cy@example.com'), await person('linking', 'dee@example.com')];
    server.become({ sub: 'cy', email: 'cy@example.com', email_verified: true });
    expect((await signIn('acme')).status).toBe(401);
    server.become({ sub: 'dee', email: 'dee@example.com', email_verified: false });
    expect((await signIn('linking')).status).toBe(401);
    server.become({ sub: 'dee', email: 'dee@example.com', email_verified: true });
    expect(await userOf(await signIn('linking'))).toBe(dee.user);
    expect(cy.user).not.toBe(dee.user);
  });

  it('makes one account of one person who comes twice at once', async () => {
    server.become({ sub: 'twice', email: 'twice@example.com', email_verified: true });
    const flows = [await begin('acme'), await begin('acme')];
    const queries: string[] = [];
    for (const { authorizationUrl } of flows) queries.push(await server.visit(authorizationUrl));
    const answers = await Promise.all(flows.map(({ flow }, i) => finish('acme', flow, queries[i] ?? '')));
    const users = await Promise.all(answers.map(userOf));
    expect(new Set(users).size).toBe(1);
  });
});

describe('an account that was removed', () => {
  const { members, invitations } = createPlatform(runtime);
  const administrator = (of: string) => systemActor(of, 'test');

  it('keeps nobody out: who signs in at the provider again comes as somebody new', async () => {
    server.become({ sub: 'fay', email: 'fay@example.com', email_verified: true });
    const before = await userOf(await signIn('acme'));
    await members.remove(administrator('acme'), before);
    const after = await userOf(await signIn('acme'));
    expect(after).not.toBe('');
    expect(after).not.toBe(before);
    expect(await userOf(await signIn('acme'))).toBe(after);
  });

  it('leaves its place at the provider to the account of whoever is invited again', async () => {
    server.become({ sub: 'gus', email: 'gus@example.com', email_verified: true });
    const { user } = await person('linking', 'gus@example.com');
    expect(await userOf(await signIn('linking'))).toBe(user);
    await members.remove(administrator('linking'), user);
    // Nobody invites them yet, and this tenant takes no strangers.
    expect((await signIn('linking')).status).toBe(401);
    await invitations.invite(administrator('linking'), { email: 'gus@example.com', roles: ['viewer'] });
    const accepted = await invitations.accept({ token: await tokenTo('gus@example.com') });
    expect(accepted.isNew).toBe(true);
    expect(await userOf(await signIn('linking'))).toBe(accepted.user);
  });

  it('tells nobody which accounts elsewhere are tied to it', async () => {
    server.become({ sub: 'hal', email: 'hal@example.com', email_verified: true });
    const user = await userOf(await signIn('acme'));
    const key = await runtime.key('acme', ['*']);
    const view = await (await request(app, `/api/v1/auth/users/${user}`, { key })).text();
    expect(view).toContain('hal@example.com');
    expect(view).not.toContain(server.issuer);
  });
});

describe('the vector of RFC 7636, appendix B', () => {
  it('makes the published challenge of the published verifier', async () => {
    const { calculatePKCECodeChallenge } = await import('openid-client');
    expect(await calculatePKCECodeChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });
});

describe('what comes back', () => {
  it('is taken once', async () => {
    server.become({ sub: 'ada', email: 'ada@example.com', email_verified: true });
    const { authorizationUrl, flow } = await begin('acme');
    const query = await server.visit(authorizationUrl);
    expect((await finish('acme', flow, query)).status).toBe(200);
    expect((await finish('acme', flow, query)).status).toBe(401);
  });

  it('is refused in a browser that did not begin it, and with another state', async () => {
    server.become({ sub: 'ada', email: 'ada@example.com', email_verified: true });
    const [mine, others] = [await begin('acme'), await begin('acme')];
    const query = await server.visit(others.authorizationUrl);
    expect((await finish('acme', mine.flow, query)).status).toBe(401);
    expect((await finish('acme', 'x'.repeat(43), query)).status).toBe(401);
    expect((await finish('acme', others.flow, query.replace(/state=[^&]+/, 'state=forged'))).status).toBe(401);
  });

  it.each(['error=access_denied&state=x', 'code=forged', 'x', 'code=a&code=b&state=c&state=d', '&&&'])(
    'is refused as %s',
    async (query) => {
      const { flow, authorizationUrl } = await begin('acme');
      const state = new URL(authorizationUrl).searchParams.get('state') ?? '';
      expect((await finish('acme', flow, query.replace('state=x', `state=${state}`))).status).toBe(401);
    },
  );

  it('is refused with an ID token that is not signed by the provider as it stands', async () => {
    server.become({ sub: 'ada', email: 'ada@example.com', email_verified: true });
    server.forge({ sub: 'bob', email: 'bob@example.com', email_verified: true });
    expect((await signIn('acme')).status).toBe(401);
    expect((await signIn('acme')).status).toBe(200);
  });

  it('is not taken by another tenant', async () => {
    server.become({ sub: 'ada', email: 'ada@example.com', email_verified: true });
    const { authorizationUrl, flow } = await begin('acme');
    expect((await finish('linking', flow, await server.visit(authorizationUrl))).status).toBe(401);
  });
});

describe('a redirect', () => {
  it.each([
    'https://evil.example.com/',
    'https://app.example.com/signed-in/',
    'https://app.example.com/signed-in?next=https://evil.example.com',
    'https://app.example.com@evil.example.com/signed-in',
    'https://APP.example.com/signed-in',
    '//app.example.com/signed-in',
    'javascript:alert(1)',
  ])('to %s is refused before anybody is sent anywhere', async (uri) => {
    expect((await post('/oidc/idp/start', { tenant: 'acme', redirectUri: uri })).status).toBe(400);
  });

  it.each(['none', '__proto__', 'constructor'])('to the provider %s is refused', async (name) => {
    const status = (await post(`/oidc/${name}/start`, { tenant: 'acme', redirectUri })).status;
    expect([400, 404]).toContain(status);
  });
});
