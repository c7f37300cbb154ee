import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { systemActor } from '#shared/kernel/actor.ts';
import { ceremonySchema, newTotpSchema, passkeyViewSchema } from '#shared/security/index.ts';
import { softwareAuthenticator } from '#tests/support/authenticator.ts';
import { meanwhile } from '#tests/support/meanwhile.ts';
import { appCode, mfaWorld, type Person } from '#tests/support/mfa.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { passkeyCollection } from '../sessions/passkey.schema.ts';
import { mfaProfileCollection } from './mfa.schema.ts';

const origin = 'https://app.example.com';
const others = meanwhile(embeddedDriver());
const runtime = await testRuntime({ driver: others.driver });
const world = mfaWorld(runtime);
const { app, mfa, post, person, withTotp, addTotp, refreshed, services } = world;
await world.tenant('acme', { passkeys: { rpId: 'app.example.com', rpName: 'Example', origins: [origin] } });
await world.setPolicy('acme', { mfa: { required: 'everybody', methods: ['totp', 'passkey', 'sms'], graceDays: 0 } });

const codeOf = async (response: Response) => z.object({ code: z.string() }).parse(await response.json()).code;

const beginPasskey = async ({ key }: Person) => {
  const authenticator = softwareAuthenticator({ origin });
  const begun = await (await post('/passkeys/registration/options', undefined, key)).json();
  const { flow, options } = ceremonySchema.parse(begun);
  const body = { flow, name: 'My phone', response: authenticator.create(options) };
  return () => post('/passkeys/registration', body, key);
};
const addPasskey = async (there: Person) =>
  passkeyViewSchema.parse(await (await (await beginPasskey(there))()).json()).id;

const stores = {
  profiles: runtime.database.tenants(mfaProfileCollection),
  keys: runtime.database.tenants(passkeyCollection),
};
const factorsOf = async (user: string) => {
  const [profile, keys] = await Promise.all([
    stores.profiles.of('acme').get(user),
    stores.keys.of('acme').query({ where: [{ field: 'user', op: '==', value: user }], limit: 10 }),
  ]);
  return { apps: profile?.value.totps.length ?? 0, passkeys: keys.items.length };
};

/** Somebody with an app and a passkey, and how they remove each. */
const withBoth = async () => {
  const there = await withTotp('acme');
  const passkey = await addPasskey(there);
  const { key, user } = await refreshed(there);
  const app1 = (await stores.profiles.of('acme').get(user))?.value.totps[0]?.id ?? '';
  const remove = (path: string) => request(app, path, { method: 'DELETE', key });
  return {
    user,
    removePasskey: () => remove(`/api/v1/auth/passkeys/${passkey}`),
    removeApp: () => remove(`/api/v1/mfa/factors/${app1}`),
  };
};

describe('the last second factor of somebody who has to have one', () => {
  it('stays, where an app is removed while the passkey is', async () => {
    const { user, removeApp, removePasskey } = await withBoth();
    others.beforeTransaction(removePasskey);
    expect((await removeApp()).status).toBe(412);
    expect(others.happened()).toBe(true);
    expect(await factorsOf(user)).toEqual({ apps: 1, passkeys: 0 });
  });

  it('stays, where a passkey is removed while the app is', async () => {
    const { user, removeApp, removePasskey } = await withBoth();
    others.beforeTransaction(removeApp);
    expect((await removePasskey()).status).toBe(412);
    expect(await factorsOf(user)).toEqual({ apps: 0, passkeys: 1 });
  });

  it('stays, where the passkey goes between the looks at both', async () => {
    const { user, removeApp, removePasskey } = await withBoth();
    others.beforeRead('mfaProfiles', removePasskey);
    expect((await removeApp()).status).toBe(412);
    expect(others.happened()).toBe(true);
    expect(await factorsOf(user)).toEqual({ apps: 1, passkeys: 0 });
  });
});

describe('a factor that was begun in a session of one factor', () => {
  /** The same account in two sessions, neither of which has shown a second factor. */
  const twoSessions = async () => {
    const first = await person('acme');
    const user = await services.users.findByEmail('acme', first.email);
    if (user === undefined) throw new Error('The user is not there.');
    const tokens = await services.sessions.open('acme', user, { methods: ['pwd'], device: {} });
    return { first, second: { ...first, key: tokens.accessToken, tokens } };
  };

  it('is not set up any more once there is another: an app', async () => {
    const { first, second } = await twoSessions();
    const begun = newTotpSchema.parse(await (await mfa('/totp', undefined, first.key)).json());
    await addTotp(second);
    const code = appCode(begun.secret, runtime.clock.now());
    const confirmed = await mfa('/totp/confirm', { enrolment: begun.enrolment, code, name: 'Mine' }, first.key);
    expect(await codeOf(confirmed)).toBe('step-up-required');
    expect(await factorsOf(first.user)).toEqual({ apps: 1, passkeys: 0 });
  });

  it('is not set up any more once there is another: a number', async () => {
    const { first, second } = await twoSessions();
    const number = '+4930111111';
    const begun = z.object({ enrolment: z.string() }).parse(await (await mfa('/phone', { number }, first.key)).json());
    const code = await world.codeTo(number);
    await addTotp(second);
    expect(await codeOf(await mfa('/phone/confirm', { ...begun, code }, first.key))).toBe('step-up-required');
    expect((await stores.profiles.of('acme').get(first.user))?.value.phone).toBeUndefined();
  });

  it('is not set up any more once there is another: a passkey', async () => {
    const { first, second } = await twoSessions();
    const register = await beginPasskey(first);
    await addTotp(second);
    expect(await codeOf(await register())).toBe('step-up-required');
    expect(await factorsOf(first.user)).toEqual({ apps: 1, passkeys: 0 });
  });

  it('is not set up where the other comes at the same moment', async () => {
    const { first, second } = await twoSessions();
    const register = await beginPasskey(first);
    const begun = newTotpSchema.parse(await (await mfa('/totp', undefined, second.key)).json());
    const code = appCode(begun.secret, runtime.clock.now());
    const body = { enrolment: begun.enrolment, code, name: 'Mine' };
    others.beforeTransaction(() => mfa('/totp/confirm', body, second.key));
    expect(await codeOf(await register())).toBe('step-up-required');
    expect(others.happened()).toBe(true);
    expect(await factorsOf(first.user)).toEqual({ apps: 1, passkeys: 0 });
  });
});

it('of two who get in by setting up a factor, the second has to show that of the first', async () => {
  const { email, user } = await person('acme');
  const begin = async (method: string) => {
    const { challenge } = await world.challenged('acme', email);
    return { challenge, begun: await (await mfa('/challenge/enrolment', { challenge, method })).json() };
  };
  const [passkey, totp] = [await begin('passkey'), await begin('totp')];
  const { options } = z.object({ options: ceremonySchema.shape.options }).parse(passkey.begun);
  const response = softwareAuthenticator({ origin }).create(options);
  const { secret } = z.object({ secret: z.string() }).parse(totp.begun);
  const confirm = (challenge: string, factor: object) => mfa('/challenge/enrolment/confirm', { challenge, factor });
  const code = appCode(secret, runtime.clock.now());
  others.beforeTransaction(() => confirm(totp.challenge, { method: 'totp', name: 'App', code }));
  const second = await confirm(passkey.challenge, { method: 'passkey', name: 'Key', response });
  expect(others.happened()).toBe(true);
  expect(second.status).toBe(401);
  expect(await factorsOf(user)).toEqual({ apps: 1, passkeys: 0 });
});

it('a reset leaves no passkey that is registered while it takes place', async () => {
  const there = await withTotp('acme');
  const admin = systemActor('acme', 'test');
  const boss = await withTotp('acme', ['admin']);
  const body = { user: there.user, reason: 'Lost' };
  const { id } = z.object({ id: z.string() }).parse(await (await mfa('/resets', body, boss.key)).json());
  runtime.clock.advance(24 * 3_600_000 - 60_000);
  const user = await services.users.findByEmail('acme', there.email);
  if (user === undefined) throw new Error('The user is not there.');
  const tokens = await services.sessions.open('acme', user, {
    methods: ['pwd', 'otp'],
    device: {},
    secondFactor: true,
  });
  const register = await beginPasskey({ ...there, key: tokens.accessToken, tokens });
  runtime.clock.advance(120_000);
  const write = await services.factorResets.complete(admin.tenant, id);
  expect((await register()).status).toBe(201);
  await expect(runtime.database.transaction(write)).rejects.toMatchObject({ code: 'revision-conflict' });
  await runtime.database.transaction(await services.factorResets.complete(admin.tenant, id));
  expect(await factorsOf(there.user)).toEqual({ apps: 0, passkeys: 0 });
});

it('a code that was sent to a number is good no more once the number is gone', async () => {
  const there = await withTotp('acme');
  const number = '+4930222222';
  const begun = z.object({ enrolment: z.string() }).parse(await (await mfa('/phone', { number }, there.key)).json());
  const confirmed = await mfa('/phone/confirm', { ...begun, code: await world.codeTo(number) }, there.key);
  const { id } = z.object({ id: z.string() }).parse(await confirmed.json());
  const { challenge } = await world.challenged('acme', there.email);
  await mfa('/challenge/send', { challenge, method: 'sms' });
  const code = await world.codeTo(number);
  const { key } = await refreshed(there);
  expect((await request(app, `/api/v1/mfa/factors/${id}`, { method: 'DELETE', key })).status).toBe(204);
  expect((await world.answer(challenge, { method: 'sms', code })).status).toBe(401);
});
