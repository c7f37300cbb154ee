import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { manualClock } from '../../kernel/clock.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { billingDue } from './billing.events.ts';
import { billDue } from './billing-run.jobs.ts';
import { newCouponSchema, newPromotionCodeSchema } from './coupon.schema.ts';
import { newMeterSchema } from './meter.schema.ts';
import { subscriptionChangeSchema } from './subscription.schema.ts';

fc.configureGlobal({ seed: 20_260_101 });

const day = 86_400_000;
const yearly = { interval: { unit: 'year', count: 1 } };
/** 10.00 off, and 29.00 a seat and month. */
const ten = { kind: 'amount', amounts: { EUR: 1_000 } };
const seats = { model: 'per-unit', unitAmount: 2_900 };
const once = { kind: 'once' };
const forever = { kind: 'forever' };

/** April 2026 has 30 days. */
const open = async (discount: object | null, duration: object, scheme: object = seats, price: object = {}) => {
  const clock = manualClock('2026-04-01T00:00:00.000Z');
  const world = billingOn(embeddedDatabase({ now: clock.now }), { clock });
  const { billingSubscriptions: subscriptions, coupons } = world;
  const actor = await world.tenant({ paymentTermDays: 180 });
  const { tenant } = actor;
  if (discount !== null) {
    const coupon = await coupons.create(actor, newCouponSchema.parse({ name: 'Less', discount, duration }));
    await coupons.createCode(actor, newPromotionCodeSchema.parse({ coupon: coupon.id, code: 'LESS' }));
  }
  const plan = await world.price(actor, scheme, price);
  const setUp = await world.price(actor, { model: 'flat', amount: 5_000 }, { interval: null });
  const customer = await world.customer(actor);
  const start = (items: readonly object[], more: object = {}) =>
    world.subscribe(actor, {
      customer: customer.id,
      items,
      ...(discount === null ? {} : { promotionCode: 'LESS' }),
      ...more,
    });
  const change = (id: string, input: object) => subscriptions.change(actor, id, subscriptionChangeSchema.parse(input));
  const until = async (at: string | number): Promise<void> => {
    clock.set(typeof at === 'number' ? at : Date.parse(at));
    const id = `run:${clock.now()}`;
    const data = { run: id, page: 0 };
    await world.drain(actor, billDue, world.makeEvent(billingDue, { id, tenant, subject: tenant, data }));
  };
  /** What discounts took off each invoice, and what was left. */
  const billed = async () =>
    (await world.invoicesOf(actor))
      .toSorted((a, b) => ((a.number ?? '') < (b.number ?? '') ? -1 : 1))
      .map(({ discount: off, net }) => [off, net]);
  return { world, clock, actor, subscriptions, plan, setUp, customer, start, change, until, billed };
};

describe('an amount off', () => {
  it('is taken once in a period, whatever number of invoices there are in it', async () => {
    const { plan, setUp, start, change, until, billed } = await open(ten, forever);
    const { subscription } = await start([{ price: plan.id }]);
    await until('2026-04-16T00:00:00Z');
    const items = [{ price: plan.id, quantity: 2 }, { price: setUp.id }];
    await change(subscription.id, { items, proration: 'invoice-now' });
    await until('2026-05-01T00:00:00Z');
    expect(await billed()).toEqual([
      // 29.00 − 10.00
      [1_000, 1_900],
      // 15 of 30 days: −(29.00 − 10.00) / 2 + (58.00 − 10.00) / 2 = 14.50, and 50.00 for the set-up
      [0, 6_450],
      // 58.00 − 10.00
      [1_000, 4_800],
    ]);
  });

  it('of one invoice, is taken off none of the next', async () => {
    const { plan, setUp, start, change, until, billed } = await open(ten, once);
    const { subscription } = await start([{ price: plan.id }]);
    await change(subscription.id, { items: [{ price: plan.id }, { price: setUp.id }], proration: 'invoice-now' });
    await until('2026-05-01T00:00:00Z');
    expect(await billed()).toEqual([
      [1_000, 1_900],
      [0, 5_000],
      [0, 2_900],
    ]);
  });

  it('is used up by a period that a pause has ended', async () => {
    const { actor, subscriptions, plan, start, until, billed } = await open(ten, { kind: 'periods', count: 2 });
    const { subscription } = await start([{ price: plan.id }]);
    for (const month of ['04', '05']) {
      await until(`2026-${month}-10T00:00:00Z`);
      await subscriptions.pause(actor, subscription.id, { resumesAt: null, refund: 'none' });
      await until(`2026-${month}-20T00:00:00Z`);
      await subscriptions.resume(actor, subscription.id);
    }
    // Periods from 1 April, 20 April and 20 May.
    expect(await billed()).toEqual([
      [1_000, 1_900],
      [1_000, 1_900],
      [0, 2_900],
    ]);
  });

  it('waits for what it can be taken off: a trial, also one that was paused, uses nothing up', async () => {
    const { actor, subscriptions, plan, start, until, billed } = await open(ten, once, seats, { trialDays: 14 });
    const { subscription } = await start([{ price: plan.id }]);
    await until('2026-04-05T00:00:00Z');
    await subscriptions.pause(actor, subscription.id, { resumesAt: null, refund: 'none' });
    await until('2026-04-10T00:00:00Z');
    await subscriptions.resume(actor, subscription.id);
    await until('2026-05-10T00:00:00Z');
    expect(await billed()).toEqual([
      [1_000, 1_900],
      [0, 2_900],
    ]);
  });

  it('is not had again with another interval', async () => {
    const { world, actor, plan, start, change, until, billed } = await open(ten, once);
    const year = await world.price(actor, { model: 'flat', amount: 30_000 }, yearly);
    const { subscription } = await start([{ price: plan.id }]);
    await until('2026-04-16T00:00:00Z');
    await change(subscription.id, { items: [{ price: year.id }] });
    // 15 of 30 days of 19.00 are given back: 300.00 − 9.50
    expect(await billed()).toEqual([
      [1_000, 1_900],
      [0, 29_050],
    ]);
  });

  it('that went to a set-up in part, is given back of the rest alone', async () => {
    const { actor, subscriptions, plan, setUp, start, billed } = await open(ten, forever);
    const { subscription } = await start([{ price: plan.id }, { price: setUp.id }]);
    await subscriptions.cancel(actor, subscription.id, { when: 'now', refund: 'prorated' });
    expect(await billed()).toEqual([
      // 10.00 by size: 10.00 × 50 / 79 = 6.33 off the set-up, 3.67 off the seat
      [1_000, 6_900],
      // All of 29.00 − 3.67 is unused on the first day.
      [0, -2_533],
    ]);
  });

  it('is taken off usage, where there is nothing else to take it off', async () => {
    const metered = { meter: 'calls' };
    const { world, actor, customer, ...rest } = await open(ten, once);
    await world.usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum' }));
    const price = await world.price(actor, { model: 'per-unit', unitAmount: 10 }, metered);
    await rest.start([{ price: price.id }]);
    for (const month of ['04', '05']) {
      await rest.until(`2026-${month}-10T00:00:00Z`);
      const event = { id: month, customer: customer.id, meter: 'calls', at: `2026-${month}-10T00:00:00.000Z` };
      await world.usage.record(actor, [{ ...event, value: 300 }]);
    }
    await rest.until('2026-06-01T01:00:00Z');
    // 300 × 0.10 = 30.00 in each
    expect(await rest.billed()).toEqual([
      [1_000, 2_000],
      [0, 3_000],
    ]);
  });
});

describe('a percentage off', () => {
  it('of one invoice, holds for what was bought with it alone', async () => {
    const half = { kind: 'percent', basisPoints: 5_000 };
    const { plan, setUp, start, change, until, billed } = await open(half, once);
    const { subscription } = await start([{ price: plan.id }]);
    await until('2026-04-16T00:00:00Z');
    const items = [{ price: plan.id, quantity: 2 }, { price: setUp.id }];
    await change(subscription.id, { items, proration: 'invoice-now' });
    await until('2026-05-01T00:00:00Z');
    expect(await billed()).toEqual([
      [1_450, 1_450],
      // 15 of 30 days of the period that it holds for: (29.00 − 14.50) / 2 = 7.25, and 50.00
      [0, 5_725],
      [0, 5_800],
    ]);
  });
});

/** One thing that is done, and days that pass after it. */
const step = fc.record({
  what: fc.constantFrom('seats', 'seats', 'interval', 'pause', 'refund', 'resume', 'set-up'),
  quantity: fc.nat(3),
  proration: fc.constantFrom('next-invoice', 'invoice-now', 'none'),
  days: fc.nat(40),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/**
 * What is billed, period after period, with a coupon or without one. Prorated amounts are whole: 13,020 is 28 × 465, …
 */
const live = async (discount: object | null, duration: object, steps: readonly Step[]) => {
  const unit = 13_020 * 73;
  const { world, clock, actor, subscriptions, plan, setUp, start, change, until } = await open(discount, duration, {
    model: 'per-unit',
    unitAmount: unit,
  });
  const year = await world.price(actor, { model: 'per-unit', unitAmount: 10 * unit }, yearly);
  const { subscription } = await start([{ price: plan.id }]);
  const { id } = subscription;
  const begun = new Set<string>();
  let price = plan.id;
  const act = ({ what, quantity, proration }: Step): Promise<unknown> => {
    switch (what) {
      case 'interval':
        price = price === plan.id ? year.id : plan.id;
        return change(id, { items: [{ price, quantity }] });
      case 'pause':
      case 'refund':
        return subscriptions.pause(actor, id, { resumesAt: null, refund: what === 'pause' ? 'none' : 'prorated' });
      case 'resume':
        return subscriptions.resume(actor, id);
      case 'set-up':
        return change(id, { items: [{ price, quantity }, { price: setUp.id }], proration });
      case 'seats':
        return change(id, { items: [{ price, quantity }], proration });
    }
  };
  for (const one of steps) {
    const { status } = await subscriptions.get(actor, id);
    const isPossible = (status === 'paused') === (one.what === 'resume');
    if (isPossible) await act(one);
    begun.add((await subscriptions.get(actor, id)).periodFrom);
    // Day by day, so that no period is missed.
    for (let i = 0; i < one.days; i += 1) {
      await until(clock.now() + day);
      begun.add((await subscriptions.get(actor, id)).periodFrom);
    }
  }
  const invoices = await world.invoicesOf(actor);
  const { pending } = await subscriptions.get(actor, id);
  const prorated = invoices.flatMap(({ lines }) => lines).filter(({ kind }) => kind.startsWith('proration')).length;
  const waiting = pending.filter(({ kind }) => kind.startsWith('proration'));
  const net = invoices.reduce((sum, one) => sum + one.net, 0) + waiting.reduce((sum, { amount }) => sum + amount, 0);
  return { net, periods: begun.size, rounded: (prorated + waiting.length) / 2 };
};

describe('whatever is done, all that a coupon of an amount gives', () => {
  it.each([
    ['once, is no more than that amount', once, () => 1],
    [
      'for three periods, is no more than three times that',
      { kind: 'periods', count: 3 },
      (n: number) => Math.min(n, 3),
    ],
    ['forever, is no more than that in each period', forever, (n: number) => n],
  ] as const)(
    '%s',
    async (_name, duration, times) => {
      const amount = 13_020 * 73 * 1.5;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 7 }), async (steps) => {
          const discount = { kind: 'amount', amounts: { EUR: amount } };
          const [given, full] = [await live(discount, duration, steps), await live(null, duration, steps)];
          // Each line of a proration is rounded once, by half a unit at most.
          expect(full.net - given.net).toBeLessThanOrEqual(amount * times(given.periods) + given.rounded);
        }),
        { numRuns: 12 },
      );
    },
    60_000,
  );
});
