import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ceremonySchema, passkeyViewSchema, signInResultSchema } from '#shared/security/index.ts';
import { authWorld, base } from '#tests/support/auth.ts';
import { softwareAuthenticator } from '#tests/support/authenticator.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const origin = 'https://app.example.com';
const passkeys = { rpId: 'app.example.com', rpName: 'Example', origins: [origin] };

const runtime = await testRuntime();
const { app, post, tenant, person } = authWorld(runtime);
beforeAll(() => tenant('acme', { passkeys }));

let people = 0;
const somebody = () => {
  people += 1;
  return person('acme', `person-${people}@example.com`);
};
const ceremony = async (path: string, body?: unknown, key?: string) =>
  ceremonySchema.parse(await (await post(`/passkeys/${path}/options`, body, key)).json());

type Authenticator = ReturnType<typeof softwareAuthenticator>;

const register = async (key: string, authenticator: Authenticator, from?: string) => {
  const { flow, options } = await ceremony('registration', undefined, key);
  const response = authenticator.create(options, from);
  return post('/passkeys/registration', { flow, name: 'My phone', response }, key);
};
const registered = async () => {
  const somebodys = await somebody();
  const authenticator = softwareAuthenticator({ origin });
  const made = await register(somebodys.accessToken, authenticator);
  expect(made.status).toBe(201);
  return { ...somebodys, authenticator, passkey: passkeyViewSchema.parse(await made.json()) };
};
const signIn = async (authenticator: Authenticator, from?: string) => {
  const { flow, options } = await ceremony('sign-in', { tenant: 'acme' });
  return { tenant: 'acme', flow, response: authenticator.get(options, from) };
};

describe('a passkey', () => {
  it('signs its owner in, without a name and without a password', async () => {
    const { authenticator, user } = await registered();
    const result = signInResultSchema.parse(
      await (await post('/passkeys/sign-in', await signIn(authenticator))).json(),
    );
    expect(result).toMatchObject({ status: 'complete', user });
  });

  it('is listed with its name, and removed', async () => {
    const { accessToken: key, authenticator, passkey } = await registered();
    const list = async () =>
      z
        .object({ items: z.array(passkeyViewSchema) })
        .parse(await (await request(app, `${base}/passkeys`, { key })).json());
    expect((await list()).items).toMatchObject([{ id: passkey.id, name: 'My phone', transports: ['internal'] }]);
    const remove = (by: string) => request(app, `${base}/passkeys/${passkey.id}`, { method: 'DELETE', key: by });
    expect((await remove((await somebody()).accessToken)).status).toBe(404);
    expect((await remove(key)).status).toBe(204);
    expect((await list()).items).toEqual([]);
    expect((await post('/passkeys/sign-in', await signIn(authenticator))).status).toBe(401);
  });

  it('answers a challenge once, of concurrent answers too', async () => {
    const { authenticator } = await registered();
    const body = await signIn(authenticator);
    const all = await Promise.all(Array.from({ length: 5 }, () => post('/passkeys/sign-in', body)));
    expect(all.map(({ status }) => status).toSorted()).toEqual([200, 401, 401, 401, 401]);
  });

  it('whose counter goes back is refused: it was copied', async () => {
    const { authenticator } = await registered();
    authenticator.setCounter(10);
    expect((await post('/passkeys/sign-in', await signIn(authenticator))).status).toBe(200);
    authenticator.setCounter(5);
    expect((await post('/passkeys/sign-in', await signIn(authenticator))).status).toBe(401);
  });

  it.each([
    ['of another page', 'https://evil.example.com'],
    ['of a page that only begins alike', 'https://app.example.com.evil.example'],
    ['of a page without TLS', 'http://app.example.com'],
  ])('is neither registered nor used for an answer %s', async (_what, from) => {
    const { authenticator } = await registered();
    expect((await post('/passkeys/sign-in', await signIn(authenticator, from))).status).toBe(401);
    const { accessToken } = await somebody();
    expect((await register(accessToken, softwareAuthenticator({ origin }), from)).status).toBe(400);
  });

  it('that has not verified its owner is neither registered nor used', async () => {
    const { accessToken } = await somebody();
    const careless = softwareAuthenticator({ origin, verifiesUser: false });
    expect((await register(accessToken, careless)).status).toBe(400);
  });

  it('of one challenge answers no other, and of one ceremony ends no other', async () => {
    const { authenticator, accessToken: key } = await registered();
    const [mine, other] = [await signIn(authenticator), await signIn(authenticator)];
    expect((await post('/passkeys/sign-in', { ...mine, flow: other.flow })).status).toBe(401);
    const registration = await ceremony('registration', undefined, key);
    expect((await post('/passkeys/sign-in', { ...mine, flow: registration.flow })).status).toBe(401);
  });

  it('can not be registered by the answer to somebody else’s ceremony', async () => {
    const [ada, eve] = [await somebody(), await somebody()];
    const { flow, options } = await ceremony('registration', undefined, ada.accessToken);
    const response = softwareAuthenticator({ origin }).create(options);
    const body = { flow, name: 'Eve’s', response };
    expect((await post('/passkeys/registration', body, eve.accessToken)).status).toBe(400);
  });

  it('ends with its time: a ceremony takes ten minutes at most', async () => {
    const { authenticator } = await registered();
    const body = await signIn(authenticator);
    runtime.clock.advance(600_000);
    expect((await post('/passkeys/sign-in', body)).status).toBe(401);
  });

  it('signs nobody in to another tenant, nor where the tenant has none', async () => {
    await tenant('other', { passkeys });
    await tenant('none');
    const { authenticator } = await registered();
    const { flow, options } = await ceremony('sign-in', { tenant: 'other' });
    const body = { tenant: 'other', flow, response: authenticator.get(options) };
    expect((await post('/passkeys/sign-in', body)).status).toBe(401);
    expect((await post('/passkeys/sign-in/options', { tenant: 'none' })).status).toBe(412);
  });
});
