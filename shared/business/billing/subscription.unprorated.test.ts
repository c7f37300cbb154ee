import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { manualClock } from '../../kernel/clock.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { newCouponSchema, newPromotionCodeSchema } from './coupon.schema.ts';
import { subscriptionChangeSchema } from './subscription.schema.ts';

const day = 86_400_000;

/** Seats at 29.00 a month, in April 2026, which has 30 days; with a code, half of it. */
const open = async () => {
  const clock = manualClock('2026-04-01T00:00:00.000Z');
  const world = billingOn(embeddedDatabase({ now: clock.now }), { clock });
  const { billingSubscriptions: subscriptions, coupons } = world;
  const actor = await world.tenant({ paymentTermDays: 180 });
  const discount = { kind: 'percent', basisPoints: 5_000 };
  const half = newCouponSchema.parse({ name: 'Half', discount, duration: { kind: 'forever' } });
  const coupon = await coupons.create(actor, half);
  await coupons.createCode(actor, newPromotionCodeSchema.parse({ coupon: coupon.id, code: 'HALF' }));
  const { id: price } = await world.price(actor, { model: 'per-unit', unitAmount: 2_900 });
  const { id: other } = await world.price(actor, { model: 'flat', amount: 9_000 });
  const { id: customer } = await world.customer(actor);
  const start = async (quantity: number, promotionCode?: string) => {
    const more = promotionCode === undefined ? {} : { promotionCode };
    return (await world.subscribe(actor, { customer, items: [{ price, quantity }], ...more })).subscription.id;
  };
  const change = (id: string, item: object, proration: string) =>
    subscriptions.change(actor, id, subscriptionChangeSchema.parse({ items: [item], proration }));
  return {
    price,
    other,
    start,
    on: (dayOfApril: number) => clock.set(Date.parse('2026-04-01T00:00:00.000Z') + (dayOfApril - 1) * day),
    seats: (id: string, quantity: number, proration: string) => change(id, { price, quantity }, proration),
    change,
    cancel: (id: string) => subscriptions.cancel(actor, id, { when: 'now', refund: 'prorated' }),
    billed: async () =>
      (await world.invoicesOf(actor))
        .toSorted((a, b) => ((a.number ?? '') < (b.number ?? '') ? -1 : 1))
        .map(({ net }) => net),
  };
};

describe('a change without proration', () => {
  it('gives back of more seats only what was paid', async () => {
    const { start, on, seats, cancel, billed } = await open();
    const id = await start(10);
    on(16);
    await seats(id, 20, 'none');
    on(21);
    await cancel(id);
    // 10 of 30 days of ten seats: 290.00 / 3, not of twenty.
    expect(await billed()).toEqual([29_000, -9_667]);
  });

  it('does not have fewer seats paid twice', async () => {
    const { start, on, seats, cancel, billed } = await open();
    const id = await start(10);
    on(11);
    await seats(id, 4, 'none');
    on(16);
    // Ten seats are paid for: back to them costs nothing.
    await seats(id, 10, 'invoice-now');
    expect(await billed()).toEqual([29_000, 0]);
    // 15 of 30 days of two seats more.
    await seats(id, 12, 'invoice-now');
    expect(await billed()).toEqual([29_000, 0, 2_900]);
    on(21);
    await cancel(id);
    // 10 of 30 days of twelve seats, 348.00.
    expect(await billed()).toEqual([29_000, 0, 2_900, -11_600]);
  });

  it('gives back what was paid for another price, at the discount that it was paid with', async () => {
    const { other, start, on, change, cancel, billed } = await open();
    const id = await start(10, 'HALF');
    on(16);
    await change(id, { price: other, quantity: 1 }, 'none');
    on(21);
    await change(id, { price: other, quantity: 1 }, 'invoice-now');
    // 10 of 30 days: −145.00 / 3 for the seats, +45.00 / 3 for what there is now.
    expect(await billed()).toEqual([14_500, -4_833 + 1_500]);
    await cancel(id);
    expect(await billed()).toEqual([14_500, -3_333, -1_500]);
  });

  it('in any order with others never gives back more than was paid', async () => {
    const changes = fc.array(
      fc.record({
        after: fc.integer({ min: 0, max: 5 }),
        quantity: fc.integer({ min: 1, max: 30 }),
        proration: fc.constantFrom('none', 'invoice-now', 'next-invoice'),
      }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), changes, async (quantity, all) => {
        const { start, on, seats, cancel, billed } = await open();
        const id = await start(quantity);
        let today = 1;
        let paid = quantity;
        // What is paid for each day, in seats.
        let seatDays = 0;
        for (const one of all) {
          const at = Math.min(29, today + one.after);
          seatDays += paid * (at - today);
          today = at;
          on(today);
          await seats(id, one.quantity, one.proration);
          if (one.proration !== 'none') paid = one.quantity;
        }
        await cancel(id);
        const total = (await billed()).reduce((sum, net) => sum + net, 0);
        // Each change rounds two lines, by half a cent at most.
        expect(Math.abs(total - (seatDays * 2_900) / 30)).toBeLessThanOrEqual(all.length + 1);
      }),
      { numRuns: 30, seed: 20_260_101 },
    );
  });
});
