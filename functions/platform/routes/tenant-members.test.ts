import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { platform } from '#functions/platform/app.ts';
import { createServices } from '#functions/platform/services.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { acceptedSchema, invitationViewSchema } from '#shared/platform/index.ts';
import {
  apiKeyCollection,
  mfaProfileCollection,
  permissions,
  riskProfileCollection,
  sessionCollection,
  trustedDeviceCollection,
  userViewSchema,
} from '#shared/security/index.ts';
import { authWorld, goodPassword } from '#tests/support/auth.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';

const runtime = await testRuntime();
const world = authWorld(runtime);
const app = runtime.start(platform, createServices);
const base = '/api/v1/tenant';
const hour = 3_600_000;

const send = (path: string, options: TestRequest = {}) => request(app, `${base}${path}`, options);
const codeOf = async (response: Promise<Response>): Promise<unknown> => {
  const body: unknown = await (await response).json();
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};
const read = async <T>(schema: z.ZodType<T>, response: Promise<Response>): Promise<T> =>
  schema.parse(await (await response).json());

const team = async (tenant: string) => {
  await world.tenant(tenant, { signUp: false });
  const [owner, admin, member] = [
    await world.person(tenant, 'owner@x.example', ['owner']),
    await world.person(tenant, 'admin@x.example', ['admin']),
    await world.person(tenant, 'member@x.example', ['member']),
  ];
  return { owner, admin, member };
};

const system = (tenant: string) => systemActor(tenant, 'test');

/** An access token of a new session. */
const renewed = async (tenant: string, id: string): Promise<string> => {
  const { users, sessions } = world.services;
  const user = await users.findByEmail(tenant, (await users.get(system(tenant), id)).email);
  if (user === undefined) throw new Error('The user is not there.');
  return (await sessions.open(tenant, user, { methods: ['pwd'], device: {} })).accessToken;
};

describe('members', () => {
  it('are listed to those who may, and removed with their sessions', async () => {
    const { admin, member } = await team('removing');
    const list = await read(z.object({ items: z.array(userViewSchema) }), send('/members', { key: admin.accessToken }));
    expect(list.items.map(({ email }) => email).sort()).toEqual([
      'admin@x.example',
      'member@x.example',
      'owner@x.example',
    ]);
    expect(await codeOf(send('/members', { key: member.accessToken }))).toBe('forbidden');
    const removed = await send(`/members/${member.user}`, { key: admin.accessToken, method: 'DELETE' });
    expect(removed.status).toBe(204);
    runtime.clock.advance(30_000);
    expect(await codeOf(send('', { key: member.accessToken }))).toBe('unauthenticated');
    await runtime.bus.idle();
    const sessions = runtime.database.tenants(sessionCollection).of('removing');
    expect((await sessions.query({ limit: 10 })).items.map(({ value }) => value.user)).not.toContain(member.user);
    await world.person('removing', 'member@x.example', ['viewer']);
  });

  it('leave no factor, no trusted device and no habit behind', async () => {
    const { admin, member } = await team('forgetting');
    await runtime.bus.idle();
    const stores = [
      runtime.database.tenants(mfaProfileCollection).of('forgetting'),
      runtime.database.tenants(trustedDeviceCollection).of('forgetting'),
      runtime.database.tenants(riskProfileCollection).of('forgetting'),
    ] as const;
    const at = '2026-01-01T00:00:00.000Z';
    const phone = { id: 'tel_1', number: '+4930123456', confirmedAt: at };
    await stores[0].create(member.user, { totps: [], phone, failures: 0, mustEnrol: false });
    const device = { user: member.user, epoch: 0, device: {}, createdAt: at, lastUsedAt: at };
    await stores[1].create('dev_1', { ...device, expiresAt: '2099-01-01T00:00:00.000Z' });
    expect(await stores[2].get(member.user)).toBeDefined();
    await send(`/members/${member.user}`, { key: admin.accessToken, method: 'DELETE' });
    await runtime.bus.idle();
    expect(await stores[0].get(member.user)).toBeUndefined();
    expect(await stores[1].get('dev_1')).toBeUndefined();
    expect(await stores[2].get(member.user)).toBeUndefined();
  });

  it('may not raise themselves, and not touch who may more', async () => {
    const { owner, admin, member } = await team('climbing');
    const put = (key: string, id: string, roles: string[]) =>
      send(`/members/${id}/roles`, { key, method: 'PUT', body: { roles } });
    expect(await codeOf(put(admin.accessToken, admin.user, ['owner']))).toBe('forbidden');
    expect(await codeOf(put(admin.accessToken, owner.user, ['viewer']))).toBe('forbidden');
    expect(await codeOf(put(member.accessToken, member.user, ['admin']))).toBe('forbidden');
    expect(await codeOf(put(admin.accessToken, member.user, ['nobody-made-it']))).toBe('invalid-request');
    expect(await codeOf(send(`/members/${owner.user}`, { key: admin.accessToken, method: 'DELETE' }))).toBe(
      'forbidden',
    );
    expect(await read(userViewSchema, put(admin.accessToken, member.user, ['viewer']))).toMatchObject({
      roles: ['viewer'],
    });
  });

  it('of another tenant are not there', async () => {
    const [mine, theirs] = [await team('here'), await team('there')];
    const key = mine.owner.accessToken;
    for (const [path, method, body] of [
      [`/members/${theirs.member.user}`, 'GET'],
      [`/members/${theirs.member.user}`, 'DELETE'],
      [`/members/${theirs.member.user}/roles`, 'PUT', { roles: ['viewer'] }],
      ['/ownership-transfer', 'POST', { to: theirs.member.user }],
    ] as const) {
      const sent = body === undefined ? {} : { body };
      expect(await codeOf(send(path, { key, method, ...sent }))).toBe('not-found');
    }
  });

  it('leave, but for the last owner, who can neither be disabled nor lose the role', async () => {
    const { owner, member } = await team('staying');
    const leave = (key: string, confirm = 'staying') => send('/leave', { key, body: { confirm } });
    expect(await codeOf(leave(member.accessToken, 'wrong'))).toBe('precondition-failed');
    expect((await leave(member.accessToken)).status).toBe(204);
    const key = owner.accessToken;
    expect(await codeOf(leave(key))).toBe('precondition-failed');
    expect(await codeOf(send(`/members/${owner.user}`, { key, method: 'DELETE' }))).toBe('precondition-failed');
    const roles = { key, method: 'PUT', body: { roles: ['admin'] } };
    expect(await codeOf(send(`/members/${owner.user}/roles`, roles))).toBe('precondition-failed');
    const status = { key, method: 'PUT', body: { status: 'disabled' } };
    expect(await codeOf(request(world.app, `/api/v1/auth/users/${owner.user}/status`, status))).toBe(
      'precondition-failed',
    );
  });
});

describe('ownership', () => {
  it('passes in two steps, and who gave it stays an admin', async () => {
    const { owner, admin, member } = await team('passing');
    const offer = (key: string, to: string) => send('/ownership-transfer', { key, body: { to } });
    const accept = (key: string) => send('/ownership-transfer/accept', { key, method: 'POST' });
    expect(await codeOf(offer(admin.accessToken, member.user))).toBe('forbidden');
    expect((await offer(owner.accessToken, admin.user)).status).toBe(201);
    expect((await offer(owner.accessToken, member.user)).status).toBe(201);
    expect(await codeOf(accept(admin.accessToken))).toBe('not-found');
    expect((await accept(member.accessToken)).status).toBe(204);
    expect(await codeOf(accept(member.accessToken))).toBe('not-found');
    const roles = async (id: string) => (await world.services.users.get(system('passing'), id)).roles;
    expect(await roles(member.user)).toEqual(['member', 'owner']);
    expect(await roles(owner.user)).toEqual(['admin']);
  });

  it('is not passed by who was disabled since', async () => {
    const { owner, admin, member } = await team('breached');
    await world.services.users.setRoles(system('breached'), admin.user, ['owner']);
    await send('/ownership-transfer', { key: owner.accessToken, body: { to: member.user } });
    await world.services.users.setStatus(system('breached'), owner.user, 'disabled');
    const accepted = send('/ownership-transfer/accept', { key: member.accessToken, method: 'POST' });
    expect(await codeOf(accepted)).toBe('precondition-failed');
    expect((await world.services.users.get(system('breached'), member.user)).roles).toEqual(['member']);
  });

  it('is not passed by an offer that was withdrawn or is over', async () => {
    const { owner, member } = await team('hesitating');
    const accept = () => send('/ownership-transfer/accept', { key: member.accessToken, method: 'POST' });
    const offer = () => send('/ownership-transfer', { key: owner.accessToken, body: { to: member.user } });
    await offer();
    expect((await send('/ownership-transfer', { key: owner.accessToken, method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(accept())).toBe('not-found');
    await offer();
    runtime.clock.advance(72 * hour);
    const key = await renewed('hesitating', member.user);
    expect(await codeOf(send('/ownership-transfer/accept', { key, method: 'POST' }))).toBe('not-found');
  });
});

describe('an invitation', () => {
  const invite = (key: string, email: string, roles = ['member']) =>
    read(invitationViewSchema, send('/invitations', { key, body: { email, roles } }));
  const accept = (token: string, more: Readonly<Record<string, unknown>> = {}) =>
    send('/invitations/accept', { body: { token, ...more } });

  it('opens a verified account with the password that its guest chooses', async () => {
    const { admin } = await team('inviting');
    const { roles, sent } = await invite(admin.accessToken, 'Guest@Example.COM');
    expect([roles, sent]).toEqual([['member'], 1]);
    const token = await world.tokenTo('guest@example.com');
    expect(await codeOf(accept(token, { password: 'short' }))).toBe('invalid-request');
    const accepted = await read(acceptedSchema, accept(token, { name: 'Grace', password: goodPassword }));
    expect(accepted).toMatchObject({ tenant: 'inviting', email: 'guest@example.com', isNew: true });
    expect((await world.signIn('inviting', 'guest@example.com')).user).toBe(accepted.user);
    expect(await codeOf(accept(token))).toBe('unauthenticated');
  });

  it('can give no more than its sender has, and names no stranger as a role', async () => {
    const { admin, member } = await team('modestly');
    const ask = (key: string, roles: string[]) =>
      codeOf(send('/invitations', { key, body: { email: 'x@example.com', roles } }));
    expect(await ask(admin.accessToken, ['owner'])).toBe('forbidden');
    expect(await ask(member.accessToken, ['viewer'])).toBe('forbidden');
    expect(await ask(admin.accessToken, ['nobody-made-it'])).toBe('invalid-request');
    expect(await ask(admin.accessToken, [])).toBe('invalid-request');
  });

  it('says so where the address has an account or an invitation', async () => {
    const { admin } = await team('known');
    const ask = (email: string) =>
      codeOf(send('/invitations', { key: admin.accessToken, body: { email, roles: ['viewer'] } }));
    expect(await ask('Member@X.example')).toBe('already-exists');
    await invite(admin.accessToken, 'twice@example.com');
    expect(await ask('TWICE@example.com')).toBe('already-exists');
    expect(await ask('раypal@gооgle.com')).toBe('invalid-request');
  });

  it('is good for 48 hours, and not after it was revoked, sent again, or its sender lost the right', async () => {
    const { owner, admin } = await team('ending');
    const key = admin.accessToken;
    const { id } = await invite(key, 'late@example.com');
    const first = await world.tokenTo('late@example.com');
    expect((await send(`/invitations/${id}/resend`, { key, method: 'POST' })).status).toBe(200);
    expect(await codeOf(accept(first))).toBe('unauthenticated');
    const second = await world.tokenTo('late@example.com');
    runtime.clock.advance(48 * hour);
    expect(await codeOf(accept(second))).toBe('unauthenticated');
    const fresh = await renewed('ending', admin.user);
    const again = await invite(fresh, 'late@example.com');
    const third = await world.tokenTo('late@example.com');
    expect((await send(`/invitations/${again.id}`, { key: fresh, method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(accept(third))).toBe('unauthenticated');
    await invite(fresh, 'last@example.com');
    const fourth = await world.tokenTo('last@example.com');
    const boss = await renewed('ending', owner.user);
    await send(`/members/${admin.user}/roles`, { key: boss, method: 'PUT', body: { roles: ['viewer'] } });
    expect(await codeOf(accept(fourth))).toBe('unauthenticated');
  });

  describe('is as good as who sent it', () => {
    // Whoever invites members may do all that members may, and what each route allows them is declared with it.
    const ofMembers = Object.entries(permissions).flatMap(([scope, { roles }]) =>
      roles.includes('member') ? [scope] : [],
    );
    const scopes = ['members:write', ...ofMembers];
    const byKey = async (tenant: string) => {
      await world.tenant(tenant, { signUp: false });
      const made = await world.services.apiKeys.give(system(tenant), {
        name: 'onboarding',
        scopes,
        requestsPerMinute: 1_000,
      });
      await invite(made.key, 'guest@example.com');
      return { ...made, token: await world.tokenTo('guest@example.com') };
    };

    it('where that is a key that is good', async () => {
      const { token } = await byKey('by-key');
      expect((await accept(token)).status).toBe(200);
    });

    it('where its key was rotated since, as long as the next one is not revoked', async () => {
      const { id, token } = await byKey('by-rotated');
      const next = await world.services.apiKeys.rotate(system('by-rotated'), id, 0);
      await invite(next.key, 'other@example.com');
      const other = await world.tokenTo('other@example.com');
      expect((await accept(token)).status).toBe(200);
      await world.services.apiKeys.revoke(system('by-rotated'), next.id);
      expect(await codeOf(accept(other))).toBe('unauthenticated');
    });

    it('and not where its key was revoked, whatever replaced it', async () => {
      const { id, token } = await byKey('by-revoked');
      await world.services.apiKeys.rotate(system('by-revoked'), id, 3_600);
      await world.services.apiKeys.revoke(system('by-revoked'), id);
      expect(await codeOf(accept(token))).toBe('unauthenticated');
      expect(await world.services.users.findByEmail('by-revoked', 'guest@example.com')).toBeUndefined();
    });

    it('and not where its key has expired, or may do less than it could', async () => {
      const { id, token } = await byKey('by-shrunk');
      const keys = runtime.database.platform(apiKeyCollection);
      const stored = await keys.get(id);
      if (stored === undefined) throw new Error('The key is not there.');
      await keys.update(id, { ...stored.value, scopes: scopes.slice(0, -1) });
      expect(await codeOf(accept(token))).toBe('unauthenticated');
      await keys.update(id, { ...stored.value, expiresAt: isoTime(runtime.clock.now() + hour) });
      runtime.clock.advance(hour);
      expect(await codeOf(accept(token))).toBe('unauthenticated');
      await keys.update(id, stored.value);
      expect((await accept(token)).status).toBe(200);
    });

    it('and not where its service account was removed', async () => {
      await world.tenant('by-robot', { signUp: false });
      const { serviceAccounts } = world.services;
      const account = await serviceAccounts.create(system('by-robot'), { name: 'hr', scopes });
      const { accessToken } = await serviceAccounts.token(account);
      await invite(accessToken, 'first@example.com');
      expect((await accept(await world.tokenTo('first@example.com'))).status).toBe(200);
      await invite(accessToken, 'second@example.com');
      await serviceAccounts.remove(system('by-robot'), account.id);
      expect(await codeOf(accept(await world.tokenTo('second@example.com')))).toBe('unauthenticated');
    });

    it('and not where its member was removed, or the role gives more than they have by now', async () => {
      const { owner, admin } = await team('by-removed');
      await world.services.roles.put(system('by-removed'), 'helper', { scopes: ['ai:read'] });
      await invite(admin.accessToken, 'helper@example.com', ['helper']);
      const helper = await world.tokenTo('helper@example.com');
      await world.services.roles.put(system('by-removed'), 'helper', { scopes: ['ai:read', 'tenant:own'] });
      expect(await codeOf(accept(helper))).toBe('unauthenticated');
      await world.services.roles.remove(system('by-removed'), 'helper');
      expect(await codeOf(accept(helper))).toBe('unauthenticated');
      await invite(admin.accessToken, 'guest@example.com');
      await send(`/members/${admin.user}`, { key: owner.accessToken, method: 'DELETE' });
      expect(await codeOf(accept(await world.tokenTo('guest@example.com')))).toBe('unauthenticated');
    });
  });

  it('gives an account that came about meanwhile the roles, and ends what a stranger set up in it', async () => {
    const { admin } = await team('meanwhile');
    await world.tenant('meanwhile', { signUp: true });
    await invite(admin.accessToken, 'early@example.com', ['support']);
    const token = await world.tokenTo('early@example.com');
    await world.post('/sign-up', {
      tenant: 'meanwhile',
      email: 'early@example.com',
      password: 'another-pass-of-a-stranger',
    });
    const accepted = await read(acceptedSchema, accept(token, { password: goodPassword }));
    expect(accepted.isNew).toBe(false);
    expect((await world.signIn('meanwhile', 'early@example.com')).user).toBe(accepted.user);
  });

  it.each(['Eve\r\nBcc: all@example.com', '{{ brand.name }}'])('does not carry %j into a header', async (name) => {
    const { admin } = await team(`mail-${name.length}`);
    expect(
      await codeOf(
        send('/invitations', { key: admin.accessToken, body: { email: `${name}@x.example`, roles: ['viewer'] } }),
      ),
    ).toBe('invalid-request');
  });

  it('is not for a suspended tenant', async () => {
    const { admin } = await team('closed');
    await invite(admin.accessToken, 'x@example.com');
    const token = await world.tokenTo('x@example.com');
    const records = createServices(runtime).records;
    await records.change({ tenant: 'closed', kind: 'system', id: 'x' }, () => ({
      value: { status: 'suspended' },
      action: 'x',
    }));
    expect(await codeOf(accept(token))).toBe('unauthenticated');
  });
});
