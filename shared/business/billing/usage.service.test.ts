import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import { billingDue } from './billing.events.ts';
import { billDue } from './billing-run.jobs.ts';
import { type Meter, newMeterSchema, type UsageEvent } from './meter.schema.ts';
import { quantityOf, withEvents } from './usage.totals.ts';

fc.configureGlobal({ seed: 20_260_101 });

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('usage on %s', (_name, open) => {
  const clock = manualClock('2026-01-20T12:00:00Z');
  const world = billingOn(open({ now: clock.now }), { clock });
  const { usage } = world;

  const setup = async (aggregation: Meter['aggregation'] = 'sum', change: object = {}) => {
    const actor = await world.tenant(change);
    const { shards = 1 } = { shards: 1, ...change };
    await usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation, shards }));
    const customer = (await world.customer(actor)).id;
    const event = (id: string, at = '2026-01-20T10:00:00Z', more: Partial<UsageEvent> = {}): UsageEvent => ({
      id,
      customer,
      meter: 'calls',
      at,
      value: 1,
      ...more,
    });
    const total = async (from = '2026-01-01', to = '2026-01-31') =>
      (await usage.read(actor, 'calls', { customer, from, to })).quantity;
    return { actor, customer, event, total };
  };

  it('counts an event once, in one batch, in another, and in twenty at once', async () => {
    const { actor, event, total } = await setup();
    const events = Array.from({ length: 50 }, (_, i) => event(`e${i}`));
    expect(await usage.record(actor, [...events, ...events.slice(0, 5)])).toMatchObject({
      accepted: 50,
      duplicates: 5,
    });
    const all = await Promise.all(Array.from({ length: 20 }, () => usage.record(actor, [...events, event('new')])));
    expect(all.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(1);
    expect(await total()).toBe(51);
  });

  it('loses nothing of twenty different batches at once, over several shards', async () => {
    const actor = await world.tenant();
    await usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum', shards: 4 }));
    const customer = (await world.customer(actor)).id;
    const batch = (n: number): UsageEvent[] =>
      Array.from({ length: 10 }, (_, i) => ({
        id: `${n}-${i}`,
        customer,
        meter: 'calls',
        at: '2026-01-20T10:00:00Z',
        value: 2,
      }));
    await Promise.all(Array.from({ length: 20 }, (_, n) => usage.record(actor, batch(n))));
    const asked = { customer, from: '2026-01-20', to: '2026-01-20' };
    expect(await usage.read(actor, 'calls', asked)).toMatchObject({ quantity: 400, days: [{ events: 200 }] });
  });

  it('takes 10,000 events in one call, in a few commits', async () => {
    const { actor, event, total } = await setup();
    const people = await Promise.all(Array.from({ length: 250 }, async () => (await world.customer(actor)).id));
    const events = Array.from({ length: 10_000 }, (_, i) =>
      event(`e${i}`, `2026-01-${String(10 + (i % 3)).padStart(2, '0')}T10:00:00Z`, { customer: people[i % 250] ?? '' }),
    );
    expect(await usage.record(actor, events)).toEqual({
      accepted: 10_000,
      duplicates: 0,
      rejected: [],
      rejectedCount: 0,
    });
    expect(await usage.record(actor, events)).toMatchObject({ accepted: 0, duplicates: 10_000 });
    const questions = people.map((customer) => ({ customer, meter: 'calls', from: '2026-01-01', to: '2026-02-01' }));
    expect(new Set(await usage.quantities(actor.tenant, questions))).toEqual(new Set([40]));
    expect(await total()).toBe(0);
  });

  it('says of each event why it was not counted', async () => {
    const { actor, event } = await setup('unique');
    const receipt = await usage.record(actor, [
      event('good', undefined, { key: 'a' }),
      event('b', undefined, { customer: 'cus_nobody', key: 'a' }),
      event('c', undefined, { meter: 'other', key: 'a' }),
      event('d', '2025-12-16T11:59:59Z', { key: 'a' }),
      event('e', '2026-01-20T13:00:01Z', { key: 'a' }),
      event('f'),
    ]);
    expect(receipt).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: [
        { index: 1, reason: 'unknown-customer' },
        { index: 2, reason: 'unknown-meter' },
        { index: 3, reason: 'too-late' },
        { index: 4, reason: 'in-the-future' },
        { index: 5, reason: 'no-key' },
      ],
      rejectedCount: 5,
    });
  });

  it('counts days by the tenant’s calendar', async () => {
    const { actor, event, total } = await setup('sum', { timeZone: 'America/New_York' });
    await usage.record(actor, [event('late', '2026-01-16T04:30:00Z')]);
    expect([await total('2026-01-15', '2026-01-15'), await total('2026-01-16', '2026-01-16')]).toEqual([1, 0]);
  });

  it.each<[Meter['aggregation'], number]>([
    ['sum', 14],
    ['max', 9],
    ['last', 2],
    ['unique', 2],
  ])('adds up by %s', async (aggregation, expected) => {
    const { actor, event, total } = await setup(aggregation);
    const [first, second] = [
      event('1', '2026-01-19T10:00:00Z', { value: 3, key: 'a' }),
      event('3', '2026-01-20T09:00:00Z', { value: 2, key: 'b' }),
    ];
    await usage.record(actor, [second]);
    await usage.record(actor, [event('2', '2026-01-19T11:00:00Z', { value: 9, key: 'a' }), first]);
    expect(await total()).toBe(expected);
  });

  it('sets what a day counts, and counts on from there', async () => {
    const { actor, customer, event, total } = await setup();
    await usage.record(actor, [event('1'), event('2')]);
    const correction = { customer, day: '2026-01-20', value: 10, reason: 'Lost by us' };
    expect(await usage.correct(actor, 'calls', correction)).toMatchObject({ quantity: 10 });
    expect(await usage.record(actor, [event('1'), event('3')])).toMatchObject({ accepted: 1, duplicates: 1 });
    expect(await total()).toBe(11);
  });

  it('is billed in arrears, after a pause, and corrected on the next invoice for what came late', async () => {
    const { actor, customer, event } = await setup();
    clock.set(Date.parse('2026-01-01T00:00:00Z'));
    const tiers = [
      { upTo: 100, unitAmount: 10 },
      { upTo: null, unitAmount: 5 },
    ];
    const price = await world.price(actor, { model: 'graduated', tiers }, { meter: 'calls' }, { name: 'Calls' });
    const { invoice } = await world.subscribe(actor, { customer, items: [{ price: price.id }] });
    expect(invoice).toBeNull();
    clock.set(Date.parse('2026-01-31T12:00:00Z'));
    await usage.record(actor, [event('1', '2026-01-31T11:00:00Z', { value: 120 })]);
    const run = (name: string) =>
      world.drain(
        actor,
        billDue,
        world.makeEvent(billingDue, {
          id: name + actor.tenant,
          tenant: actor.tenant,
          subject: 'x',
          data: { run: name, page: 0 },
        }),
      );
    clock.set(Date.parse('2026-02-01T00:59:59Z'));
    await run('grace');
    expect(await world.invoicesOf(actor)).toEqual([]);
    clock.set(Date.parse('2026-02-01T01:00:00Z'));
    await run('first');
    await usage.record(actor, [
      event('late', '2026-01-31T23:00:00Z', { value: 20 }),
      event('feb', '2026-02-01T00:30:00Z', { value: 7 }),
    ]);
    clock.set(Date.parse('2026-03-01T01:00:00Z'));
    await run('second');
    clock.set(Date.parse('2026-01-20T12:00:00Z'));
    const lines = (await world.invoicesOf(actor)).map((one) =>
      one.lines.map(({ description, amount }) => [description, amount]),
    );
    expect(lines).toEqual([
      // 100 × 10 + 20 × 5
      [['Calls: 120 of calls, 2026-01-01 to 2026-01-31', 1_100]],
      [
        ['Calls, 2026-01-01 to 2026-01-31: 140 of calls, billed as 120', 20 * 5],
        ['Calls: 7 of calls, 2026-02-01 to 2026-02-28', 7 * 10],
      ],
    ]);
  });
});

describe('any order of the same events', () => {
  it('adds up to the same', () => {
    const events = fc.uniqueArray(
      fc.record({
        id: fc.string({ minLength: 1, maxLength: 8 }),
        customer: fc.constant('cus_1'),
        meter: fc.constant('calls'),
        at: fc.integer({ min: 0, max: 86_399_000 }).map((ms) => new Date(Date.parse('2026-01-01') + ms).toISOString()),
        value: fc.nat(1_000),
        key: fc.constantFrom('a', 'b', 'c', 'd'),
      }),
      { selector: ({ id }) => id, maxLength: 20 },
    );
    fc.assert(
      fc.property(
        events,
        fc.nat(),
        fc.constantFrom<Meter['aggregation']>('sum', 'max', 'last', 'unique'),
        (all, seed, how) => {
          const shuffled = all.toSorted(
            (a, b) => ((a.id.length * seed) % 7) - ((b.id.length * seed) % 7) || (a.value < b.value ? 1 : -1),
          );
          const cut = all.length === 0 ? 0 : seed % all.length;
          const once = withEvents(undefined, all, how);
          const twice = withEvents(withEvents(undefined, shuffled.slice(0, cut), how), shuffled.slice(cut), how);
          expect(quantityOf([twice], how)).toBe(quantityOf([once], how));
        },
      ),
    );
  });
});

describe('a batch that is read while the same batch is stored', () => {
  it.each(['billingUsageTotals', 'billingUsageSeen'])('is counted once, whoever reads %s late', async (late) => {
    const clock = manualClock('2026-01-20T12:00:00Z');
    const driver = embeddedDriver();
    let between: (() => Promise<unknown>) | undefined;
    const slow: Driver = {
      ...driver,
      get: async (keys) => {
        // What it reads of this collection it reads after the other's commit.
        const run = keys.some(({ collection }) => collection.endsWith(`/${late}`)) ? between : undefined;
        if (run !== undefined) between = undefined;
        await run?.();
        return driver.get(keys);
      },
    };
    const [first, second] = [driver, slow].map(
      (one) => billingOn(databaseOn(one, { now: clock.now }), { clock }).usage,
    );
    if (first === undefined || second === undefined) throw new Error('There are two.');
    const world = billingOn(databaseOn(driver, { now: clock.now }), { clock });
    const actor = await world.tenant();
    await first.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum' }));
    const customer = (await world.customer(actor)).id;
    const batch = [{ id: 'one', customer, meter: 'calls', at: '2026-01-20T10:00:00Z', value: 1 }];
    await first.record(actor, [{ id: 'zero', customer, meter: 'calls', at: '2026-01-20T10:00:00Z', value: 1 }]);
    between = () => first.record(actor, batch);
    expect(await second.record(actor, batch)).toMatchObject({ accepted: 0, duplicates: 1 });
    expect(between).toBeUndefined();
    expect((await first.read(actor, 'calls', { customer, from: '2026-01-20', to: '2026-01-20' })).quantity).toBe(2);
  });
});
