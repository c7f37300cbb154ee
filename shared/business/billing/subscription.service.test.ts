import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { meanwhile } from '#tests/support/meanwhile.ts';
import type { Actor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import { newCouponSchema, newPromotionCodeSchema } from './coupon.schema.ts';
import { subscriptionChangeSchema } from './subscription.schema.ts';
import { transitions } from './subscription.state.ts';

const seats = { model: 'per-unit', unitAmount: 2_900 };
const change = (input: object) => subscriptionChangeSchema.parse(input);

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('subscriptions on %s', (_name, open) => {
  const clock = manualClock('2026-01-01T00:00:00Z');
  const world = billingOn(open({ now: clock.now }), { clock });
  const { billingSubscriptions: subscriptions, billingInvoices: invoices, catalogue, coupons } = world;
  clock.set(Date.parse('2026-04-01T00:00:00.000Z'));
  const setup = async (settings = {}) => {
    const actor = await world.tenant(settings);
    const [price, customer] = await Promise.all([world.price(actor, seats), world.customer(actor)]);
    return { actor, price, customer };
  };
  const proOf = async (quantity = 10) => {
    const { actor, price, customer } = await setup();
    const made = await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id, quantity }] });
    return { actor, price, customer, id: made.subscription.id, first: made.invoice ?? '' };
  };
  const at = async (actor: Actor, time: string) => {
    await world.billingSettings.setTestClock(actor, time);
  };

  it('charge their first period in advance, with a number, tax and a line that explains itself', async () => {
    const { actor, first } = await proOf();
    // 10 × 29.00 = 290.00; 19 % of it 55.10
    expect(await invoices.get(actor, first)).toMatchObject({
      number: 'INV-000001',
      status: 'open',
      net: 29_000,
      tax: 5_510,
      total: 34_510,
      due: 34_510,
      lines: [{ description: 'Pro (10 seats), 2026-04-01 to 2026-04-30', quantity: 10, amount: 29_000 }],
    });
  });

  it('make the amounts of a price unchangeable', async () => {
    const { actor, price } = await proOf();
    const amounts = { EUR: { model: 'per-unit', unitAmount: 1 } } as const;
    await expect(catalogue.changePrice(actor, price.id, { amounts })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect(await catalogue.changePrice(actor, price.id, { active: false })).toMatchObject({
      active: false,
      used: true,
    });
  });

  it('prorate more seats to the day, on the next invoice or now', async () => {
    const { actor, price, id } = await proOf();
    clock.set(Date.parse('2026-04-20T10:00:00.000Z'));
    const items = [{ price: price.id, quantity: 12 }];
    const shown = await subscriptions.preview(actor, id, change({ items }));
    const { subscription } = await subscriptions.change(actor, id, change({ items }));
    clock.set(Date.parse('2026-04-01T00:00:00.000Z'));
    // 11 of 30 days: −29,000 × 11 / 30 = −10,633; 34,800 × 11 / 30 = 12,760
    expect(subscription.pending.map(({ amount }) => amount)).toEqual([-10_633, 12_760]);
    expect(subscription.pending[0]?.description).toBe('Unused time: 11 of 30 days of Pro (10 seats) from 2026-04-20');
    expect(shown.net).toBe(2_127);
    const now = await subscriptions.change(actor, id, change({ items, proration: 'invoice-now' }));
    expect(await invoices.get(actor, now.invoice ?? '')).toMatchObject({ number: 'INV-000002', net: 2_127 });
  });

  it('give back what was paid less a discount, and not more', async () => {
    const { actor, price, customer } = await setup();
    const coupon = await coupons.create(
      actor,
      newCouponSchema.parse({
        name: 'Half',
        discount: { kind: 'percent', basisPoints: 5_000 },
        duration: { kind: 'once' },
      }),
    );
    await coupons.createCode(actor, newPromotionCodeSchema.parse({ coupon: coupon.id, code: 'half' }));
    const input = { customer: customer.id, items: [{ price: price.id, quantity: 10 }], promotionCode: 'HALF' };
    const made = await world.subscribe(actor, input);
    expect(await invoices.get(actor, made.invoice ?? '')).toMatchObject({ discount: 14_500, net: 14_500 });
    const ended = await subscriptions.cancel(actor, made.subscription.id, { when: 'now', refund: 'prorated' });
    // On the first day all of it is unused: 14,500 and 19 % of it go back, to the wallet.
    expect(await invoices.get(actor, ended.invoice ?? '')).toMatchObject({
      net: -14_500,
      total: -17_255,
      status: 'paid',
    });
    expect((await world.walletService.get(actor, customer.id)).balances).toMatchObject([{ available: 17_255 }]);
    expect(ended.subscription.status).toBe('canceled');
  });

  it('begin a new period at once with another interval', async () => {
    const { actor, id } = await proOf(1);
    const yearly = await world.price(
      actor,
      { model: 'flat', amount: 30_000 },
      { interval: { unit: 'year', count: 1 } },
    );
    await at(actor, '2026-04-16T00:00:00.000Z').catch(() => undefined);
    clock.set(Date.parse('2026-04-16T00:00:00.000Z'));
    const { subscription, invoice } = await subscriptions.change(actor, id, change({ items: [{ price: yearly.id }] }));
    clock.set(Date.parse('2026-04-01T00:00:00.000Z'));
    expect([subscription.periodFrom, subscription.periodTo]).toEqual([
      '2026-04-16T00:00:00.000Z',
      '2027-04-16T00:00:00.000Z',
    ]);
    // 2,900 × 15 / 30 = 1,450 back, 30,000 for the year.
    expect((await invoices.get(actor, invoice ?? '')).lines.map(({ amount }) => amount)).toEqual([-1_450, 30_000]);
  });

  it('cost nothing in their trial, which can be ended', async () => {
    const { actor, customer } = await setup();
    const price = await world.price(actor, seats, { trialDays: 14 });
    const made = await world.subscribe(actor, { customer: customer.id, items: [{ price: price.id }] });
    expect(made).toMatchObject({
      invoice: null,
      subscription: { status: 'trialing', trialEnd: '2026-04-15T00:00:00.000Z', periodTo: '2026-04-15T00:00:00.000Z' },
    });
    const ended = await subscriptions.cancel(actor, made.subscription.id, { when: 'now', refund: 'none' });
    expect(ended).toMatchObject({ invoice: null, subscription: { status: 'canceled' } });
  });

  it('pause, and go on with a new period', async () => {
    const { actor, id } = await proOf(1);
    clock.set(Date.parse('2026-04-16T00:00:00.000Z'));
    const paused = await subscriptions.pause(actor, id, { resumesAt: null, refund: 'prorated' });
    clock.set(Date.parse('2026-06-01T00:00:00.000Z'));
    const resumed = await subscriptions.resume(actor, id);
    clock.set(Date.parse('2026-04-01T00:00:00.000Z'));
    expect(paused.subscription).toMatchObject({ status: 'paused', pausedAt: '2026-04-16T00:00:00.000Z' });
    expect((await invoices.get(actor, paused.invoice ?? '')).net).toBe(-1_450);
    expect(resumed.subscription).toMatchObject({ status: 'active', periodTo: '2026-07-01T00:00:00.000Z' });
    // 1,450 and 19 % of it (275.50 → 276) were given back; 2,900 and 551 are charged.
    expect(await invoices.get(actor, resumed.invoice ?? '')).toMatchObject({
      total: 3_451,
      creditApplied: 1_726,
      due: 1_725,
    });
  });

  it('take back what was to happen at the end of the period', async () => {
    const { actor, price, id } = await proOf(1);
    await subscriptions.change(actor, id, change({ items: [{ price: price.id, quantity: 5 }], when: 'period-end' }));
    const ending = await subscriptions.cancel(actor, id, { when: 'period-end', refund: 'none' });
    expect(ending.subscription).toMatchObject({ status: 'active', cancelAtPeriodEnd: true });
    const { subscription } = await subscriptions.keep(actor, id);
    expect(subscription).toMatchObject({ cancelAtPeriodEnd: false, canceledAt: null, scheduled: null });
  });

  it('do nothing that their state does not allow', async () => {
    const { actor, price, id } = await proOf(1);
    await subscriptions.cancel(actor, id, { when: 'now', refund: 'none' });
    const refused = { code: 'precondition-failed' };
    const items = [{ price: price.id, quantity: 2 }];
    await expect(subscriptions.change(actor, id, change({ items }))).rejects.toMatchObject(refused);
    await expect(subscriptions.cancel(actor, id, { when: 'now', refund: 'none' })).rejects.toMatchObject(refused);
    await expect(subscriptions.pause(actor, id, { resumesAt: null, refund: 'none' })).rejects.toMatchObject(refused);
    await expect(subscriptions.resume(actor, id)).rejects.toMatchObject(refused);
    await expect(subscriptions.keep(actor, id)).rejects.toMatchObject(refused);
  });

  it.each([
    [
      'a customer of another tenant',
      async (_ours: Actor, theirs: Actor) => ({ customer: (await world.customer(theirs)).id }),
    ],
    [
      'a price of another tenant',
      async (_ours: Actor, theirs: Actor) => ({ items: [{ price: (await world.price(theirs, seats)).id }] }),
    ],
    ['a currency that the price has not', async () => ({ currency: 'USD' })],
    ['a code that is not there', async () => ({ promotionCode: 'NONE' })],
    ['an anchor in the past', async () => ({ anchor: '2026-03-01T00:00:00.000Z' })],
  ])('refuse %s, and store nothing', async (_what, wrong) => {
    const { actor, price, customer } = await setup();
    const input = {
      customer: customer.id,
      items: [{ price: price.id }],
      ...(await wrong(actor, await world.tenant())),
    };
    await expect(world.subscribe(actor, input)).rejects.toMatchObject({ code: 'invalid-request' });
    expect((await subscriptions.list(actor, { limit: 10 })).items).toEqual([]);
    expect(await world.invoicesOf(actor)).toEqual([]);
  });

  it('are not collected from automatically where there is nothing to do it with', async () => {
    const { actor, price, customer } = await setup();
    const input = { customer: customer.id, items: [{ price: price.id }], collection: 'automatic' };
    await expect(world.subscribe(actor, input)).rejects.toMatchObject({ code: 'precondition-failed' });
  });

  it('are made once for an idempotency key', async () => {
    const { actor, price, customer } = await setup();
    const keyed = { ...actor, idempotencyKey: 'once' };
    const input = { customer: customer.id, items: [{ price: price.id }] };
    const first = await world.subscribe(keyed, input);
    expect(await world.subscribe(keyed, input)).toEqual(first);
    expect(await world.invoicesOf(actor)).toHaveLength(1);
  });
});

describe('a subscription that is made while somebody else', () => {
  const open = async () => {
    const others = meanwhile(embeddedDriver());
    const world = billingOn(databaseOn(others.driver, {}));
    const actor = await world.tenant();
    const [price, customer] = await Promise.all([world.price(actor, seats), world.customer(actor)]);
    const subscribe = (of = customer.id, items = [{ price: price.id }]) =>
      world.subscribe(actor, { customer: of, items });
    return { others, world, actor, price, customer, subscribe };
  };

  it('erases the customer, is not made', async () => {
    const { others, world, actor, customer, subscribe } = await open();
    const { subscription } = await subscribe();
    await world.billingSubscriptions.cancel(actor, subscription.id, { when: 'now', refund: 'none' });
    others.beforeRead('billingPrices', () => world.billingCustomers.erase(actor, customer.id));
    await expect(subscribe()).rejects.toMatchObject({ code: 'invalid-request' });
    expect(others.happened()).toBe(true);
    const { items } = await world.billingSubscriptions.list(actor, { limit: 10 });
    expect(items.map(({ status }) => status)).toEqual(['canceled']);
  });

  it('makes it by the same request, is the same one', async () => {
    const { world, actor, price, customer } = await open();
    const input = { customer: customer.id, items: [{ price: price.id }] };
    const twice = [1, 2].map(() => world.subscribe({ ...actor, idempotencyKey: 'once' }, input));
    const [first, second] = await Promise.all(twice);
    expect(second).toEqual(first);
    expect(await world.invoicesOf(actor)).toHaveLength(1);
  });

  it('takes the first number of the series, lets a change have the second', async () => {
    const { others, world, actor, price, subscribe } = await open();
    const free = await world.price(actor, { model: 'flat', amount: 0 });
    const { subscription, invoice } = await subscribe(undefined, [{ price: free.id }]);
    expect(invoice).toBeNull();
    const other = await world.customer(actor);
    others.beforeRead('billingWallets', () => subscribe(other.id));
    const asked = change({ items: [{ price: price.id, quantity: 1 }], proration: 'invoice-now' });
    const changed = await world.billingSubscriptions.change(actor, subscription.id, asked);
    expect(others.happened()).toBe(true);
    const { number } = await world.billingInvoices.get(actor, changed.invoice ?? '');
    expect(number).toBe('INV-000002');
  });
});

describe('the last redemption of a code', () => {
  it('has one winner among twenty at once, on Firestore', async () => {
    const world = billingOn(testDatabase());
    const actor = await world.tenant();
    const price = await world.price(actor, seats);
    const coupon = await world.coupons.create(
      actor,
      newCouponSchema.parse({
        name: 'One',
        discount: { kind: 'percent', basisPoints: 1_000 },
        duration: { kind: 'forever' },
      }),
    );
    await world.coupons.createCode(
      actor,
      newPromotionCodeSchema.parse({ coupon: coupon.id, code: 'LAST', maxRedemptions: 1 }),
    );
    const customers = await Promise.all(Array.from({ length: 20 }, () => world.customer(actor)));
    const all = await Promise.allSettled(
      customers.map(({ id }) =>
        world.subscribe(actor, { customer: id, items: [{ price: price.id }], promotionCode: 'LAST' }),
      ),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of all) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'invalid-request' });
    }
    expect(await world.coupons.getCode(actor, 'last')).toMatchObject({ redeemed: 1 });
    expect(await world.invoicesOf(actor)).toHaveLength(1);
  });
});

it('has no way out of canceled, and every other state leads there', () => {
  expect(transitions.canceled).toEqual([]);
  for (const [from, to] of Object.entries(transitions)) if (from !== 'canceled') expect(to).toContain('canceled');
});
