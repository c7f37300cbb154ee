import type { Money } from '../../kernel/money.ts';

export interface ChargeRequest {
  readonly tenant: string;
  /** Ours. The same reference is the same charge, however often it is asked for. */
  readonly reference: string;
  readonly amount: Money;
  /** Our id of the customer. */
  readonly customer: string;
  /** Without the customer being there, as for a renewal. */
  readonly offSession: boolean;
}

export type ChargeResult =
  | { readonly status: 'succeeded'; readonly payment: string }
  /** Not known yet. The same reference, asked again, tells. */
  | { readonly status: 'pending'; readonly payment: string }
  /** A reason in terms that are the same for all gateways: `insufficient-funds`. */
  | { readonly status: 'failed'; readonly payment: string; readonly decline: string };

/**
 * Takes money from customers who have agreed to it. Errors: `unavailable` (it may have had its effect: ask again with the
 * same reference), `invalid-request` (never charged), and `idempotency-mismatch` for a reference that came with another
 * amount or customer.
 */
export interface Charges {
  charge(request: ChargeRequest): Promise<ChargeResult>;
}

/** One side of a posting. Debits are positive, credits negative; the lines of an entry sum to zero. */
export interface BookLine {
  readonly account: 'receivables' | 'revenue' | 'tax-payable' | 'customer-credit' | 'cash' | 'bad-debt';
  readonly amount: Money;
}

export interface BookEntry {
  readonly tenant: string;
  /** Natural: the same key is the same entry, whatever posts it. `invoice:inv_1:final`. */
  readonly key: string;
  readonly at: string;
  readonly description: string;
  readonly lines: readonly BookLine[];
}

/** The books. Posting what is there already changes nothing. Errors: `unavailable`, `invalid-request`. */
export interface Books {
  post(entry: BookEntry): Promise<void>;
}
