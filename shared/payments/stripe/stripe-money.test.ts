import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { account, card, fee, open, pay, plain } from '#tests/support/stripe/account.ts';
import { completeCheckout, createCheckout, createCustomer } from '#tests/support/stripe/billing.ts';
import { stripeBooks } from '#tests/support/stripe/books.ts';
import { chargeInvoice, makeInvoice } from '#tests/support/stripe/invoices.ts';
import { closeDispute, createIntent, createRefund, failRefund, openDispute } from '#tests/support/stripe/payments.ts';
import { arrive, failPayout, makePayout } from '#tests/support/stripe/payouts.ts';
import { systemActor } from '../../kernel/actor.ts';
import type { ManualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { nullLogger } from '../../telemetry/index.ts';
import { createPayments, type Payments } from '../compose.ts';
import { stripeGateway } from '../gateways/stripe.ts';
import { paymentInputSchema } from '../payments/payment.schema.ts';

const actor = systemActor('acme', 'tests');
const epoch = '1970-01-01T00:00:00.000Z';

/** The payments domain over Stripe. */
const paymentsAt = (
  providerAccount: string,
  database: Database,
  { client, makeEvent }: ReturnType<typeof stripeBooks>,
  clock: ManualClock,
) =>
  createPayments({
    database,
    openGateway: async () => stripeGateway({ client, account: providerAccount, clock }),
    isSandbox: async () => false,
    claim: async () => {},
    audit: { record: async () => 'aud_1' },
    makeEvent,
    newId,
    clock,
    logger: nullLogger,
  });

/** By a card, through an account that is connected here. */
const payThrough = async (payments: Payments, amount: number, currency: string) => {
  const common = { enabled: true, cost: { basisPoints: 0, fixed: 0 }, countries: [] };
  await payments.gatewayAccounts.connect(actor, { gateway: 'stripe', mode: 'test', credentials: {}, ...common });
  const sources = [{ gateway: 'stripe', paymentMethod: card }];
  return payments.paymentService.create(actor, paymentInputSchema.parse({ amount, currency, mode: 'test', sources }));
};

describe('money that came by Stripe', () => {
  it('is the payer’s until somebody sells something for it, with what is given back and disputed', async () => {
    const { stripe, balances } = await open();
    const intent = pay(stripe, 2_000);
    // 2.9% of 20.00 is 0.58, and 0.30.
    const first = { 'gateway:stripe:pending': 2_000 - 88, 'fees:stripe': 88, 'customers:unapplied': -2_000 };
    expect(await balances()).toEqual(first);
    createRefund(stripe, { payment_intent: intent, amount: 500 });
    expect(await balances()).toEqual({ ...first, 'gateway:stripe:pending': 1_412, 'customers:unapplied': -1_500 });
    const { id } = openDispute(stripe, pay(stripe, 2_000));
    // The dispute takes 20.00 and a fee of 15.00.
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 1_412 + 2_000 - 88 - 2_000 - 1_500,
      'fees:stripe': 88 + 88 + 1_500,
      'customers:unapplied': -3_500,
      'disputes:stripe': 2_000,
    });
    closeDispute(stripe, id, 'lost');
    expect(await balances()).toMatchObject({ 'losses:disputes': 2_000, 'fees:stripe': 1_676 });
    const won = openDispute(stripe, pay(stripe, 2_000));
    closeDispute(stripe, won.id, 'won');
    expect(await balances()).toMatchObject({ 'fees:stripe': 1_676 + 88, 'customers:unapplied': -5_500 });
    expect(await balances()).not.toHaveProperty('disputes:stripe');
  });

  it('in a currency that the account has no balance in is owed in the one that Stripe changes it into', async () => {
    const { books, stripe, balances } = await open();
    const krona = () => books.balances('acme', 'SEK');
    const intent = pay(stripe, 20_000, 'sek');
    // 200.00 kr at 0.0871 are 17.42; 2.9% of 200.00 kr and 0.30 kr are 6.10 kr, at the same rate 0.53.
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 1_742 - 53,
      'fees:stripe': 53,
      'equity:exchange': -1_742,
    });
    expect(await krona()).toEqual({ 'customers:unapplied': -20_000, 'equity:exchange': 20_000 });
    const refund = createRefund(stripe, { payment_intent: intent, amount: 10_000 });
    // 100.00 kr go back at the rate of that moment, 0.0874.
    expect(await balances()).toMatchObject({ 'gateway:stripe:pending': 1_689 - 874, 'equity:exchange': -1_742 + 874 });
    expect(await krona()).toEqual({ 'customers:unapplied': -10_000, 'equity:exchange': 10_000 });
    failRefund(stripe, refund.id);
    // They come back at 0.0877: 0.03 more.
    expect(await balances()).toMatchObject({ 'gateway:stripe:pending': 1_689 - 874 + 877 });
    expect(await krona()).toEqual({ 'customers:unapplied': -20_000, 'equity:exchange': 20_000 });
    // 0.05 kr are no cent.
    createRefund(stripe, { payment_intent: intent, amount: 5 });
    expect(await balances()).toMatchObject({ 'gateway:stripe:pending': 1_692 });
    expect(await krona()).toEqual({ 'customers:unapplied': -19_995, 'equity:exchange': 19_995 });
    const dispute = openDispute(stripe, intent);
    // 200.00 kr at 0.0883 are 17.66, and the fee of 15.00 kr is 1.32.
    expect(await balances()).toMatchObject({ 'gateway:stripe:pending': 1_692 - 1_766 - 132, 'fees:stripe': 53 + 132 });
    const disputed = { 'customers:unapplied': -19_995, 'equity:exchange': 19_995 - 20_000 };
    expect(await krona()).toEqual({ ...disputed, 'disputes:stripe': 20_000 });
    closeDispute(stripe, dispute.id, 'lost');
    expect(await balances()).toMatchObject({ 'gateway:stripe:pending': -206 });
    expect(await krona()).toEqual({ ...disputed, 'losses:disputes': 20_000 });
  });

  it('is booked when the payer comes back from a checkout, before any webhook', async () => {
    const { books, stripe } = await open();
    const items = [{ price: 'price_once', quantity: 2 }];
    const url = 'https://shop.example.com/';
    const { id } = createCheckout(stripe, { mode: 'payment', line_items: items, success_url: url });
    completeCheckout(stripe, id, items);
    await books.stripeBilling.getCheckout(systemActor('acme', 'tests'), id);
    // Twice 9.00; 2.9% of 18.00 is 0.522, and 0.30.
    expect(await books.balances('acme')).toEqual({
      'gateway:stripe:pending': 1_800 - 82,
      'fees:stripe': 82,
      'customers:unapplied': -1_800,
    });
  });

  it('is left to the payments domain where it is one of its payments', async () => {
    const { books, server, clock } = await open();
    const database = databaseOn(embeddedDriver(), { now: clock.now });
    const own = stripeBooks(database, server, clock);
    const payments = paymentsAt('acct_shared', database, books, clock);
    const { gatewayReference } = await payThrough(payments, 2_000, 'EUR');
    const before = await own.balances('acme');
    expect(before).toMatchObject({ 'customers:unapplied': -2_000 });
    await own.connect('acme', 'acct_shared');
    const target = { kind: 'payment', id: gatewayReference ?? '' } as const;
    expect(await own.refresh('acme', 'acct_shared', target)).toBe('ignored');
    const asked = server.requests.length;
    expect(
      await own.stripeReconciler.reconcile({ tenant: 'acme', account: 'acct_shared' }, AbortSignal.timeout(9_000)),
    ).toBe(1);
    expect(server.requests.length).toBeGreaterThan(asked);
    expect(await own.balances('acme')).toEqual(before);
    // What only claims to be one is booked: it is not in the payments domain.
    const claims = { omni_payment: 'pay_none', omni_tenant: 'rival' };
    const intent = { amount: 1_000, currency: 'eur', payment_method: card, confirm: true, metadata: claims };
    createIntent(server.of('acct_shared'), intent);
    const { items } = await payments.balances.reconcile(actor, 'stripe-test', epoch);
    expect(items).toMatchObject([
      { payment: null, amount: 1_000, reason: 'no payment of ours: captured:1000' },
      { payment: null, amount: -59 },
    ]);
    await own.catchUp('acme', 'acct_shared');
    expect(await own.balances('acme')).toMatchObject({ 'customers:unapplied': -3_000 });
    // What is booked besides is nothing that differs, and not unmatched either.
    for (const gatewayReference of [...server.of('acct_shared').intents.keys(), 'pi_unknown']) {
      const kept = {
        gateway: 'stripe',
        account: 'stripe-test',
        parkedAt: epoch,
        expiresAt: '2099-01-01T00:00:00.000Z',
      };
      await payments.parked.of('acme').create(gatewayReference, { ...kept, gateway: 'stripe', gatewayReference });
    }
    const unmatched = (await payments.paymentService.parked(actor, { limit: 10 })).items;
    expect(unmatched.map((one) => one.gatewayReference).sort()).toEqual([gatewayReference, 'pi_unknown'].sort());
    expect(await payments.balances.reconcile(actor, 'stripe-test', epoch)).toMatchObject({
      items: [],
      currencies: [{ currency: 'EUR', difference: 0, explained: 0 }],
    });
  });

  it('in another currency is booked alike through the payments domain, and compared in both currencies', async () => {
    const { books, server, clock } = await open();
    const database = databaseOn(embeddedDriver(), { now: clock.now });
    const { balances } = stripeBooks(database, server, clock);
    const payments = paymentsAt('acct_krona', database, books, clock);
    const stripe = server.of('acct_krona');
    const { id, gatewayReference } = await payThrough(payments, 20_000, 'SEK');
    // As above: 17.42 less 0.53.
    const before = { 'gateway:stripe:pending': 1_689, 'fees:stripe': 53, 'equity:exchange': -1_742 };
    expect(await balances('acme')).toEqual(before);
    const reconciled = () => payments.balances.reconcile(actor, 'stripe-test', epoch);
    expect(await reconciled()).toMatchObject({ items: [], currencies: [{ currency: 'EUR', difference: 0 }] });
    openDispute(stripe, gatewayReference ?? '');
    // At 0.0874 the 200.00 kr are 17.48, and the fee of 15.00 kr is 1.31.
    expect(await reconciled()).toMatchObject({
      items: [
        { payment: id, currency: 'SEK', amount: -20_000, reason: expect.stringMatching(/opened$/) },
        { payment: id, currency: 'EUR', amount: -131, reason: expect.stringMatching(/fee:/) },
        { payment: id, currency: 'SEK', amount: 20_000, reason: expect.stringMatching(/settled:/) },
        { payment: id, currency: 'EUR', amount: -1_748, reason: expect.stringMatching(/settled:/) },
      ],
      currencies: [{ currency: 'EUR', difference: -1_879, explained: -1_879, unexplained: 0 }],
    });
    await payments.sync.refresh('acme', id, database.transaction, gatewayReference ?? '');
    expect(await reconciled()).toMatchObject({ items: [], currencies: [{ difference: 0 }] });
    expect(await balances('acme')).toMatchObject({ 'fees:stripe': 53 + 131 });
  });

  it('is in the books of the tenant whose account it came to, and of no other', async () => {
    const { books, server, balances } = await open();
    await books.connect('rival', 'acct_rival');
    const rival = server.of('acct_rival');
    const customer = createCustomer(rival, { email: 'eve@example.com' }).id;
    chargeInvoice(rival, makeInvoice(rival, { customer, lines: [plain] }).id, card);
    await books.catchUp('rival', 'acct_rival');
    expect(await balances()).toEqual({});
    expect(await books.balances('rival')).toMatchObject({ 'revenue:stripe': -10_000 });
  });

  it('is booked by the hourly round where no event tells of it', async () => {
    const { books, clock, stripe, invoice, customer, balances } = await open();
    const { id } = invoice(plain);
    chargeInvoice(stripe, id, card);
    const objects = [
      { kind: 'invoice', id } as const,
      ...[...stripe.intents.keys()].map((intent) => ({ kind: 'payment', id: intent }) as const),
    ];
    await books.refresh('acme', account, { kind: 'customer', id: customer });
    // Older than 30 days: Stripe does not list them any more.
    const events = stripe.events.splice(0);
    clock.advance(3_600_000);
    const reconcile = () => books.stripeReconciler.reconcile({ tenant: 'acme', account }, AbortSignal.timeout(9_000));
    expect(await reconcile()).toBe(2);
    for (const object of objects) await books.refresh('acme', account, object);
    expect(await reconcile()).toBe(0);
    const found = await books.balances('acme');
    stripe.events.push(...events);
    expect(await balances()).toEqual(found);
    expect(found).toMatchObject({ 'gateway:stripe:pending': 11_900 - fee, 'revenue:stripe': -10_000 });
  });

  it('is booked by the hourly round where there was only a record of it, from before there were books', async () => {
    const { books, clock, server, stripe, invoice, balances } = await open();
    const { id } = invoice(plain);
    expect(await balances()).toMatchObject({ 'receivable:stripe': 11_900 });
    const known = await books.stripeSyncKinds.invoice.records.of('acme').get(id);
    if (known === undefined) throw new Error('There is no record.');
    const { booked: _, ...before } = known.value;
    const database = databaseOn(embeddedDriver(), { now: clock.now });
    const old = stripeBooks(database, server, clock);
    await old.stripeSyncKinds.invoice.records.of('acme').create(id, before);
    stripe.events.splice(0);
    clock.advance(3_600_000);
    expect(await old.stripeReconciler.reconcile({ tenant: 'acme', account }, AbortSignal.timeout(9_000))).toBe(2);
    await old.refresh('acme', account, { kind: 'invoice', id });
    expect(await old.balances('acme')).toEqual(await books.balances('acme'));
  });

  it('is what Stripe says that it owes, less what was paid out', async () => {
    const { books, stripe, invoice, balances } = await open();
    chargeInvoice(stripe, invoice(plain).id, card);
    createRefund(stripe, { payment_intent: pay(stripe, 2_000), amount: 500 });
    // 119.00 - 3.75 and 20.00 - 0.88 - 5.00.
    const owed = 11_900 - fee + 2_000 - 88 - 500;
    const before = { currency: 'EUR', available: owed, pending: 0, booked: 0, difference: owed };
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ account, mode: 'test', items: [before] });
    await balances();
    const after = { ...before, booked: owed, difference: 0 };
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ items: [after] });
    makePayout(stripe, 10_000);
    const items = [{ ...after, available: owed - 10_000, difference: -10_000 }];
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ items });
    await balances();
    expect(await books.stripeBalances.compare(actor)).toMatchObject({
      items: [{ booked: owed - 10_000, difference: 0 }],
    });
    await expect(books.stripeBalances.compare(systemActor('nobody', 'tests'))).rejects.toMatchObject({
      code: 'precondition-failed',
    });
  });

  it('is booked with all that was given back of it, however many times, by both domains', async () => {
    const { books, stripe, server, clock, balances } = await open();
    const direct = pay(stripe, 20_000);
    for (let i = 0; i < 120; i += 1) createRefund(stripe, { payment_intent: direct, amount: 100 });
    expect(await balances()).toMatchObject({ 'customers:unapplied': -8_000 });
    const payments = paymentsAt('acct_many', databaseOn(embeddedDriver(), { now: clock.now }), books, clock);
    const { id, gatewayReference } = await payThrough(payments, 20_000, 'EUR');
    for (let i = 0; i < 120; i += 1) {
      createRefund(server.of('acct_many'), { payment_intent: gatewayReference ?? '', amount: 100 });
    }
    await payments.sync.refresh('acme', id, payments.database.transaction, gatewayReference ?? '');
    expect(await payments.paymentService.get(actor, id)).toMatchObject({ refunded: 12_000 });
    expect(await payments.ledger.balance(actor, 'test:customers:unapplied@EUR')).toBe(8_000);
  });

  it('is at the bank once it is paid out, and back at Stripe when the bank sends it back', async () => {
    const { books, stripe, balances } = await open();
    pay(stripe, 20_000);
    // 200.00 less 2.9% and 0.30; 100.00 at once cost 1%.
    const owed = 20_000 - 610;
    const payout = makePayout(stripe, 10_000, 'instant');
    const out = { 'gateway:stripe:pending': owed - 10_100, 'bank:stripe': 10_000, 'fees:stripe': 610 + 100 };
    expect(await balances()).toMatchObject(out);
    arrive(stripe, payout.id);
    expect(await balances()).toMatchObject(out);
    failPayout(stripe, payout.id);
    const back = { 'gateway:stripe:pending': owed - 100, 'fees:stripe': 710 };
    expect(await balances()).toEqual({ ...back, 'customers:unapplied': -20_000 });
    expect((await books.stripeRecords.listPayouts(actor, { limit: 10 })).items).toMatchObject([
      { id: payout.id, amount: { amount: 10_000, currency: 'EUR' }, status: 'failed', failure: 'account_closed' },
    ]);
  });

  it('that Stripe is owed is taken from the bank', async () => {
    const { stripe, balances } = await open();
    openDispute(stripe, pay(stripe, 2_000));
    // The dispute took the 20.00 and 15.00, of which there were 20.00 - 0.88.
    makePayout(stripe, -1_588);
    expect(await balances()).toMatchObject({ 'bank:stripe': -1_588, 'disputes:stripe': 2_000 });
    expect(await balances()).not.toHaveProperty('gateway:stripe:pending');
  });

  it('is booked once by twenty at once, on Firestore', async () => {
    const { books, stripe, invoice } = await open(testDatabase());
    const { id } = invoice(plain);
    chargeInvoice(stripe, id, card);
    const [intent] = stripe.intents.keys();
    await books.refresh('acme', account, { kind: 'customer', id: [...stripe.customers.keys()][0] ?? '' });
    const objects = [{ kind: 'invoice', id } as const, { kind: 'payment', id: intent ?? '' } as const];
    const attempts = Array.from({ length: 10 }, () => objects).flat();
    await Promise.allSettled(attempts.map((object) => books.refresh('acme', account, object)));
    expect(await books.balances('acme')).toEqual({
      'gateway:stripe:pending': 11_900 - fee,
      'fees:stripe': fee,
      'revenue:stripe': -10_000,
      'tax:stripe': -1_900,
    });
  });
});
