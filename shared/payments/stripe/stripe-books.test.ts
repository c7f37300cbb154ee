import { afterAll, describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { completeCheckout, createCheckout, createCustomer } from '#tests/support/stripe/billing.ts';
import { stripeBooks } from '#tests/support/stripe/books.ts';
import {
  chargeInvoice,
  giveUpInvoice,
  issueCreditNote,
  makeInvoice,
  type NewLine,
  payInvoice,
  voidInvoice,
} from '#tests/support/stripe/invoices.ts';
import { closeDispute, createIntent, createRefund, move, openDispute } from '#tests/support/stripe/payments.ts';
import type { AccountState } from '#tests/support/stripe/state.ts';
import { startStripeServer } from '#tests/support/stripe-server.ts';
import { systemActor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { nullLogger } from '../../telemetry/index.ts';
import { createPayments } from '../compose.ts';
import { stripeGateway } from '../gateways/stripe.ts';
import { paymentInputSchema } from '../payments/payment.schema.ts';
import { invoicePosting } from './stripe-facts.ts';

const account = 'acct_acme';

const open = async (database?: Database) => {
  const clock = manualClock();
  const server = await startStripeServer({ now: clock.now });
  afterAll(server.stop);
  const books = stripeBooks(database ?? databaseOn(embeddedDriver(), { now: clock.now }), server, clock);
  await books.connect('acme', account);
  const stripe = server.of(account);
  const customer = createCustomer(stripe, { email: 'ada@example.com' }).id;
  return {
    clock,
    server,
    stripe,
    customer,
    books,
    invoice: (...lines: NewLine[]) => makeInvoice(stripe, { customer, lines }),
    /** The books after everything that happened was looked at. */
    balances: async (currency?: string) => {
      await books.catchUp('acme', account);
      return books.balances('acme', currency);
    },
  };
};

/** 100.00 and 19% on top: 119.00. */
const plain: NewLine = { amount: 10_000, percent: 19 };
const card = 'pm_card_visa';
/** 2.9% of 119.00 is 3.451, and 0.30. */
const fee = 345 + 30;

const pay = (stripe: AccountState, amount: number): string =>
  createIntent(stripe, { amount, currency: 'eur', payment_method: card, confirm: true }).id;

describe('an invoice of Stripe', () => {
  it('is booked line by line: net of its discount as revenue, with its tax', async () => {
    const { books, invoice, balances } = await open();
    const { id, lines } = invoice(
      { amount: 4_000, discount: 401, percent: 19 },
      { amount: -700, percent: 7 },
      { amount: 1_250 },
    );
    // 40.00 - 4.01 = 35.99, 19% of it 6.8381; -7.00, 7% of it -0.49; 12.50.
    // Revenue 35.99 - 7.00 + 12.50 = 41.49, tax 6.84 - 0.49 = 6.35, together 47.84.
    expect(await balances()).toEqual({ 'receivable:stripe': 4_784, 'revenue:stripe': -4_149, 'tax:stripe': -635 });
    const [first] = lines.data;
    expect(first).toMatchObject({ id: expect.stringMatching(/^il_/) });
    const key = first !== undefined && 'id' in first ? String(first.id) : '';
    expect(await books.posted('acme', `stripe-invoice:${id}:${key}`)).toEqual({
      'test:receivable:stripe@EUR': 4_283,
      'test:revenue:stripe@EUR': -3_599,
      'test:tax:stripe@EUR': -684,
    });
  });

  it('has its revenue without the tax that is part of its prices', async () => {
    const { invoice, balances } = await open();
    // 119.00 with 19% in it: 119.00 / 1.19 = 100.00.
    invoice({ amount: 11_900, percent: 19, inclusive: true });
    expect(await balances()).toEqual({ 'receivable:stripe': 11_900, 'revenue:stripe': -10_000, 'tax:stripe': -1_900 });
  });

  it('is booked whole where it has more lines than we keep, and where its lines are rounded', async () => {
    const { stripe, customer, invoice, balances } = await open(testDatabase());
    invoice(...Array.from({ length: 120 }, () => ({ amount: 100, percent: 19 })));
    expect(await balances()).toEqual({ 'receivable:stripe': 14_280, 'revenue:stripe': -12_000, 'tax:stripe': -2_280 });
    // Twice 123.50 ISK are 247 ISK, which there is no half of: 124 + 124 - 1.
    makeInvoice(stripe, { customer, currency: 'isk', lines: [{ amount: 12_350 }, { amount: 12_350 }] });
    expect(await balances('ISK')).toEqual({ 'receivable:stripe': 247, 'revenue:stripe': -247 });
  });

  it('is in no books while it is a draft', async () => {
    const { books, stripe, customer, balances } = await open();
    const { id } = makeInvoice(stripe, { customer, lines: [plain], draft: true });
    expect(await balances()).toEqual({});
    expect((await books.stripeSyncKinds.invoice.records.of('acme').get(id))?.value.status).toBe('draft');
  });

  it('is settled by what was paid for it: the money is booked once, with its fee', async () => {
    const { stripe, invoice, balances } = await open();
    chargeInvoice(stripe, invoice(plain).id, card);
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 11_900 - fee,
      'fees:stripe': fee,
      'revenue:stripe': -10_000,
      'tax:stripe': -1_900,
    });
  });

  it('is settled in parts, by a credit note, and by what Stripe has not seen', async () => {
    const { stripe, invoice, balances } = await open();
    const { id } = invoice(plain);
    chargeInvoice(stripe, id, card, 5_000);
    // 50.00 are paid, 11.90 (10.00 and 1.90 of tax) credited: 119.00 - 50.00 - 11.90 = 57.10 remain.
    issueCreditNote(stripe, id, { amount: 1_190, tax: 190 });
    expect(await balances()).toMatchObject({
      'receivable:stripe': 5_710,
      'revenue:stripe': -9_000,
      'tax:stripe': -1_710,
    });
    payInvoice(stripe, id);
    // 2.9% of 50.00 is 1.45, and 0.30.
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 5_000 - 175,
      'fees:stripe': 175,
      'suspense:stripe': 5_710,
      'revenue:stripe': -9_000,
      'tax:stripe': -1_710,
    });
  });

  it('is no claim any more when it is void, and what was paid is the payer’s', async () => {
    const { stripe, invoice, balances } = await open();
    const { id } = invoice(plain);
    chargeInvoice(stripe, id, card, 5_000);
    voidInvoice(stripe, id);
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 5_000 - 175,
      'fees:stripe': 175,
      'customers:unapplied': -5_000,
    });
  });

  it('is a loss where it is uncollectible, as far as it is not paid after all', async () => {
    const { stripe, invoice, balances } = await open();
    const { id } = invoice(plain);
    giveUpInvoice(stripe, id);
    const sold = { 'revenue:stripe': -10_000, 'tax:stripe': -1_900 };
    expect(await balances()).toEqual({ 'losses:bad-debt': 11_900, ...sold });
    chargeInvoice(stripe, id, card, 5_000);
    expect(await balances()).toMatchObject({ 'losses:bad-debt': 6_900, ...sold });
    chargeInvoice(stripe, id, card);
    const ended = await balances();
    expect(ended).toMatchObject(sold);
    expect(ended).not.toHaveProperty('losses:bad-debt');
    expect(ended).not.toHaveProperty('receivable:stripe');
  });

  it('is taken back by a credit note, to the card or to the customer’s credit, which settles the next invoice', async () => {
    const { stripe, invoice, balances } = await open();
    const { id } = invoice(plain);
    chargeInvoice(stripe, id, card);
    issueCreditNote(stripe, id, { amount: 1_190, tax: 190, to: 'refund' });
    issueCreditNote(stripe, id, { amount: 2_380, tax: 380, to: 'balance' });
    // 100.00 - 10.00 - 20.00 of revenue are left, 19.00 - 1.90 - 3.80 of tax; 11.90 went out, 23.80 are owed.
    expect(await balances()).toEqual({
      'gateway:stripe:pending': 11_900 - fee - 1_190,
      'fees:stripe': fee,
      'revenue:stripe': -7_000,
      'tax:stripe': -1_330,
      'customers:stripe-balance': -2_380,
    });
    invoice(plain);
    expect(await balances()).toMatchObject({ 'receivable:stripe': 11_900 - 2_380, 'revenue:stripe': -17_000 });
    expect(await balances()).not.toHaveProperty('customers:stripe-balance');
  });

  it('gives up in a void invoice what credit it had taken', async () => {
    const { stripe, invoice, balances } = await open();
    invoice({ amount: -2_000 });
    const { id } = invoice(plain);
    expect(await balances()).toMatchObject({ 'receivable:stripe': 9_900 });
    voidInvoice(stripe, id);
    expect(await balances()).toEqual({ 'customers:stripe-balance': -2_000, 'revenue:stripe': 2_000 });
  });

  it('is booked in the books of its mode', () => {
    const of = { id: 'in_1', currency: 'eur' };
    const accounts = (livemode: boolean) =>
      invoicePosting({ ...of, livemode }, 'il_1', { receivable: 1, revenue: -1 })[0]?.lines.map((line) => line.account);
    expect(accounts(true)).toEqual(['receivable:stripe', 'revenue:stripe']);
    expect(accounts(false)).toEqual(['test:receivable:stripe', 'test:revenue:stripe']);
  });
});

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
    const payments = createPayments({
      database,
      openGateway: async () => stripeGateway({ client: books.client, account: 'acct_shared', clock }),
      isSandbox: async () => false,
      claim: async () => {},
      audit: { record: async () => 'aud_1' },
      makeEvent: books.makeEvent,
      newId,
      clock,
      logger: nullLogger,
    });
    const actor = systemActor('acme', 'tests');
    const common = { enabled: true, cost: { basisPoints: 0, fixed: 0 }, countries: [] };
    await payments.gatewayAccounts.connect(actor, { gateway: 'stripe', mode: 'test', credentials: {}, ...common });
    const sources = [{ gateway: 'stripe', paymentMethod: card }];
    const input = paymentInputSchema.parse({ amount: 2_000, currency: 'EUR', mode: 'test', sources });
    const { gatewayReference } = await payments.paymentService.create(actor, input);
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
    await own.catchUp('acme', 'acct_shared');
    expect(await own.balances('acme')).toMatchObject({ 'customers:unapplied': -3_000 });
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

  it('is what Stripe says that it owes, until a payout is to be posted', async () => {
    const { books, stripe, invoice, balances } = await open();
    chargeInvoice(stripe, invoice(plain).id, card);
    createRefund(stripe, { payment_intent: pay(stripe, 2_000), amount: 500 });
    const actor = systemActor('acme', 'tests');
    // 119.00 - 3.75 and 20.00 - 0.88 - 5.00.
    const owed = 11_900 - fee + 2_000 - 88 - 500;
    const before = { currency: 'EUR', available: owed, pending: 0, booked: 0, difference: owed };
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ account, mode: 'test', items: [before] });
    await balances();
    const after = { ...before, booked: owed, difference: 0 };
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ items: [after] });
    const payout = move(stripe, { id: 'po_1', currency: 'eur' }, { amount: -10_000, fee: 0, type: 'payout' });
    const items = [{ ...after, available: owed - 10_000, difference: -10_000 }];
    expect(await books.stripeBalances.compare(actor)).toMatchObject({ items });
    const lines = [
      { account: 'test:bank:main', amount: { amount: 10_000, currency: 'EUR' } },
      { account: 'test:gateway:stripe:pending', amount: { amount: payout.amount, currency: 'EUR' } },
    ];
    await books.ledger.post(actor, { key: 'payout:po_1', lines });
    expect(await books.stripeBalances.compare(actor)).toMatchObject({
      items: [{ booked: owed - 10_000, difference: 0 }],
    });
    await expect(books.stripeBalances.compare(systemActor('nobody', 'tests'))).rejects.toMatchObject({
      code: 'precondition-failed',
    });
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
