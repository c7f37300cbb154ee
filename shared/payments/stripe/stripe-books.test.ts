import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { card, fee, open, plain } from '#tests/support/stripe/account.ts';
import {
  chargeInvoice,
  giveUpInvoice,
  issueCreditNote,
  makeInvoice,
  payInvoice,
  voidInvoice,
} from '#tests/support/stripe/invoices.ts';
import { invoicePosting } from './stripe-facts.ts';

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
