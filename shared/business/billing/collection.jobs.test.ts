import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { fakeCharges } from '#tests/support/charges.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import type { Actor } from '../../kernel/actor.ts';
import { isoTime, manualClock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { paymentRefunded, paymentSucceeded } from '../../payments/index.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import { billingDue, clockAdvanced, invoiceFinalised } from './billing.events.ts';
import { chargesContract } from './charges.contract.ts';
import type { ChargeRequest } from './charges.ts';
import { chargeInvoice, collectDue, settleCharge } from './collection.jobs.ts';
import { noteRefund } from './refund.jobs.ts';
import { advanceClock } from './test-clock.jobs.ts';

chargesContract('the fake', () => {
  const charges = fakeCharges();
  charges.decide('cus_broke', 'insufficient-funds');
  charges.decide('cus_asked', 'needs-action');
  const customers = { good: 'cus_good', broke: 'cus_broke', asked: 'cus_asked' };
  return { charges, tenant: 'acme', customers, sourcesOf: () => [], count: () => charges.made.size };
});

type World = ReturnType<typeof billingOn>;
const day = 86_400_000;

const finalisedIn = async (world: World, actor: Actor) => {
  const event = (await world.eventsOf(actor)).find(({ type }) => type === invoiceFinalised.type);
  if (event === undefined) throw new Error('Nothing was made final.');
  return event;
};
const collectIn = (world: World, { tenant }: Actor) =>
  world.drain(
    { tenant, kind: 'system', id: 'test', scopes: new Set() },
    collectDue,
    world.makeEvent(billingDue, { tenant, subject: tenant, data: { run: String(world.clock.now()), page: 0 } }),
  );
const subscribed = async (world: World, settings: object = {}, collection = 'automatic') => {
  const actor = await world.tenant(settings);
  const price = await world.price(actor, { model: 'flat', amount: 10_000 });
  const customer = await world.customer(actor);
  const input = { customer: customer.id, items: [{ price: price.id }], collection };
  const { subscription, invoice } = await world.subscribe(actor, input);
  return { actor, customer, id: subscription.id, invoice: invoice ?? '' };
};
const mailsIn = async (world: World, actor: Actor) =>
  (await world.eventsOf(actor))
    .filter(({ type }) => type === 'messaging.email.requested')
    .map(({ data }) => data.template);

describe.each([
  ['the embedded store', embeddedDatabase],
  ['Firestore', testDatabase],
])('collection on %s', (_name, open) => {
  const charges = fakeCharges();
  const clock = manualClock('2026-01-01T00:00:00Z');
  const world = billingOn(open({ now: clock.now }), { charges, clock });
  const start = world.clock.now();
  const stateOf = async (actor: Actor, id: string, invoice: string) => {
    const { status, attempts, due, nextActionAt } = await world.billingInvoices.get(actor, invoice);
    return {
      invoice: status,
      attempts,
      due,
      next: nextActionAt,
      subscription: (await world.billingSubscriptions.get(actor, id)).status,
    };
  };

  it('charges an invoice as soon as it is final, once however often it is told', async () => {
    const { actor, invoice } = await subscribed(world);
    const event = await finalisedIn(world, actor);
    const before = charges.made.size;
    await Promise.all([1, 2, 3].map(() => world.runJob(chargeInvoice, event, world.services)));
    await collectIn(world, actor);
    expect(charges.made.size - before).toBe(1);
    expect(await world.billingInvoices.get(actor, invoice)).toMatchObject({ status: 'paid', paid: 11_900, due: 0 });
    expect(await mailsIn(world, actor)).toEqual(['payment-received']);
  });

  it('tries again after each pause, tells the customer, and ends the subscription at last', async () => {
    const { actor, customer, id, invoice } = await subscribed(world, { dunning: { retryAfterDays: [1, 3] } });
    charges.decide(customer.id, 'insufficient-funds');
    await world.runJob(chargeInvoice, await finalisedIn(world, actor), world.services);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'open', attempts: 1, subscription: 'past-due' });
    world.clock.advance(day - 1);
    await collectIn(world, actor);
    expect((await stateOf(actor, id, invoice)).attempts).toBe(1);
    world.clock.advance(1);
    await collectIn(world, actor);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'open', attempts: 2, subscription: 'past-due' });
    world.clock.advance(3 * day);
    await collectIn(world, actor);
    world.clock.set(start);
    expect(await stateOf(actor, id, invoice)).toMatchObject({
      invoice: 'uncollectible',
      attempts: 3,
      next: null,
      subscription: 'canceled',
    });
    expect(await mailsIn(world, actor)).toEqual(['payment-overdue', 'payment-overdue', 'payment-overdue']);
  });

  it('makes a subscription good again when a later attempt succeeds', async () => {
    const { actor, customer, id, invoice } = await subscribed(world);
    charges.decide(customer.id, 'insufficient-funds');
    await world.runJob(chargeInvoice, await finalisedIn(world, actor), world.services);
    charges.decide(customer.id, 'succeeded');
    world.clock.advance(day);
    await collectIn(world, actor);
    world.clock.set(start);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'paid', subscription: 'active' });
  });

  it('asks again about what is pending or was not answered, under the same reference', async () => {
    const { actor, customer, id, invoice } = await subscribed(world);
    charges.decide(customer.id, 'pending');
    const before = charges.made.size;
    await world.runJob(chargeInvoice, await finalisedIn(world, actor), world.services);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'open', attempts: 0, subscription: 'active' });
    charges.loseNextAnswer();
    world.clock.advance(3_600_000);
    await collectIn(world, actor);
    charges.settle();
    world.clock.advance(3_600_000);
    await collectIn(world, actor);
    world.clock.set(start);
    expect(charges.made.size - before).toBe(1);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'paid' });
  });

  it.each([
    ['invalid-request', 'invalid-request'],
    ['idempotency-mismatch', 'reference-taken'],
  ] as const)('goes on with the others where one can not be charged (%s), and duns that one', async (code, decline) => {
    const { actor, customer, id, invoice } = await subscribed(world);
    const other = await world.customer(actor);
    const price = await world.price(actor, { model: 'flat', amount: 10_000 });
    const input = { customer: other.id, items: [{ price: price.id }], collection: 'automatic' };
    const second = (await world.subscribe(actor, input)).invoice ?? '';
    const charge = async (request: ChargeRequest) => {
      if (request.customer === customer.id) throw new OmniError(code, 'They have no means of payment.');
      return charges.charge(request);
    };
    const services = { ...world.services, charges: { ...charges, charge } };
    const data = { run: code, page: 0 };
    const event = world.makeEvent(billingDue, { tenant: actor.tenant, subject: actor.tenant, data });
    expect(await world.runJob(collectDue, event, services)).toBe('done');
    expect(await world.billingInvoices.get(actor, second)).toMatchObject({ status: 'paid' });
    expect(await world.billingInvoices.get(actor, invoice)).toMatchObject({ lastDecline: decline });
    expect(await stateOf(actor, id, invoice)).toMatchObject({ invoice: 'open', attempts: 1, subscription: 'past-due' });
  });

  it('asks for the same amount until a charge is decided, because nothing else can pay meanwhile', async () => {
    const { actor, customer, invoice } = await subscribed(world);
    charges.decide(customer.id, 'pending');
    await world.runJob(chargeInvoice, await finalisedIn(world, actor), world.services);
    await expect(world.billingInvoices.pay(actor, invoice, 5_000)).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    world.clock.advance(3_600_000);
    await collectIn(world, actor);
    const { status, nextActionAt } = await world.billingInvoices.get(actor, invoice);
    const later = isoTime(world.clock.now() + 3_600_000);
    world.clock.set(start);
    expect([status, nextActionAt]).toEqual(['open', later]);
  });

  it('reminds of what is sent, from the day after it is due', async () => {
    const settings = { paymentTermDays: 14, dunning: { retryAfterDays: [1, 7], finally: 'pause', invoice: 'open' } };
    const { actor, id, invoice } = await subscribed(world, settings, 'manual');
    world.clock.advance(15 * day);
    await collectIn(world, actor);
    expect(await stateOf(actor, id, invoice)).toMatchObject({ attempts: 1, subscription: 'past-due' });
    world.clock.advance(7 * day);
    await collectIn(world, actor);
    world.clock.set(start);
    expect(await stateOf(actor, id, invoice)).toMatchObject({
      invoice: 'open',
      attempts: 2,
      next: null,
      subscription: 'paused',
    });
  });
});

describe('a charge by the customer', () => {
  const inSession = async () => {
    const charges = fakeCharges();
    const world = billingOn(embeddedDatabase(), { charges });
    const settings = { dunning: { retryAfterDays: [1, 3] } };
    const { actor, customer, id, invoice } = await subscribed(world, settings, 'manual');
    charges.decide(customer.id, 'needs-action');
    const start = () => world.checkout.charge(actor, invoice, { returnUrl: 'https://app.example.com/' });
    const told = async (type: typeof paymentSucceeded, change: object = {}) => {
      const { charge, payments } = await world.billingInvoices.get(actor, invoice);
      const reference = charge?.reference ?? payments[0]?.reference ?? null;
      const payment = { payment: 'pay_1', reference, customer: null, gateway: 'acmepay', mode: 'test' } as const;
      const data = { ...payment, amount: 11_900, currency: 'EUR', decline: null, ...change };
      return world.makeEvent(type, { tenant: actor.tenant, subject: 'pay_1', data });
    };
    return { charges, world, actor, customer, id, invoice, start, told };
  };

  it('tells what they have to do, keeps everything else off the invoice, and is settled by the event', async () => {
    const { charges, world, actor, invoice, start, told } = await inSession();
    const { invoice: begun, action } = await start();
    expect(action).toEqual({ kind: 'redirect', url: 'https://bank.example/challenge' });
    expect(begun.charge).toMatchObject({ reference: `${invoice}:1`, status: 'needs-action', onSession: true });
    expect((await start()).action).toEqual(action);
    for (const act of [
      () => world.billingInvoices.pay(actor, invoice),
      () => world.billingInvoices.void(actor, invoice),
      () => world.billingInvoices.giveUp(actor, invoice),
      () => world.billingInvoices.credit(actor, invoice, { reason: 'No', refund: 'wallet' }),
    ]) {
      await expect(act()).rejects.toMatchObject({ code: 'precondition-failed' });
    }
    charges.settle();
    const event = await told(paymentSucceeded);
    await world.runJob(settleCharge, event, world.services);
    await world.runJob(settleCharge, event, world.services);
    expect(await world.billingInvoices.get(actor, invoice)).toMatchObject({
      status: 'paid',
      due: 0,
      charge: null,
      payments: [{ reference: `${invoice}:1`, payment: 'pay_1', amount: 11_900, refunded: 0 }],
    });
    expect(charges.made.size).toBe(1);
    await expect(start()).rejects.toMatchObject({ code: 'precondition-failed' });
  });

  it('counts for nothing in dunning where it is declined, and the next has a reference of its own', async () => {
    const { charges, world, actor, customer, id, invoice, start } = await inSession();
    charges.decide(customer.id, 'insufficient-funds');
    const before = await world.billingInvoices.get(actor, invoice);
    expect((await start()).invoice).toMatchObject({ status: 'open', attempts: 0, lastDecline: 'insufficient-funds' });
    expect((await world.billingInvoices.get(actor, invoice)).nextActionAt).toBe(before.nextActionAt);
    expect((await world.billingSubscriptions.get(actor, id)).status).toBe('active');
    charges.decide(customer.id, 'succeeded');
    expect((await start()).invoice).toMatchObject({ status: 'paid', payments: [{ reference: `${invoice}:2` }] });
    expect(await mailsIn(world, actor)).toEqual(['payment-received']);
  });

  it('is given up when they never come back, and dunning goes on', async () => {
    const { charges, world, actor, invoice, start } = await inSession();
    await start();
    world.clock.advance(2 * 3_600_000);
    await collectIn(world, actor);
    expect((await world.billingInvoices.get(actor, invoice)).charge).toMatchObject({ status: 'needs-action' });
    world.clock.advance(22 * 3_600_000);
    await collectIn(world, actor);
    expect(await world.billingInvoices.get(actor, invoice)).toMatchObject({ charge: null, attempts: 0 });
    charges.settle();
    expect(charges.made.size).toBe(1);
  });

  it('or a payment by hand: one of twenty at once, on Firestore', { timeout: 60_000 }, async () => {
    const charges = fakeCharges();
    const world = billingOn(testDatabase(), { charges });
    const { actor, invoice } = await subscribed(world, {}, 'manual');
    const all = Array.from({ length: 10 }, () => [
      world.checkout.charge(actor, invoice, {}),
      world.billingInvoices.pay(actor, invoice),
    ]);
    const done = (await Promise.allSettled(all.flat())).filter(({ status }) => status === 'fulfilled');
    expect(done.length).toBeGreaterThan(0);
    const { status, paid, payments, charge } = await world.billingInvoices.get(actor, invoice);
    expect([status, paid, payments.length, charge]).toEqual(['paid', 11_900, 1, null]);
    expect(charges.made.size).toBe(payments[0]?.reference === null ? 0 : 1);
  });

  it('becomes credit notes where it is paid back, one for each part, and none for what was credited for it', async () => {
    const { charges, world, actor, customer, invoice, start, told } = await inSession();
    charges.decide(customer.id, 'succeeded');
    await start();
    const refund = async (sum: number) => {
      charges.paidBack(`${invoice}:1`, sum);
      const event = await told(paymentRefunded);
      await world.runJob(noteRefund, event, world.services);
      await world.runJob(noteRefund, await told(paymentRefunded), world.services);
      return world.billingInvoices.get(actor, invoice);
    };
    expect(await refund(1_190)).toMatchObject({ status: 'paid', credited: 1_190, payments: [{ refunded: 1_190 }] });
    await world.billingInvoices.credit(actor, invoice, {
      reason: 'Outage',
      lines: [{ line: 0, amount: 1_000 }],
      refund: 'elsewhere',
    });
    expect(await refund(2_380)).toMatchObject({ credited: 2_380, toRefund: 0 });
    expect(await refund(11_900)).toMatchObject({ credited: 11_900, toRefund: 0, payments: [{ refunded: 11_900 }] });
    const notes = (await world.invoicesOf(actor)).filter(({ kind }) => kind === 'credit-note');
    expect(notes.map(({ number, net, tax, total, reason }) => [number, net, tax, total, reason])).toEqual(
      expect.arrayContaining([
        ['CN-000001', 1_000, 190, 1_190, 'Refund of INV-000001'],
        ['CN-000002', 1_000, 190, 1_190, 'Outage'],
        ['CN-000003', 8_000, 1_520, 9_520, 'Refund of INV-000001'],
      ]),
    );
    // A refund that fails is owed again, and no second credit note is written when it is made again.
    expect(await refund(10_710)).toMatchObject({ credited: 11_900, toRefund: 1_190 });
    expect(await refund(11_900)).toMatchObject({ credited: 11_900, toRefund: 0 });
  });
});

describe('a worker that is killed at each of its calls', () => {
  it.each(['before', 'after'] as const)(
    'just %s, charges once',
    async (when) => {
      for (let nth = 1; ; nth += 1) {
        const inner = embeddedDriver();
        const clock = manualClock('2026-01-01T00:00:00Z');
        const charges = fakeCharges();
        const world = billingOn(databaseOn(inner, { now: clock.now }), { clock, charges });
        const { actor, invoice } = await subscribed(world);
        const event = await finalisedIn(world, actor);
        const killer = killAt(nth, when);
        const doomed = {
          ...charges,
          charge: (request: Parameters<typeof charges.charge>[0]) => killer.step(() => charges.charge(request)),
        };
        const victim = billingOn(databaseOn(killer.driver(inner), { now: clock.now }), { clock, charges: doomed });
        await victim.runJob(chargeInvoice, event, victim.services).catch(() => undefined);
        clock.advance(20 * 60_000);
        await world.runJob(chargeInvoice, event, world.services);
        expect(charges.made.size).toBe(1);
        expect(await world.billingInvoices.get(actor, invoice)).toMatchObject({ status: 'paid', paid: 11_900 });
        if (killer.calls() < nth) break;
      }
    },
    60_000,
  );
});

describe('a test clock', () => {
  const year = async () => {
    const charges = fakeCharges();
    const world = billingOn(embeddedDatabase(), { charges });
    const actor = await world.tenant({ dunning: { retryAfterDays: [1, 3], finally: 'cancel' } });
    await world.billingSettings.setTestClock(actor, '2026-01-31T00:00:00.000Z');
    const price = await world.price(actor, { model: 'flat', amount: 10_000 }, { trialDays: 10 });
    const [good, broke] = [await world.customer(actor), await world.customer(actor, { name: 'Bob' })];
    for (const { id } of [good, broke]) {
      await world.subscribe(actor, { customer: id, items: [{ price: price.id }], collection: 'automatic' });
    }
    await world.walletService.grant(actor, good.id, {
      amount: 50_000,
      currency: 'EUR',
      reason: 'Gift',
      expiresAt: '2026-04-01T00:00:00.000Z',
    });
    charges.decide(broke.id, 'insufficient-funds');
    const go = async (to: string) => {
      await world.billingSettings.setTestClock(actor, to);
      const started = (await world.eventsOf(actor)).findLast(
        ({ type, data }) => type === clockAdvanced.type && data.step === 0,
      );
      if (started === undefined) throw new Error('Nothing moves it.');
      await world.drain(actor, advanceClock, started);
    };
    await go('2026-06-15T00:00:00.000Z');
    const invoices = await world.invoicesOf(actor);
    const seen = invoices.map(({ number, customer, issuedAt, status, creditApplied, paid }) => [
      number,
      customer === good.id ? 'good' : 'broke',
      issuedAt?.slice(0, 10),
      status,
      creditApplied,
      paid,
    ]);
    return { seen, at: (await world.billingSettings.get(actor)).testClock, world, actor };
  };

  it('takes a tenant through months, with trials, renewals, dunning and expiries each at its own time', async () => {
    const { seen, at } = await year();
    expect(at).toBe('2026-06-15T00:00:00.000Z');
    expect(seen.filter(([, who]) => who === 'good').map(([, , ...rest]) => rest)).toEqual([
      ['2026-02-10', 'paid', 11_900, 0],
      ['2026-03-10', 'paid', 11_900, 0],
      // What was left of the gift had expired on 1 April.
      ['2026-04-10', 'paid', 0, 11_900],
      ['2026-05-10', 'paid', 0, 11_900],
      ['2026-06-10', 'paid', 0, 11_900],
    ]);
    expect(seen.filter(([, who]) => who === 'broke').map(([, , ...rest]) => rest)).toEqual([
      ['2026-02-10', 'uncollectible', 0, 0],
    ]);
  });

  it('does the same each time', async () => {
    const [one, other] = [await year(), await year()];
    const withoutOrder = (seen: typeof one.seen) => seen.map(([, ...rest]) => rest.join()).sort();
    expect(withoutOrder(other.seen)).toEqual(withoutOrder(one.seen));
  });

  it('is refused to a tenant whose money is real', async () => {
    const world = billingOn(embeddedDatabase(), { isSandbox: async () => false });
    const actor = await world.tenant();
    await expect(world.billingSettings.setTestClock(actor, '2026-02-01T00:00:00.000Z')).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('sandbox'),
    });
    expect(await world.billingSettings.get(actor)).toMatchObject({ testClock: null });
  });

  it('does not go back, nor into a tenant whose invoices are real', async () => {
    const { world, actor } = await year();
    await expect(world.billingSettings.setTestClock(actor, '2026-06-14T00:00:00.000Z')).rejects.toMatchObject({
      code: 'invalid-request',
    });
    const real = await subscribed(billingOn(embeddedDatabase(), { charges: fakeCharges() }));
    expect(real.invoice).not.toBe('');
    const other = billingOn(embeddedDatabase(), { charges: fakeCharges() });
    const { actor: theirs } = await subscribed(other);
    await expect(other.billingSettings.setTestClock(theirs, '2026-02-01T00:00:00.000Z')).rejects.toMatchObject({
      code: 'precondition-failed',
    });
  });
});
