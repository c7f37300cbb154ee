import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { pageSchema } from '#shared/http/page.ts';
import { type Actor, systemActor } from '#shared/kernel/actor.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { invitationCollection, invitationViewSchema } from '#shared/platform/index.ts';
import { apiKeyCollection, serviceAccountCollection } from '#shared/security/index.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { authWorld } from '#tests/support/auth.ts';
import { counting } from '#tests/support/counting.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { platform } from '../app.ts';
import { createServices } from '../services.ts';

const driver = counting(embeddedDriver());
const runtime = await testRuntime({ driver });
const world = authWorld(runtime);
const services = createServices(runtime);
const app = runtime.start(platform, createServices);
const hour = 3_600_000;
const system = (tenant: string) => systemActor(tenant, 'test');
const keys = runtime.database.platform(apiKeyCollection);

const send = (path: string, options: TestRequest = {}) => request(app, `/api/v1/tenant/invitations${path}`, options);
const read = async <T>(schema: z.ZodType<T>, response: Promise<Response>): Promise<T> =>
  schema.parse(await (await response).json());

let made = 0;
/** A tenant, and who may look at its invitations. */
const opened = async () => {
  made += 1;
  const tenant = `listed-${made}`;
  await world.tenant(tenant, { signUp: false });
  const viewer = await runtime.key(tenant, ['*']);
  const list = async () => (await read(pageSchema(invitationViewSchema), send('?limit=100', { key: viewer }))).items;
  const statuses = async () => Object.fromEntries((await list()).map(({ email, status }) => [email, status]));
  /** Sent as `actor`. */
  const invite = (actor: Actor, email: string, roles: readonly string[] = ['viewer']) =>
    services.invitations.invite(actor, { email, roles });
  return { tenant, viewer, statuses, invite };
};
const aKey = async (tenant: string) => {
  const { id } = await runtime.apiKeys.give(system(tenant), { name: 'x', scopes: ['*'], requestsPerMinute: 1_000 });
  const actor: Actor = { ...system(tenant), kind: 'key', id, scopes: new Set(['*']) };
  return { id, actor };
};
const aMember = async (tenant: string, email: string, roles = ['admin']) => {
  const { id } = await services.users.create(tenant, { email, emailVerified: true, roles });
  const actor: Actor = { ...system(tenant), kind: 'user', id, scopes: new Set(['*']) };
  return { id, actor };
};

describe('the list of invitations', () => {
  it('says `void` of those whose key was revoked or has expired, and `pending` of the others', async () => {
    const { tenant, statuses, invite } = await opened();
    const [good, revoked, expiring] = [await aKey(tenant), await aKey(tenant), await aKey(tenant)];
    await invite(good.actor, 'good@x.example');
    await invite(revoked.actor, 'revoked@x.example');
    await invite(expiring.actor, 'expired@x.example');
    await invite(system(tenant), 'ours@x.example');
    const all = ['good', 'revoked', 'expired', 'ours'].map((name) => `${name}@x.example`);
    expect(await statuses()).toEqual(Object.fromEntries(all.map((email) => [email, 'pending'])));
    await runtime.apiKeys.revoke(system(tenant), revoked.id);
    const stored = (await keys.get(expiring.id)) ?? expect.fail('The key is not there.');
    await keys.update(expiring.id, { ...stored.value, expiresAt: isoTime(runtime.clock.now() + hour) });
    runtime.clock.advance(hour);
    expect(await statuses()).toEqual({
      'good@x.example': 'pending',
      'revoked@x.example': 'void',
      'expired@x.example': 'void',
      'ours@x.example': 'pending',
    });
  });

  it('follows the rotation of a key that ended by that, and not one that was revoked', async () => {
    const { tenant, statuses, invite } = await opened();
    const [first, second] = [await aKey(tenant), await aKey(tenant)];
    await invite(first.actor, 'rotated@x.example');
    await invite(second.actor, 'revoked@x.example');
    const middle = await runtime.apiKeys.rotate(system(tenant), first.id, 0);
    const last = await runtime.apiKeys.rotate(system(tenant), middle.id, 0);
    await runtime.apiKeys.rotate(system(tenant), second.id, 3_600);
    await runtime.apiKeys.revoke(system(tenant), second.id);
    expect(await statuses()).toEqual({ 'rotated@x.example': 'pending', 'revoked@x.example': 'void' });
    await runtime.apiKeys.revoke(system(tenant), last.id);
    expect(await statuses()).toEqual({ 'rotated@x.example': 'void', 'revoked@x.example': 'void' });
  });

  it('says `void` where a service account or a member is gone, or may less, and again `pending` once they may', async () => {
    const { tenant, statuses, invite } = await opened();
    const accounts = runtime.database.tenants(serviceAccountCollection).of(tenant);
    const account = { name: 'x', scopes: ['*'], secretHash: 'x', epoch: 0, createdAt: '2026-01-01T00:00:00.000Z' };
    await accounts.create('sva_1', account);
    const [gone, lower] = [await aMember(tenant, 'gone@x.example'), await aMember(tenant, 'lower@x.example')];
    await invite({ ...system(tenant), kind: 'key', id: 'sva_1', scopes: new Set(['*']) }, 'by-robot@x.example');
    await invite(gone.actor, 'by-gone@x.example');
    await invite(lower.actor, 'by-lower@x.example', ['admin']);
    expect(new Set(Object.values(await statuses()))).toEqual(new Set(['pending']));
    await accounts.delete('sva_1');
    await services.members.remove(system(tenant), gone.id);
    await services.users.setRoles(system(tenant), lower.id, ['billing']);
    expect(new Set(Object.values(await statuses()))).toEqual(new Set(['void']));
    await services.users.setRoles(system(tenant), lower.id, ['admin']);
    expect(await statuses()).toMatchObject({ 'by-lower@x.example': 'pending', 'by-gone@x.example': 'void' });
  });

  it('says the same of one alone, until somebody who may sends it again', async () => {
    const { tenant, viewer, invite } = await opened();
    const key = await aKey(tenant);
    const { id, status } = await invite(key.actor, 'guest@x.example');
    await runtime.apiKeys.revoke(system(tenant), key.id);
    const statusOf = async (path: string, method = 'GET') =>
      (await read(invitationViewSchema, send(`/${id}${path}`, { key: viewer, method }))).status;
    expect([status, await statusOf('')]).toEqual(['pending', 'void']);
    expect(await statusOf('/resend', 'POST')).toBe('pending');
    expect(await statusOf('')).toBe('pending');
  });

  it('reads each sender and role once, however many invitations are theirs', async () => {
    const { tenant, statuses, invite } = await opened();
    await runtime.roles.put(system(tenant), 'helper', { scopes: ['ai:read'] });
    const [key, member] = [await aKey(tenant), await aMember(tenant, 'admin@x.example')];
    for (let i = 0; i < 15; i += 1) {
      await invite(key.actor, `k-${i}@x.example`, ['helper']);
      await invite(member.actor, `m-${i}@x.example`, ['helper']);
    }
    await statuses();
    driver.taken();
    expect(Object.keys(await statuses())).toHaveLength(30);
    const { [invitationCollection.name]: _, ...reads } = driver.taken();
    expect(reads).toEqual({ apiKeys: 1, users: 1, roles: 1 });
  });
});
