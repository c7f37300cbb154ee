import { afterAll } from 'vitest';
import { manualClock } from '#shared/kernel/clock.ts';
import { databaseOn } from '#shared/store/database.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import type { Database } from '#shared/store/store.ts';
import { startStripeServer } from '../stripe-server.ts';
import { createCustomer } from './billing.ts';
import { stripeBooks } from './books.ts';
import { makeInvoice, type NewLine } from './invoices.ts';
import { createIntent } from './payments.ts';
import type { AccountState } from './state.ts';

export const account = 'acct_acme';

/** A tenant with an account at Stripe and a customer there, and its books. */
export const open = async (database?: Database) => {
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
export const plain: NewLine = { amount: 10_000, percent: 19 };
export const card = 'pm_card_visa';
/** 2.9% of 119.00 is 3.451, and 0.30. */
export const fee = 345 + 30;

export const pay = (stripe: AccountState, amount: number, currency = 'eur'): string =>
  createIntent(stripe, { amount, currency, payment_method: card, confirm: true }).id;
