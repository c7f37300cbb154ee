import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { counting } from '#tests/support/counting.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import type { Actor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import { billingDue } from './billing.events.ts';
import { billDue, subscriptionPage } from './billing-run.jobs.ts';
import { subscriptionChangeSchema } from './subscription.schema.ts';

type World = ReturnType<typeof billingOn>;

const seats = { model: 'per-unit', unitAmount: 2_900 };
const dueIn = (world: World, { tenant }: Actor, run = 'r1') =>
  world.makeEvent(billingDue, { id: `run:${run}:${tenant}`, tenant, subject: tenant, data: { run, page: 0 } });
const runAll = (world: World, actor: Actor, run?: string) => world.drain(actor, billDue, dueIn(world, actor, run));
const time = (world: World, at: string) => world.clock.set(Date.parse(at));

const subscribed = async (world: World, input: object = {}, price: object = {}) => {
  const actor = await world.tenant();
  const [sold, customer] = [await world.price(actor, seats, price), await world.customer(actor)];
  const { subscription } = await world.subscribe(actor, {
    customer: customer.id,
    items: [{ price: sold.id }],
    ...input,
  });
  return { actor, price: sold, customer, id: subscription.id };
};

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('the billing run on %s', (_name, open) => {
  const clock = manualClock('2026-01-01T00:00:00Z');
  const world = billingOn(open({ now: clock.now }), { clock });
  const { billingSubscriptions: subscriptions } = world;

  it('renews at the end of a period, not before, and on the anchor’s day', async () => {
    time(world, '2026-01-31T08:00:00Z');
    const { actor, id } = await subscribed(world);
    time(world, '2026-02-28T07:59:59Z');
    await runAll(world, actor, 'early');
    expect(await world.invoicesOf(actor)).toHaveLength(1);
    time(world, '2026-02-28T08:00:00Z');
    await runAll(world, actor, 'on time');
    time(world, '2026-03-31T08:00:00Z');
    await runAll(world, actor, 'again');
    expect((await world.invoicesOf(actor)).map(({ number, lines }) => [number, lines[0]?.description])).toEqual([
      ['INV-000001', 'Pro (1 seat), 2026-01-31 to 2026-02-27'],
      ['INV-000002', 'Pro (1 seat), 2026-02-28 to 2026-03-30'],
      ['INV-000003', 'Pro (1 seat), 2026-03-31 to 2026-04-29'],
    ]);
    expect(await subscriptions.get(actor, id)).toMatchObject({ period: 2, periodTo: '2026-04-30T08:00:00.000Z' });
  });

  it('bills each period that was missed once, when the clock leaps ahead, and none again when it steps back', async () => {
    time(world, '2026-01-15T00:00:00Z');
    const { actor } = await subscribed(world);
    time(world, '2026-06-20T00:00:00Z');
    await runAll(world, actor, 'late');
    expect(await world.invoicesOf(actor)).toHaveLength(6);
    time(world, '2026-02-20T00:00:00Z');
    await runAll(world, actor, 'back');
    expect(await world.invoicesOf(actor)).toHaveLength(6);
  });

  it('goes page by page, with numbers without a gap', async () => {
    time(world, '2026-01-01T00:00:00Z');
    const { actor, price, customer } = await subscribed(world);
    const count = subscriptionPage + 5;
    for (let i = 1; i < count; i += 1) {
      await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id }] });
    }
    time(world, '2026-02-01T00:00:00Z');
    await runAll(world, actor);
    const numbers = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await world.billingInvoices.list(actor, { limit: 100, cursor });
      numbers.push(...page.items.map(({ number }) => number));
      cursor = page.nextCursor;
    }
    const expected = Array.from({ length: 2 * count }, (_, i) => `INV-${String(i + 1).padStart(6, '0')}`);
    expect(numbers.toSorted()).toEqual(expected);
  });

  it('ends trials, cancellations, pauses and discounts when they are due, and takes up what was scheduled', async () => {
    time(world, '2026-01-01T00:00:00Z');
    const trial = await subscribed(world, {}, { trialDays: 10 });
    const ending = await subscribed(world);
    await subscriptions.cancel(ending.actor, ending.id, { when: 'period-end', refund: 'none' });
    const paused = await subscribed(world);
    await subscriptions.pause(paused.actor, paused.id, { resumesAt: '2026-01-20T00:00:00.000Z', refund: 'none' });
    const growing = await subscribed(world);
    const items = [{ price: growing.price.id, quantity: 3 }];
    const later = subscriptionChangeSchema.parse({ items, when: 'period-end' });
    await subscriptions.change(growing.actor, growing.id, later);
    time(world, '2026-02-01T00:00:00Z');
    for (const { actor } of [trial, ending, paused, growing]) await runAll(world, actor);
    expect(await subscriptions.get(trial.actor, trial.id)).toMatchObject({
      status: 'active',
      periodFrom: '2026-01-11T00:00:00.000Z',
    });
    expect(await subscriptions.get(ending.actor, ending.id)).toMatchObject({
      status: 'canceled',
      endedAt: '2026-02-01T00:00:00.000Z',
    });
    expect(await subscriptions.get(paused.actor, paused.id)).toMatchObject({
      status: 'active',
      periodFrom: '2026-01-20T00:00:00.000Z',
    });
    expect(await subscriptions.get(growing.actor, growing.id)).toMatchObject({
      scheduled: null,
      items: [{ quantity: 3 }],
    });
    expect((await world.invoicesOf(growing.actor)).map(({ net }) => net)).toEqual([2_900, 8_700]);
    expect(await world.invoicesOf(ending.actor)).toHaveLength(1);
  });

  it('bills each period once of six runs at once and of a duplicate', async () => {
    time(world, '2026-01-01T00:00:00Z');
    const { actor } = await subscribed(world);
    time(world, '2026-02-01T00:00:00Z');
    await Promise.all(
      Array.from({ length: 6 }, (_, i) => world.runJob(billDue, dueIn(world, actor, `r${i}`), world.services)),
    );
    await runAll(world, actor, 'r0');
    expect((await world.invoicesOf(actor)).map(({ number }) => number)).toEqual(['INV-000001', 'INV-000002']);
  });

  it('puts off what can’t be billed, says why, and bills the others', async () => {
    time(world, '2026-01-01T00:00:00Z');
    const { actor, price, customer, id } = await subscribed(world);
    const other = await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id }] });
    const stored = await world.subscriptions.of(actor.tenant).get(id);
    if (stored === undefined) throw new Error('It is not there.');
    const wrong = stored.value.items.map((item) => ({ ...item, quantity: Number.MAX_SAFE_INTEGER }));
    await world.subscriptions.of(actor.tenant).update(id, { ...stored.value, items: wrong });
    time(world, '2026-02-01T00:00:00Z');
    await runAll(world, actor);
    expect(await subscriptions.get(actor, id)).toMatchObject({ period: 0, problem: expect.stringContaining('2^53') });
    expect(await subscriptions.get(actor, other.subscription.id)).toMatchObject({ period: 1, problem: null });
  });
});

it('costs the same for each subscription, however many there are', async () => {
  const costOf = async (count: number) => {
    const driver = counting(embeddedDriver());
    let writes = 0;
    const transaction: Driver['transaction'] = (work) =>
      driver.transaction(async (reader) => {
        const decided = await work(reader);
        writes += decided.writes.length;
        return decided;
      });
    const clock = manualClock('2026-01-01T00:00:00Z');
    const world = billingOn(databaseOn({ ...driver, transaction }, { now: clock.now }), { clock });
    const { actor, price } = await subscribed(world);
    for (let i = 1; i < count; i += 1) {
      const customer = await world.customer(actor);
      await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id }] });
    }
    time(world, '2026-02-01T00:00:00Z');
    writes = 0;
    driver.taken();
    let runs = 0;
    for (let event: DomainEvent | undefined = dueIn(world, actor); event !== undefined; runs += 1) {
      const page: number = runs + 1;
      await world.runJob(billDue, event, world.services);
      const reads = driver.taken();
      const full = page < Math.ceil(count / subscriptionPage);
      const bills = full ? subscriptionPage : count - (page - 1) * subscriptionPage;
      expect(reads).toMatchObject({
        billingSubscriptions: 1,
        billingSettings: 1,
        billingPrices: 1,
        billingProducts: 1,
      });
      expect(reads).toMatchObject({ billingCustomers: bills, billingWallets: bills, billingSequences: 1 });
      // Each, its invoice and its event; the series, the inbox and the next page.
      expect(writes).toBe(3 * bills + (full ? 3 : 2));
      writes = 0;
      event = (await world.eventsOf(actor)).find(({ id }) => id.endsWith(`~${page}`));
      driver.taken();
    }
    return runs;
  };
  expect(await costOf(70)).toBe(1);
  expect(await costOf(230)).toBe(3);
});

describe('a worker that is killed at each of its calls', () => {
  const deliver = async (world: World, actor: Actor): Promise<string> =>
    world.runJob(billDue, dueIn(world, actor), world.services);

  it.each(['before', 'after'] as const)(
    'just %s, leaves each period billed once',
    async (when) => {
      for (let nth = 1; ; nth += 1) {
        const inner = embeddedDriver();
        const clock = manualClock('2026-01-01T00:00:00Z');
        const world = billingOn(databaseOn(inner, { now: clock.now }), { clock });
        const { actor } = await subscribed(world);
        time(world, '2026-03-01T00:00:00Z');
        const killer = killAt(nth, when);
        const doomed: Driver = killer.driver(inner);
        const victim = billingOn(databaseOn(doomed, { now: clock.now }), { clock });
        await deliver(victim, actor).catch(() => undefined);
        clock.advance(20 * 60_000);
        await runAll(world, actor);
        const numbers = (await world.invoicesOf(actor)).map(({ number }) => number);
        expect(numbers.toSorted()).toEqual(['INV-000001', 'INV-000002', 'INV-000003']);
        if (killer.calls() < nth) break;
      }
    },
    60_000,
  );
});
