import { inBook } from '../ledger/chart.ts';
import type { LedgerTransaction } from '../ledger/posting.ts';

/**
 * Something that is so at Stripe and stays so, under a key that is unique within its object. A later state of an object
 * has all facts of an earlier one, so it does not matter which states in between were seen.
 */
export interface StripeFact {
  readonly key: string;
  /** What it is in the books, each under a natural key; none where no money moves. */
  readonly postings: readonly LedgerTransaction[];
}

/** The accounts of the chart that Stripe's invoices are booked on. */
export const stripeAccounts = {
  receivable: 'receivable:stripe',
  revenue: 'revenue:stripe',
  tax: 'tax:stripe',
  /** What payers have paid, until it is an invoice's. How it came and went is booked with the payment. */
  unapplied: 'customers:unapplied',
  /** Customers' credit at Stripe, which it settles invoices with. */
  balance: 'customers:stripe-balance',
  losses: 'losses:bad-debt',
  /** What was settled outside of Stripe. Who knows where it went books it on from here. */
  outside: 'suspense:stripe',
} as const;

/** Minor units by account; a debit is positive. */
export type StripeMoves = Partial<Record<keyof typeof stripeAccounts, number>>;

/** Whose facts they are. */
export interface StripeFactsOf {
  readonly id: string;
  /** ISO 4217 in any case. */
  readonly currency: string;
  readonly livemode: boolean;
}

/** `stripe-invoice:{id}:{key}`, of the accounts that move; nothing where none does. */
export const invoicePosting = (of: StripeFactsOf, key: string, moves: StripeMoves): readonly LedgerTransaction[] => {
  const currency = of.currency.toUpperCase();
  const sides: readonly (readonly [string, number | undefined])[] = [
    [stripeAccounts.receivable, moves.receivable],
    [stripeAccounts.losses, moves.losses],
    [stripeAccounts.unapplied, moves.unapplied],
    [stripeAccounts.balance, moves.balance],
    [stripeAccounts.outside, moves.outside],
    [stripeAccounts.revenue, moves.revenue],
    [stripeAccounts.tax, moves.tax],
  ];
  const lines = sides.flatMap(([name, amount = 0]) =>
    amount === 0 ? [] : [{ account: inBook(of.livemode ? 'live' : 'test', name), amount: { amount, currency } }],
  );
  if (lines.length === 0) return [];
  return [{ key: `stripe-invoice:${of.id}:${key}`, lines, description: `${of.id} ${key}`, source: of.id }];
};
