import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { meanwhile } from '#tests/support/meanwhile.ts';
import type { Actor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { billingDue, clockAdvanced, creditMoved } from './billing.events.ts';
import { advanceClock } from './test-clock.jobs.ts';
import { endCredit } from './wallet.jobs.ts';
import { newCreditSchema } from './wallet.service.ts';
import { type Credit, emptyWallet, pruned } from './wallet.ts';

const february = '2026-02-01T00:00:00.000Z';
const start = () => manualClock('2026-01-01T00:00:00.000Z');

const worldOn = (database: Database, clock = start()) => {
  const world = billingOn(database, { clock });
  const due = ({ tenant }: Actor, run: string) =>
    world.makeEvent(billingDue, { id: `run:${run}:${tenant}`, tenant, subject: tenant, data: { run, page: 0 } });
  const grant = (actor: Actor, customer: string, amount: number, expiresAt: string | null) => {
    const credit = newCreditSchema.parse({ amount, currency: 'EUR', reason: 'Sorry', expiresAt });
    return world.walletService.grant(actor, customer, credit);
  };
  /** Credits that ended, by amount. */
  const ended = async (actor: Actor) =>
    (await world.eventsOf(actor))
      .filter(({ type, data }) => type === creditMoved.type && data.what === 'expired')
      .map(({ data }) => data.amount);
  const left = async ({ tenant }: Actor, customer: string) =>
    (await world.wallets.of(tenant).get(customer))?.value.credits.map(({ remaining }) => remaining);
  const run = (actor: Actor, name: string) => world.drain(actor, endCredit, due(actor, name));
  return { world, clock, due, grant, ended, left, run };
};

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('credit that ends, on %s', (_name, open) => {
  it('is gone and told of when its time is over, not before, though nobody touches the wallet', async () => {
    const clock = start();
    const { world, grant, ended, left, run } = worldOn(open({ now: clock.now }), clock);
    const actor = await world.tenant();
    const { id } = await world.customer(actor);
    await grant(actor, id, 500, february);
    await grant(actor, id, 300, '2026-03-01T00:00:00.000Z');
    await grant(actor, id, 100, null);
    clock.set(Date.parse(february) - 1);
    await run(actor, 'early');
    expect([await left(actor, id), await ended(actor)]).toEqual([[500, 300, 100], []]);
    clock.set(Date.parse(february));
    await run(actor, 'on time');
    expect([await left(actor, id), await ended(actor)]).toEqual([[300, 100], [500]]);
    clock.set(Date.parse('2026-04-01T00:00:00.000Z'));
    await run(actor, 'late');
    expect([await left(actor, id), await ended(actor)]).toEqual([[100], [500, 300]]);
  });

  it('ends once of six runs at once and of a duplicate', async () => {
    const clock = start();
    const { world, due, grant, ended, left, run } = worldOn(open({ now: clock.now }), clock);
    const actor = await world.tenant();
    const { id } = await world.customer(actor);
    await grant(actor, id, 500, february);
    clock.set(Date.parse(february));
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(names.map((name) => world.runJob(endCredit, due(actor, name), world.services)));
    await run(actor, 'a');
    expect([await left(actor, id), await ended(actor)]).toEqual([[], [500]]);
  });
});

describe('credit that ends', () => {
  const credit = (id: string): Credit => ({
    id,
    currency: 'EUR',
    amount: 5,
    remaining: 5,
    reason: 'Many',
    expiresAt: february,
    createdAt: '2026-01-01T00:00:00.000Z',
  });

  it('of many customers, and much of one, is ended page by page', async () => {
    const commits: number[] = [];
    const driver = embeddedDriver();
    const counting = { ...driver, transaction: driver.transaction };
    counting.transaction = (work) =>
      driver.transaction(async (reader) => {
        const decided = await work(reader);
        commits.push(decided.writes.length);
        return decided;
      });
    const { world, clock, ended, run } = worldOn(databaseOn(counting, {}));
    const actor = await world.tenant();
    const store = world.wallets.of(actor.tenant);
    for (let i = 0; i < 130; i += 1) {
      const credits = Array.from({ length: i < 3 ? 200 : 1 }, (_, k) => credit(`crd_${i}_${k}`));
      await store.create(`cus_${i}`, pruned({ ...emptyWallet, credits }, clock.now()));
    }
    clock.set(Date.parse(february));
    commits.length = 0;
    await run(actor, 'all');
    const { items } = await store.query({ limit: 200 });
    expect(items.filter(({ value }) => value.credits.length > 0 || value.endsAt !== null)).toEqual([]);
    expect(await ended(actor)).toHaveLength(3 * 200 + 127);
    // With the inbox and the event for the next page.
    expect(Math.max(...commits)).toBeLessThanOrEqual(402);
  });

  it('is looked at again where somebody is given more meanwhile', async () => {
    const others = meanwhile(embeddedDriver());
    const { world, clock, grant, ended, left, run } = worldOn(databaseOn(others.driver, {}));
    const actor = await world.tenant();
    const { id } = await world.customer(actor);
    await grant(actor, id, 500, february);
    await grant(actor, id, 200, february);
    clock.set(Date.parse(february));
    const due = world.makeEvent(billingDue, {
      id: 'run',
      tenant: actor.tenant,
      subject: actor.tenant,
      data: { run: 'run', page: 0 },
    });
    others.beforeTransaction(() => grant(actor, id, 70, null));
    await world.runJob(endCredit, due, world.services);
    await run(actor, 'again');
    expect(others.happened()).toBe(true);
    expect([await left(actor, id), (await ended(actor)).toSorted()]).toEqual([[70], [200, 500]]);
  });

  it.each(['before', 'after'] as const)('ends once, when its worker dies just %s any of its calls', async (when) => {
    for (let nth = 1; ; nth += 1) {
      const inner = embeddedDriver();
      const { world, clock, due, grant, ended, left, run } = worldOn(databaseOn(inner, {}));
      const actor = await world.tenant();
      const { id } = await world.customer(actor);
      await grant(actor, id, 500, february);
      clock.set(Date.parse(february));
      const killer = killAt(nth, when);
      const victim = billingOn(databaseOn(killer.driver(inner), {}), { clock });
      await victim.runJob(endCredit, due(actor, 'doomed'), victim.services).catch(() => undefined);
      clock.advance(20 * 60_000);
      await run(actor, 'next');
      expect([await left(actor, id), await ended(actor)]).toEqual([[], [500]]);
      if (killer.calls() < nth) break;
    }
  });

  it('ends on the way of a test clock, at its own time', async () => {
    const { world, clock, grant, ended, left } = worldOn(databaseOn(embeddedDriver(), {}));
    const actor = await world.tenant();
    await world.billingSettings.setTestClock(actor, '2026-01-01T00:00:00.000Z');
    const { id } = await world.customer(actor);
    await grant(actor, id, 500, february);
    await world.billingSettings.setTestClock(actor, '2026-03-01T00:00:00.000Z');
    const moved = (await world.eventsOf(actor)).find(({ type }) => type === clockAdvanced.type);
    if (moved === undefined) throw new Error('It does not move.');
    await world.drain(actor, advanceClock, moved);
    expect([await left(actor, id), await ended(actor)]).toEqual([[], [500]]);
    expect(await world.billingSettings.get(actor)).toMatchObject({
      testClock: '2026-03-01T00:00:00.000Z',
      movingTo: null,
    });
    expect(clock.now()).toBe(Date.parse('2026-01-01T00:00:00.000Z'));
  });
});
