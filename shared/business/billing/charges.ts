import * as z from 'zod';
import type { Money } from '../../kernel/money.ts';
import { nextActionSchema, paymentSourceSchema } from '../../payments/index.ts';

/** Means of payment that gateways keep of a customer, at most one for each gateway. */
export const chargeSourcesSchema = z
  .array(paymentSourceSchema)
  .max(4)
  .refine((sources) => new Set(sources.map(({ gateway }) => gateway)).size === sources.length, 'One for each gateway')
  .meta({ description: 'Means of payment that gateways keep of them, one for each gateway: what is charged.' });
export type ChargeSources = z.infer<typeof chargeSourcesSchema>;

/** What the customer has to do for a charge to go on. */
export const chargeActionSchema = nextActionSchema;
export type ChargeAction = z.infer<typeof chargeActionSchema>;

export interface ChargeRequest {
  readonly tenant: string;
  /** Ours. The same reference is the same charge, however often it is asked for. */
  readonly reference: string;
  readonly amount: Money;
  /** Our id of the customer. */
  readonly customer: string;
  readonly sources: ChargeSources;
  /** Without the customer being there, as for a renewal. */
  readonly offSession: boolean;
  /** Where the customer's browser comes back to, where they are there. */
  readonly returnUrl?: string | undefined;
}

export type ChargeResult =
  /**
   * Minor units. `captured`: what was taken, which may be less than was asked for, or more, where the customer sends the
   * money themselves. `refunded`: what was paid back of it since; it falls where a refund failed.
   */
  | {
      readonly status: 'succeeded';
      readonly payment: string;
      readonly captured: number;
      readonly refunded: number;
    }
  /** Not decided yet; `payment` is null while it is not known whether a gateway has it. Asked again, it tells. */
  | { readonly status: 'pending'; readonly payment: string | null }
  /** The customer has something to do. */
  | { readonly status: 'needs-action'; readonly payment: string; readonly action: ChargeAction | null }
  /**
   * It never will. A reason in terms that are the same for all gateways: `insufficient-funds`. `payment` is null where
   * there was nothing to charge it by.
   */
  | { readonly status: 'failed'; readonly payment: string | null; readonly decline: string };

export interface RefundRequest {
  readonly tenant: string;
  /** Of the charge. */
  readonly reference: string;
  /** Ours. The same is the same refund of that charge, however often it is asked for. */
  readonly refund: string;
  readonly amount: Money;
}

export interface RefundResult {
  /** `failed`: it never will be paid back by this. */
  readonly status: 'pending' | 'succeeded' | 'failed';
}

/**
 * Takes money from customers who have agreed to it. Errors: `unavailable` (it may have had its effect: ask again with the
 * same reference), `invalid-request` (never charged), and `idempotency-mismatch` for a reference that came with another
 * amount or customer. How it is charged may differ from one time to the next: the first counts.
 */
export interface Charges {
  charge(request: ChargeRequest): Promise<ChargeResult>;
  /** What became of a charge; undefined where there is none. */
  find(tenant: string, reference: string): Promise<ChargeResult | undefined>;
  /** Gives a charge up that was not decided, and tells what became of it: it may have succeeded just then. */
  cancel(tenant: string, reference: string): Promise<ChargeResult | undefined>;
  /**
   * Pays back a part of a charge, or tells how that stands. Fails with `unavailable` while it is not known: it may have
   * had its effect. What is not left of the charge is `failed`.
   */
  refund(request: RefundRequest): Promise<RefundResult>;
}

export const bookAccounts = [
  /** What customers owe. */
  'receivables',
  'revenue',
  'tax-payable',
  /** What is in wallets. */
  'customer-credit',
  /** Credit that was given for nothing, or expired: less, or more, revenue. */
  'credit-given',
  /** What was paid by hand. */
  'cash',
  /** What gateways took, which they book as money that belongs to nobody's invoice yet. */
  'unapplied',
  'bad-debt',
] as const;
export type BookAccount = (typeof bookAccounts)[number];

/** One side of a posting. Debits are positive, credits negative; the lines of an entry sum to zero. */
export interface BookLine {
  readonly account: BookAccount;
  readonly amount: Money;
}

export interface BookEntry {
  readonly tenant: string;
  /** Natural: the same key is the same entry, whatever posts it. `invoice:inv_1:final`. */
  readonly key: string;
  readonly description: string;
  /** What it is posted for, such as an invoice's id. */
  readonly source: string;
  readonly lines: readonly BookLine[];
}

/**
 * The books. Posting what is there already changes nothing. Errors: `unavailable`, `invalid-request` (the lines do not sum
 * to zero), and `idempotency-mismatch` for a key that came with other lines.
 */
export interface Books {
  post(entry: BookEntry): Promise<void>;
}
