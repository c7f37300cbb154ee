import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/security/services.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { eventOfPush } from '../../events/push.ts';
import { systemActor } from '../../kernel/actor.ts';
import { newId } from '../../kernel/ids.ts';
import { emailRequested } from '../../messaging/index.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { authSettingsInputSchema } from './auth-settings.schema.ts';
import { userCollection } from './user.schema.ts';

const password = 'quiet-otter-borrows-lamps';
const email = 'ada@example.com';

type Runtime = Awaited<ReturnType<typeof testRuntime>>;

const open = async (runtime: Runtime, tenant: string) => {
  await runtime.tenants.ensure(tenant, { name: tenant });
  const services = createServices(runtime);
  await services.authSettings.put(systemActor(tenant, 'test'), authSettingsInputSchema.parse({ signUp: true }));
  return services;
};

describe.each(['embedded', 'firestore'] as const)('on the %s store', async (database) => {
  const runtime = await testRuntime({ database });
  const newTenant = () => newId('t').toLowerCase().replace('_', '-');
  const usersOf = async (tenant: string) =>
    (await runtime.database.tenants(userCollection).of(tenant).query({ limit: 100 })).items;

  it('twenty who sign up at once with one address make one account, and are told the same', async () => {
    const tenant = newTenant();
    const { signUps } = await open(runtime, tenant);
    const calls = Array.from({ length: 20 }, () => signUps.signUp({ tenant, email, password }, {}));
    expect((await Promise.allSettled(calls)).every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await usersOf(tenant)).toHaveLength(1);
  });

  it('of twenty who change to one address at once one gets it, and no other loses their own', async () => {
    const tenant = newTenant();
    const { accounts, links, users } = await open(runtime, tenant);
    const people = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        users.create(tenant, { email: `p${i}@example.com`, emailVerified: true, roles: [] }),
      ),
    );
    const tokens = new Map<string, string>();
    runtime.bus.subscribe(`test.${tenant}`, async (body) => {
      const { type, subject, data } = eventOfPush(body);
      const mail = type === emailRequested.type ? emailRequested.schema.parse(data) : undefined;
      if (mail?.template === 'verify-email') tokens.set(subject, mail.data.link.split('#token=')[1] ?? '');
      return 204;
    });
    for (const { id, email: from } of people) {
      const write = await links.make(tenant, { purpose: 'email-change', user: id, email, from, epoch: 0 });
      await runtime.database.transaction(write);
    }
    await runtime.bus.idle();
    const changes = await Promise.allSettled(
      people.map(({ id }) => accounts.confirmEmailChange(tokens.get(id) ?? '', {})),
    );
    expect(changes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refusals = changes.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
    expect(new Set(refusals)).toEqual(new Set(['already-exists']));
    const after = await usersOf(tenant);
    expect(after.filter(({ value }) => value.email === email)).toHaveLength(1);
    for (const { id, value } of after) expect((await users.findByEmail(tenant, value.email))?.id).toBe(id);
  });
});

describe.each(['before', 'after'] as const)('a sign-up whose process dies just %s any call', (when) => {
  it('is made good by signing up again: no address is lost, no account is there twice', async () => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const killer = killAt(at, when);
      // Its own configuration stands; the sign-up alone is killed.
      await open(await testRuntime({ driver }), 'acme');
      const dying = createServices(await testRuntime({ driver: killer.driver(driver) }));
      const request = { tenant: 'acme', email, password };
      await dying.signUps.signUp(request, {}).catch(() => undefined);

      const alive = await testRuntime({ driver });
      const { signUps, signIns, users } = createServices(alive);
      await signUps.signUp(request, {});
      const stored = await alive.database.tenants(userCollection).of('acme').query({ limit: 10 });
      expect(stored.items).toHaveLength(1);
      expect((await users.findByEmail('acme', email))?.id).toBe(stored.items[0]?.id);
      const user = stored.items[0];
      if (user === undefined) throw new Error('There is no user.');
      expect(user.value.emailVerified).toBe(false);
      await expect(signIns.withPassword({ tenant: 'acme', email, password }, {})).rejects.toMatchObject({
        code: 'unauthenticated',
      });
      if (killer.calls() < at) return expect(at).toBeGreaterThan(3);
    }
  });
});
