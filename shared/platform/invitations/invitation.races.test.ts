import { describe, expect, inject, it } from 'vitest';
import { createServices } from '#functions/platform/services.ts';
import { type Actor, systemActor } from '#shared/kernel/actor.ts';
import { emailRequested } from '#shared/messaging/index.ts';
import { serviceAccountCollection } from '#shared/security/index.ts';
import { newProjectId } from '#tests/support/firestore.ts';
import { meanwhile } from '#tests/support/meanwhile.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { eventOfPush } from '../../events/push.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { firestoreDriver } from '../../store/firestore.ts';

const drivers = {
  'the embedded store': () => embeddedDriver(),
  Firestore: () => firestoreDriver({ projectId: newProjectId(), emulatorHost: inject('firestoreHost') }),
};

describe.each(Object.entries(drivers))('an invitation that is accepted on %s', (_name, driver) => {
  const open = async () => {
    const others = meanwhile(driver());
    const runtime = await testRuntime({ driver: others.driver });
    const services = createServices(runtime);
    let token = '';
    runtime.bus.subscribe('listen', async (body) => {
      const { type, data } = eventOfPush(body);
      const mail = type === emailRequested.type ? emailRequested.schema.parse(data).data : {};
      if ('link' in mail) token = String(mail.link).split('#token=')[1] ?? '';
      return 204;
    });
    /** The token of an invitation that `actor` has sent. */
    const invited = async (actor: Actor): Promise<string> => {
      await services.invitations.invite(actor, { email: 'guest@example.com', roles: ['viewer'] });
      await runtime.bus.idle();
      return token;
    };
    return { others, runtime, services, invited };
  };
  const opening = open();

  /** Who invites, and how they lose the right to. */
  const losing: Readonly<Record<string, (tenant: string) => Promise<readonly [Actor, () => Promise<unknown>]>>> = {
    'the key is revoked': async (tenant) => {
      const { apiKeys } = (await opening).runtime;
      const system = systemActor(tenant, 'test');
      const { id } = await apiKeys.give(system, { name: 'x', scopes: ['*'], requestsPerMinute: 1 });
      return [{ ...system, kind: 'key', id }, () => apiKeys.revoke(system, id)];
    },
    'the service account is removed': async (tenant) => {
      const accounts = (await opening).runtime.database.tenants(serviceAccountCollection).of(tenant);
      const account = { name: 'x', scopes: ['*'], secretHash: 'x', epoch: 0, createdAt: '2026-01-01T00:00:00.000Z' };
      await accounts.create('sva_1', account);
      return [{ ...systemActor(tenant, 'sva_1'), kind: 'key' }, () => accounts.delete('sva_1')];
    },
    'the member is removed': async (tenant) => {
      const { users, members } = (await opening).services;
      const email = 'admin@example.com';
      const { id } = await users.create(tenant, { email, emailVerified: true, roles: ['admin'] });
      return [{ ...systemActor(tenant, id), kind: 'user' }, () => members.remove(systemActor(tenant, 'test'), id)];
    },
    'the member has lesser roles': async (tenant) => {
      const { users } = (await opening).services;
      const email = 'admin@example.com';
      const { id } = await users.create(tenant, { email, emailVerified: true, roles: ['admin'] });
      const lower = () => users.setRoles(systemActor(tenant, 'test'), id, ['billing']);
      return [{ ...systemActor(tenant, id), kind: 'user' }, lower];
    },
    "the member's own role allows less": async (tenant) => {
      const { services, runtime } = await opening;
      const system = systemActor(tenant, 'test');
      const all = ['ai', 'roles', 'tenant', 'payments', 'billing', 'monetization'].map((one) => `${one}:read`);
      await runtime.roles.put(system, 'host', { scopes: all });
      const host = { email: 'host@example.com', emailVerified: true, roles: ['host'] };
      const { id } = await services.users.create(tenant, host);
      const lower = () => runtime.roles.put(system, 'host', { scopes: ['ai:read'] });
      return [{ ...systemActor(tenant, id), kind: 'user' }, lower];
    },
  };

  it.each(Object.keys(losing))('opens nothing where %s between the look at it and the commit', async (how) => {
    const { others, runtime, services, invited } = await opening;
    const tenant = `losing-${Object.keys(losing).indexOf(how)}`;
    await runtime.tenants.ensure(tenant, { name: 'x' });
    const [actor = systemActor(tenant, 'x'), lose = async () => {}] = (await losing[how]?.(tenant)) ?? [];
    const token = await invited(actor);
    others.beforeTransaction(lose);
    await expect(services.invitations.accept({ token })).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(others.happened()).toBe(true);
    expect(await services.users.findByEmail(tenant, 'guest@example.com')).toBeUndefined();
    // It still stands, for somebody to send again in their own name.
    const [invitation] = (await services.invitations.list(systemActor(tenant, 'test'), { limit: 10 })).items;
    expect(invitation?.invitedBy.id).toBe(actor.id);
  });
});
