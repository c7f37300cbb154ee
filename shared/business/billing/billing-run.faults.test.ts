import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { startTaxJar } from '#tests/support/taxjar-server.ts';
import { createMemoryCache } from '../../cache/memory.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { billingDue, clockAdvanced } from './billing.events.ts';
import { billDue } from './billing-run.jobs.ts';
import type { Subscription } from './subscription.schema.ts';
import { taxJar } from './taxjar.ts';
import { advanceClock } from './test-clock.jobs.ts';

const server = await startTaxJar('the-key');
afterAll(server.close);
server.rates.set('NY', 0.08875);
beforeEach(() => server.broken.clear());

const flat = { model: 'flat', amount: 10_000 };
const newYork = (postalCode: string) => ({
  country: 'US',
  address: { line1: '350 5th Ave', postalCode, city: 'New York', region: 'NY' },
});
const zipOf = (i: number): string => String(10_000 + i);

const open = async () => {
  const driver = embeddedDriver();
  const clock = manualClock('2026-01-01T00:00:00Z');
  const cache = createMemoryCache({ clock });
  const salesTax = taxJar({ apiKey: 'the-key', baseUrl: server.url, cache, timeout: 1, retries: 1, pause: () => 1 });
  const world = billingOn(databaseOn(driver, { now: clock.now }), { clock, salesTax });
  const actor = await world.tenant({ paymentTermDays: 90 });
  const price = await world.price(actor, flat);
  const { tenant } = actor;
  const store = world.subscriptions.of(tenant);

  const subscribe = async (change: object = {}, input: object = {}): Promise<string> => {
    const customer = await world.customer(actor, change);
    const { subscription } = await world.subscribe(actor, {
      customer: customer.id,
      items: [{ price: price.id }],
      ...input,
    });
    return subscription.id;
  };
  /** As it would never be, were there no fault anywhere. */
  const spoil = async (id: string, how: (value: Subscription) => Partial<Subscription>): Promise<void> => {
    const stored = await store.get(id);
    if (stored === undefined) throw new Error('It is not there.');
    await store.update(id, { ...stored.value, ...how(stored.value) });
  };
  const run = async (): Promise<void> => {
    const name = String(clock.now());
    const data = { run: name, page: 0 };
    await world.drain(
      actor,
      billDue,
      world.makeEvent(billingDue, { id: `run:${name}`, tenant, subject: tenant, data }),
    );
  };
  const runAt = async (at: string): Promise<void> => {
    clock.set(Date.parse(at));
    await run();
  };
  const stateOf = async (id: string) => {
    const { period, problem, failures, nextActionAt } = (await store.get(id))?.value ?? {};
    return { period, problem, failures, nextActionAt };
  };
  const numbers = async (): Promise<readonly (string | null)[]> =>
    (await world.invoicesOf(actor)).map(({ number }) => number).toSorted();
  return { driver, world, actor, price, subscribe, spoil, runAt, stateOf, numbers };
};
type Opened = Awaited<ReturnType<typeof open>>;

const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `INV-${String(i + 1).padStart(6, '0')}`);
const renewed = { period: 1, problem: null, failures: 0, nextActionAt: '2026-03-01T00:00:00.000Z' };

/** Ways in which one subscription can be wrong, each where another step of the run finds it. */
const wrongs: readonly (readonly [string, (on: Opened, id: string) => Promise<void>, string])[] = [
  [
    'a price that is not there',
    ({ spoil }, id) => spoil(id, ({ items }) => ({ items: items.map((one) => ({ ...one, price: 'price_gone' })) })),
    'ours to mend',
  ],
  ['no customer', ({ spoil }, id) => spoil(id, () => ({ customer: 'cus_gone' })), 'ours to mend'],
  [
    'a customer whose wallet takes no more credit',
    async ({ world, actor, spoil }, id) => {
      const { customer } = await world.billingSubscriptions.get(actor, id);
      const credit = { currency: 'EUR', amount: 1, remaining: 1, reason: 'Full', expiresAt: null };
      const createdAt = '2026-01-01T00:00:00.000Z';
      const credits = Array.from({ length: 200 }, (_, i) => ({ ...credit, id: `crd_${i}`, createdAt }));
      const { emptyWallet } = await import('./wallet.ts');
      await world.wallets.of(actor.tenant).create(customer, { ...emptyWallet, credits });
      const [line] = (await world.invoicesOf(actor)).flatMap(({ lines }) => lines);
      if (line === undefined) throw new Error('There is no line.');
      await spoil(id, () => ({ pending: [{ ...line, amount: -50_000, discountable: false }] }));
    },
    'At most 200 credits',
  ],
  [
    'a customer that can’t be read',
    async ({ world, actor, driver }, id) => {
      const { customer } = await world.billingSubscriptions.get(actor, id);
      const key = { collection: `tenants/${actor.tenant}/billingCustomers`, id: customer };
      await driver.commit([{ kind: 'update', key, content: { data: { name: 1 }, fieldNames: ['name'] } }]);
    },
    'ours to mend',
  ],
];

describe('a subscription that has', () => {
  it.each(wrongs)('%s, is put off and says why, and the others are billed', async (_name, spoilIt, told) => {
    const on = await open();
    const ids = [];
    for (let i = 0; i < 9; i += 1) ids.push(await on.subscribe());
    const [bad = ''] = ids.splice(2, 1);
    await spoilIt(on, bad);
    await on.runAt('2026-02-01T00:00:00Z');
    for (const id of ids) expect(await on.stateOf(id)).toEqual(renewed);
    const problem = expect.stringContaining(told);
    expect(await on.stateOf(bad)).toEqual({
      period: 0,
      problem,
      failures: 1,
      nextActionAt: '2026-02-01T01:00:00.000Z',
    });
    expect(await on.numbers()).toEqual(numbered(9 + 8));
  });

  it('something wrong with it for long, is tried less and less often, and billed when it is mended', async () => {
    const { subscribe, spoil, runAt, stateOf, numbers, price } = await open();
    const id = await subscribe();
    const priced = (of: string) => spoil(id, ({ items }) => ({ items: items.map((one) => ({ ...one, price: of })) }));
    await priced('price_gone');
    // After 1, 2, 4 and 8 hours, and from then on every 8.
    const times = ['00', '01', '03', '07', '15', '23'].map((hour) => `2026-02-01T${hour}:00:00.000Z`);
    for (const [i, at] of times.entries()) {
      await runAt(at);
      const nextActionAt = times[i + 1] ?? '2026-02-02T07:00:00.000Z';
      expect(await stateOf(id)).toMatchObject({ failures: i + 1, nextActionAt });
    }
    await priced(price.id);
    await runAt('2026-02-02T07:00:00Z');
    expect(await stateOf(id)).toEqual(renewed);
    expect(await numbers()).toEqual(numbered(2));
  });
});

describe('while the sales tax service', () => {
  it('fails on one address, everybody else is billed, and nobody with a tax that was guessed', async () => {
    const { world, actor, subscribe, runAt, stateOf } = await open();
    const bad = await subscribe(newYork(zipOf(0)));
    const good = [await subscribe(newYork(zipOf(1))), await subscribe()];
    server.broken.add(zipOf(0));
    await runAt('2026-02-01T00:00:00Z');
    for (const id of good) expect(await stateOf(id)).toEqual(renewed);
    const problem = expect.stringContaining('sales tax service does not answer');
    expect(await stateOf(bad)).toMatchObject({ period: 0, problem, failures: 1 });
    server.broken.clear();
    await runAt('2026-02-01T01:00:00Z');
    expect(await stateOf(bad)).toEqual(renewed);
    const { items } = await world.billingInvoices.list(actor, { subscription: bad, limit: 10 });
    // 10,000 × 0.08875 = 887.50, rounded half up
    expect(items.map(({ tax }) => tax)).toEqual([888, 888]);
  });

  it('is down, a page asks it ten times at most, the next pages never, and those who need it not are billed', async () => {
    const { subscribe, runAt, stateOf } = await open();
    const [american, german]: [string[], string[]] = [[], []];
    for (let i = 0; i < 90; i += 1) american.push(await subscribe(newYork(zipOf(i))));
    for (let i = 0; i < 3; i += 1) german.push(await subscribe());
    for (let i = 0; i < 90; i += 1) server.broken.add(zipOf(i));
    const before = server.requests();
    await runAt('2026-02-01T00:00:00Z');
    // Each is asked for twice.
    expect(server.requests() - before).toBe(20);
    for (const id of german) expect(await stateOf(id)).toEqual(renewed);
    const states = await Promise.all(american.map(stateOf));
    expect(states.filter(({ period, problem }) => period === 0 && problem !== null)).toHaveLength(90);
    expect(states.filter(({ failures }) => failures === 1)).toHaveLength(10);
    expect(states.filter(({ nextActionAt }) => nextActionAt === '2026-02-01T00:05:00.000Z')).toHaveLength(80);
    server.broken.clear();
    await runAt('2026-02-01T01:00:00Z');
    for (const id of american) expect(await stateOf(id)).toEqual(renewed);
  });

  it('is down, those who were not tried come before those who were', async () => {
    const { subscribe, runAt, stateOf } = await open();
    const ids = [];
    for (let i = 0; i < 12; i += 1) ids.push(await subscribe(newYork(zipOf(i))));
    // Ten of them can never be billed, and are all that is asked for first.
    const due = await Promise.all(ids.toSorted().slice(0, 10));
    for (const [i, id] of ids.entries()) if (due.includes(id)) server.broken.add(zipOf(i));
    const others = ids.filter((id) => !due.includes(id));
    await runAt('2026-02-01T00:00:00Z');
    await runAt('2026-02-01T01:00:00Z');
    for (const id of others) expect(await stateOf(id)).toEqual(renewed);
    for (const id of due) expect(await stateOf(id)).toMatchObject({ period: 0 });
  });

  it('is down, a test clock waits for it: what is billed then is billed at its own time', async () => {
    const { world, actor, subscribe, stateOf } = await open();
    await world.billingSettings.setTestClock(actor, '2026-01-01T00:00:00.000Z');
    const id = await subscribe(newYork(zipOf(0)));
    server.broken.add(zipOf(0));
    // What was answered before is not trusted any more.
    world.clock.advance(2 * 3_600_000);
    await world.billingSettings.setTestClock(actor, '2026-02-10T00:00:00.000Z');
    const done = new Set<string>();
    /** As far as it gets. */
    const move = async (): Promise<void> => {
      for (let hasMoved = true; hasMoved; ) {
        const steps = (await world.eventsOf(actor)).filter(({ type }) => type === clockAdvanced.type);
        hasMoved = false;
        for (const step of steps.filter((one) => !done.has(one.id))) {
          if ((await world.runJob(advanceClock, step, world.services)) !== 'done') continue;
          done.add(step.id);
          hasMoved = true;
        }
      }
    };
    const clockOf = async () => (await world.billingSettings.get(actor)).testClock;
    await move();
    expect([await clockOf(), await stateOf(id)]).toMatchObject([
      '2026-02-01T00:00:00.000Z',
      { period: 0, failures: 0 },
    ]);
    server.broken.clear();
    await move();
    expect([await clockOf(), await stateOf(id)]).toMatchObject([
      '2026-02-10T00:00:00.000Z',
      { period: 1, failures: 0 },
    ]);
    const { items } = await world.billingInvoices.list(actor, { subscription: id, limit: 10 });
    expect(items[0]).toMatchObject({ createdAt: '2026-02-01T00:00:00.000Z' });
    expect(await world.billingSettings.get(actor)).toMatchObject({ movingTo: null });
  });
});
