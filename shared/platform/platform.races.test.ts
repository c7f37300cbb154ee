import { describe, expect, it } from 'vitest';
import { createServices } from '#functions/platform/services.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { isOmniError } from '#shared/kernel/errors.ts';
import { platformTenant } from '#shared/kernel/event.ts';
import { emailRequested } from '#shared/messaging/index.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import { testRuntime } from '#tests/support/runtime.ts';

const atOnce = 20;

/** How many came through, and the codes of the others. */
const race = async (work: (nth: number) => Promise<unknown>, count = atOnce) => {
  const results = await Promise.allSettled(Array.from({ length: count }, (_, i) => work(i)));
  const codes = results.flatMap((one) =>
    one.status === 'rejected' ? [isOmniError(one.reason) ? one.reason.code : String(one.reason)] : [],
  );
  return { winners: count - codes.length, codes: [...new Set(codes)] };
};

describe.each(['embedded', 'firestore'] as const)('twenty at once on the %s store', (database) => {
  const open = async () => {
    const runtime = await testRuntime({ database });
    return { runtime, services: createServices(runtime) };
  };
  const opening = open();

  it('make one tenant of a slug', async () => {
    const { runtime, services } = await opening;
    const make = (nth: number) =>
      services.tenantCreation.create({ slug: 'wanted', name: 'x', email: `p${nth}@example.com` }, `192.0.2.${nth}`);
    expect(await race(make)).toEqual({ winners: 1, codes: ['already-exists'] });
    expect(await runtime.tenants.findBySlug('wanted')).toBeDefined();
  });

  it('move one tenant to a slug', async () => {
    const { runtime, services } = await opening;
    const ids = Array.from({ length: atOnce }, (_, i) => `mover-${i}`);
    for (const id of ids) await runtime.tenants.ensure(id, { name: id });
    const move = (nth: number) => services.tenantAdmin.changeSlug(systemActor(`mover-${nth}`, 'test'), 'the-place');
    expect(await race(move)).toEqual({ winners: 1, codes: ['already-exists'] });
  });

  it('accept one invitation once', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('inviting', { name: 'x' });
    const admin = { email: 'admin@example.com', emailVerified: true, roles: ['admin'] };
    const { id } = await services.users.create('inviting', admin);
    const actor = { ...systemActor('inviting', id), kind: 'user' as const };
    const mails: string[] = [];
    runtime.bus.subscribe('listen', async (body) => {
      const text = JSON.stringify(body);
      const data = Buffer.from(JSON.parse(text).message.data, 'base64').toString();
      if (data.includes(emailRequested.type)) mails.push(/#token=([^"\\]+)/.exec(data)?.[1] ?? '');
      return 204;
    });
    await services.invitations.invite(actor, { email: 'guest@example.com', roles: ['member'] });
    await runtime.outbox.sweep();
    await runtime.bus.idle();
    const token = mails.at(-1) ?? '';
    expect(await race(() => services.invitations.accept({ token }))).toEqual({
      winners: 1,
      codes: ['unauthenticated'],
    });
    expect(await services.membership.count('inviting')).toBe(2);
    expect(runtime.database.platform(outboxCollection)).toBeDefined();
  });

  it('take the last seat once', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('full', { name: 'x' });
    const plan = { id: 'free', overrides: { members: 1 } } as const;
    await services.tenantAdmin.setPlan(systemActor(platformTenant, 'service'), 'full', plan);
    const sit = (nth: number) =>
      runtime.quotas.take('full', 'members', async () => {
        const member = { email: `m${nth}@example.com`, roles: ['member'] };
        return (await services.membership.admit('full', member)).write;
      });
    expect(await race(sit)).toEqual({ winners: 1, codes: ['precondition-failed'] });
  });

  it('take the last API key once, and another when it is revoked', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('keyed', { name: 'x' });
    const plan = { id: 'free', overrides: { apiKeys: 1 } } as const;
    await services.tenantAdmin.setPlan(systemActor(platformTenant, 'service'), 'keyed', plan);
    const actor = systemActor('keyed', 'test');
    const give = () => runtime.apiKeys.give(actor, { name: 'x', scopes: ['ai:read'], requestsPerMinute: 1 });
    expect(await race(give)).toEqual({ winners: 1, codes: ['precondition-failed'] });
    const [key] = (await runtime.apiKeys.list(actor, { limit: 10 })).items;
    await runtime.apiKeys.revoke(actor, key?.id ?? '');
    expect(await race(give, 3)).toEqual({ winners: 1, codes: ['precondition-failed'] });
  });

  it('invite as often as the day allows', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('daily', { name: 'x' });
    const plan = { id: 'free', overrides: { invitationsPerDay: 3 } } as const;
    await services.tenantAdmin.setPlan(systemActor(platformTenant, 'service'), 'daily', plan);
    const invite = (nth: number) =>
      services.invitations.invite(systemActor('daily', 'test'), { email: `g${nth}@example.com`, roles: ['member'] });
    expect(await race(invite)).toEqual({ winners: 3, codes: ['rate-limited'] });
  });

  it('leave one owner, of twenty who remove each other', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('owned', { name: 'x' });
    const owners: string[] = [];
    for (let i = 0; i < atOnce; i += 1) {
      owners.push(
        (await services.users.create('owned', { email: `o${i}@x.example`, emailVerified: true, roles: ['owner'] })).id,
      );
    }
    const actor = systemActor('owned', 'test');
    const remove = (nth: number) => {
      const id = owners[nth] ?? '';
      return nth % 2 === 0 ? services.members.remove(actor, id) : services.users.setRoles(actor, id, ['viewer']);
    };
    // Who loses too often is told to try again.
    for (let round = 0; round < atOnce; round += 1) await race(remove);
    expect(await services.membership.owners('owned')).toHaveLength(1);
  });

  it('pass ownership once', async () => {
    const { runtime, services } = await opening;
    await runtime.tenants.ensure('passing', { name: 'x' });
    const make = (email: string, roles: string[]) =>
      services.users.create('passing', { email, emailVerified: true, roles });
    const [owner, other] = [await make('a@x.example', ['owner']), await make('b@x.example', ['member'])];
    const as = (id: string) => ({ ...systemActor('passing', id), kind: 'user' as const });
    await services.members.offerOwnership(as(owner.id), other.id);
    expect((await race(() => services.members.acceptOwnership(as(other.id)))).winners).toBe(1);
    expect((await services.membership.owners('passing')).map(({ id }) => id)).toEqual([other.id]);
  });
});
