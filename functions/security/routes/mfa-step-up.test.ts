import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { endpoint, handle, sensitive } from '#shared/http/endpoint.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { signInResultSchema, tokensSchema } from '#shared/security/index.ts';
import { goodPassword } from '#tests/support/auth.ts';
import { appCode, mfaWorld, otherCode } from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = mfaWorld(runtime);
const { mfa, post, person, withTotp, challenged, answer, signInWith, services } = world;
const { clock } = runtime;
beforeAll(() => world.tenant('acme'));

/** Another function, which knows of nobody but by their tokens. */
const far = runtime.start(
  defineFunction({
    name: 'far',
    paths: ['/api/v1/far'],
    routes: () => [
      handle(
        endpoint({
          method: 'get',
          path: '/api/v1/far',
          summary: 'Do something sensitive',
          access: { scopes: [], stepUp: sensitive },
          status: 200,
          response: z.object({ done: z.boolean() }),
        }),
        () => ({ done: true }),
      ),
    ],
    jobs: [],
    schedules: [],
    collections: [],
    secrets: [],
  }),
  () => ({}),
);
const call = (key: string) => request(far, '/api/v1/far', { key });
const isAsked = async (key: string) => (await call(key)).status === 401;

const begin = async (key: string) =>
  z
    .object({ challenge: z.string(), methods: z.array(z.string()) })
    .parse(await (await mfa('/step-up', undefined, key)).json());
const prove = (key: string, challenge: string, proof: object) => mfa('/step-up/verify', { challenge, proof }, key);
const tokenOf = async (response: Response) =>
  z.object({ accessToken: z.string() }).parse(await response.json()).accessToken;
const next = async (refreshToken: string) =>
  tokensSchema.parse(await (await post('/refresh', { refreshToken })).json());

const quarter = 900_000;
/** Tokens live ten minutes: two refreshes on the way keep the session's. */
const later = async (refreshToken: string) => {
  clock.advance(quarter + 6_000);
  return next(refreshToken);
};

describe('a sensitive call', () => {
  it('is done within 15 minutes of a sign-in, and refused after that as RFC 9470 has it', async () => {
    const there = await person('acme');
    expect((await call(there.key)).status).toBe(200);
    const { accessToken } = await later(there.tokens.refreshToken);
    const refused = await call(accessToken);
    expect(refused.headers.get('www-authenticate')).toBe(
      'Bearer realm="omni", error="insufficient_user_authentication", ' +
        'error_description="A more recent or surer proof of who you are is needed", acr_values="aal2", max_age="900"',
    );
    expect(problemSchema.parse(await refused.json())).toMatchObject({ status: 401, code: 'step-up-required' });
  });

  it('is done after the password was shown again, by who has no second factor', async () => {
    const there = await person('acme');
    const { accessToken, refreshToken } = await later(there.tokens.refreshToken);
    const { challenge, methods } = await begin(accessToken);
    expect(methods).toEqual(['password']);
    expect((await prove(accessToken, challenge, { method: 'password', password: 'wrong' })).status).toBe(400);
    const raised = await tokenOf(await prove(accessToken, challenge, { method: 'password', password: goodPassword }));
    expect((await call(raised)).status).toBe(200);
    expect((await call((await next(refreshToken)).accessToken)).status).toBe(200);
    // The token from before says what it said.
    expect(await isAsked(accessToken)).toBe(true);
  });

  it('takes the second factor of who has one, not the password', async () => {
    const there = await withTotp('acme');
    const { accessToken } = await later(there.tokens.refreshToken);
    const { challenge, methods } = await begin(accessToken);
    expect(methods).toEqual(['totp']);
    expect((await prove(accessToken, challenge, { method: 'password', password: goodPassword })).status).toBe(400);
    const code = appCode(there.secret, clock.now());
    expect((await prove(accessToken, challenge, { method: 'totp', code: otherCode(code) })).status).toBe(400);
    const raised = await tokenOf(await prove(accessToken, challenge, { method: 'totp', code }));
    expect((await call(raised)).status).toBe(200);
    expect((await prove(accessToken, challenge, { method: 'totp', code })).status).toBe(400);
  });

  it('is not done by a session that a trusted device opened without a second factor', async () => {
    const there = await withTotp('acme');
    const { challenge } = await challenged('acme', there.email);
    const proof = { method: 'totp', code: appCode(there.secret, clock.now()) };
    const first = z
      .object({ accessToken: z.string(), deviceToken: z.string() })
      .parse(await (await answer(challenge, proof, { trustDevice: true })).json());
    expect((await call(first.accessToken)).status).toBe(200);
    const result = await signInWith('acme', there.email, { deviceToken: first.deviceToken });
    if (result.status !== 'complete') throw new Error('More is asked for.');
    expect(await isAsked(result.accessToken)).toBe(true);
    clock.advance(30_000);
    const step = await begin(result.accessToken);
    const code = appCode(there.secret, clock.now());
    const raised = await tokenOf(await prove(result.accessToken, step.challenge, { method: 'totp', code }));
    expect((await call(raised)).status).toBe(200);
  });

  it('takes no answer from another session, nor one to a sign-in', async () => {
    const there = await withTotp('acme');
    const other = signInResultSchema.parse({
      status: 'complete',
      ...(await services.sessions.open('acme', await userOf(there.email), { methods: ['pwd'], device: {} })),
    });
    if (other.status !== 'complete') throw new Error('More is asked for.');
    const { challenge } = await begin(there.key);
    const proof = { method: 'totp', code: appCode(there.secret, clock.now()) };
    expect((await prove(other.accessToken, challenge, proof)).status).toBe(400);
    expect((await answer(challenge, proof)).status).toBe(401);
    const signIn = await challenged('acme', there.email);
    expect((await prove(there.key, signIn.challenge, proof)).status).toBe(400);
    expect((await prove(there.key, challenge, proof)).status).toBe(200);
  });

  it('can be demanded of a session that has become suspicious, within 30 seconds', async () => {
    const there = await person('acme');
    expect((await call(there.key)).status).toBe(200);
    await services.stepUp.require('acme', there.tokens.session);
    clock.advance(30_000);
    expect(await isAsked(there.key)).toBe(true);
    expect(await isAsked((await next(there.tokens.refreshToken)).accessToken)).toBe(true);
  });

  it('is not asked of keys, whose scopes say what they may', async () => {
    expect((await call(await runtime.key('acme', ['*']))).status).toBe(200);
  });

  it('is for instance to change factors, keys, roles and settings', async () => {
    const owner = await person('acme', ['owner']);
    const { accessToken: key } = await later(owner.tokens.refreshToken);
    const auth = '/api/v1/auth';
    const calls = [
      ['POST', '/api/v1/mfa/totp', undefined],
      ['POST', '/api/v1/mfa/backup-codes', undefined],
      ['POST', `${auth}/passkeys/registration/options`, undefined],
      ['POST', `${auth}/api-keys`, { name: 'x', scopes: ['ai:read'] }],
      ['POST', `${auth}/email/change`, { email: 'new@example.com', password: goodPassword }],
      ['PUT', `${auth}/users/${owner.user}/roles`, { roles: ['owner'] }],
      ['PUT', `${auth}/settings`, {}],
      ['POST', '/api/v1/security/audit/exports', {}],
      ['DELETE', '/api/v1/advanced-security/subjects/ada', undefined],
    ] as const;
    for (const [method, path, body] of calls) {
      const response = await request(world.app, path, { method, key, ...(body === undefined ? {} : { body }) });
      expect([path, problemSchema.parse(await response.json()).code]).toEqual([path, 'step-up-required']);
    }
  });
});

const userOf = async (email: string) => {
  const user = await services.users.findByEmail('acme', email);
  if (user === undefined) throw new Error('The user is not there.');
  return user;
};
