/** What the server keeps of one account, in Stripe's own shapes. Times are seconds since the Unix epoch. */
export interface Kept {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly livemode: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface Customer extends Kept {
  readonly name: string | null;
  readonly email: string | null;
  readonly phone: string | null;
  readonly description: string | null;
  readonly invoice_settings: { readonly default_payment_method: string | null };
  readonly currency: string | null;
  readonly balance: number;
  readonly delinquent: boolean;
}

export interface Intent extends Kept {
  readonly amount: number;
  readonly amount_received: number;
  readonly amount_capturable: number;
  readonly currency: string;
  readonly status: string;
  readonly capture_method: string;
  readonly customer: string | null;
  readonly payment_method: string | null;
  readonly payment_method_types: readonly string[];
  readonly client_secret: string;
  readonly description: string | null;
  readonly latest_charge: string | null;
  readonly last_payment_error: StripeErrorBody | null;
  readonly next_action: object | null;
  readonly cancellation_reason: string | null;
  readonly return_url: string | null;
}

export interface Charge extends Kept {
  readonly amount: number;
  readonly amount_captured: number;
  readonly amount_refunded: number;
  readonly currency: string;
  readonly payment_intent: string;
  readonly balance_transaction: string | null;
  readonly captured: boolean;
  readonly paid: boolean;
  readonly refunded: boolean;
  readonly disputed: boolean;
  readonly status: string;
}

export interface Refund extends Kept {
  readonly amount: number;
  readonly currency: string;
  readonly charge: string;
  readonly payment_intent: string;
  readonly reason: string | null;
  readonly status: string;
  readonly balance_transaction: string;
  readonly failure_balance_transaction?: string;
}

export interface BalanceTransaction extends Kept {
  readonly amount: number;
  readonly currency: string;
  /** Where it was changed into that currency. */
  readonly exchange_rate: number | null;
  readonly fee: number;
  readonly net: number;
  readonly source: string;
  readonly type: string;
}

export interface Payout extends Kept {
  readonly amount: number;
  readonly currency: string;
  readonly arrival_date: number;
  readonly method: 'standard' | 'instant';
  readonly status: string;
  readonly failure_code: string | null;
  readonly balance_transaction: string;
  readonly failure_balance_transaction: string | null;
}

export interface Dispute extends Kept {
  readonly amount: number;
  readonly currency: string;
  readonly charge: string;
  readonly payment_intent: string;
  readonly reason: string;
  readonly status: string;
  readonly balance_transactions: readonly BalanceTransaction[];
}

export interface Price extends Kept {
  readonly unit_amount: number;
  /** Of tax that comes on top. Stripe's own prices name no rate; here it stands for the account's settings. */
  readonly percent: number;
  readonly currency: string;
  readonly recurring: { readonly interval: string; readonly interval_count: number } | null;
}

export interface SubscriptionItem {
  readonly id: string;
  readonly object: 'subscription_item';
  readonly price: Price;
  readonly quantity: number;
  readonly current_period_start: number;
  readonly current_period_end: number;
}

export interface Subscription extends Kept {
  readonly customer: string;
  readonly status: string;
  readonly items: { readonly object: 'list'; readonly data: readonly SubscriptionItem[]; readonly has_more: false };
  readonly cancel_at_period_end: boolean;
  readonly canceled_at: number | null;
  readonly ended_at: number | null;
  readonly trial_end: number | null;
  readonly latest_invoice: string | null;
  readonly default_payment_method: string | null;
  readonly currency: string;
}

export interface Invoice extends Kept {
  readonly customer: string;
  readonly status: string;
  readonly number: string;
  readonly currency: string;
  readonly amount_due: number;
  readonly amount_paid: number;
  readonly amount_remaining: number;
  readonly total: number;
  readonly total_taxes: readonly { readonly amount: number; readonly tax_behavior: string }[];
  /** Of the customer: what is below 0 is the customer's. */
  readonly starting_balance: number;
  readonly ending_balance: number | null;
  readonly pre_payment_credit_notes_amount: number;
  readonly post_payment_credit_notes_amount: number;
  readonly billing_reason: string;
  readonly hosted_invoice_url: string;
  readonly period_start: number;
  readonly period_end: number;
  readonly parent: {
    readonly type: 'subscription_details';
    readonly subscription_details: { readonly subscription: string; readonly metadata: object };
  } | null;
  readonly lines: { readonly object: 'list'; readonly data: readonly object[]; readonly has_more: boolean };
  readonly status_transitions: {
    readonly finalized_at: number | null;
    readonly marked_uncollectible_at: number | null;
    readonly paid_at: number | null;
    readonly voided_at: number | null;
  };
}

export interface InvoicePayment extends Kept {
  readonly invoice: string;
  readonly amount_paid: number | null;
  readonly amount_requested: number;
  readonly currency: string;
  readonly is_default: boolean;
  readonly status: string;
  readonly status_transitions: { readonly canceled_at: number | null; readonly paid_at: number | null };
  readonly payment: { readonly type: string; readonly payment_intent?: string; readonly payment_record?: string };
}

export interface CreditNote extends Kept {
  readonly amount: number;
  readonly currency: string;
  readonly customer: string;
  readonly customer_balance_transaction: string | null;
  readonly invoice: string;
  readonly out_of_band_amount: number | null;
  readonly post_payment_amount: number;
  readonly pre_payment_amount: number;
  readonly refunds: readonly { readonly amount_refunded: number; readonly refund: string; readonly type: string }[];
  readonly status: string;
  readonly total_taxes: readonly { readonly amount: number; readonly tax_behavior: string }[];
  readonly voided_at: number | null;
}

export interface Session extends Kept {
  readonly mode: string;
  readonly status: string;
  readonly payment_status: string;
  readonly url: string | null;
  readonly customer: string | null;
  readonly subscription: string | null;
  readonly payment_intent: string | null;
  readonly client_reference_id: string | null;
  readonly expires_at: number;
  readonly success_url: string;
}

export interface StripeEvent extends Kept {
  readonly object: 'event';
  readonly api_version: string;
  readonly type: string;
  readonly account?: string;
  readonly pending_webhooks: number;
  readonly data: { readonly object: object };
}

export interface StripeErrorBody {
  readonly type: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  readonly message: string;
  readonly payment_intent?: Intent;
}

/** An error as Stripe answers it (https://docs.stripe.com/api/errors). */
export class StripeRefusal extends Error {
  override readonly name = 'StripeRefusal';
  readonly status: number;
  readonly body: StripeErrorBody;
  constructor(status: number, body: StripeErrorBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

export const invalid = (message: string, param?: string, code?: string): StripeRefusal =>
  new StripeRefusal(400, {
    type: 'invalid_request_error',
    message,
    ...(param === undefined ? {} : { param }),
    ...(code === undefined ? {} : { code }),
  });

export interface AccountState {
  /** `platform`, or `acct_…`. */
  readonly account: string;
  readonly customers: Map<string, Customer>;
  readonly intents: Map<string, Intent>;
  readonly charges: Map<string, Charge>;
  readonly refunds: Map<string, Refund>;
  readonly transactions: Map<string, BalanceTransaction>;
  readonly disputes: Map<string, Dispute>;
  readonly payouts: Map<string, Payout>;
  readonly prices: Map<string, Price>;
  readonly subscriptions: Map<string, Subscription>;
  readonly invoices: Map<string, Invoice>;
  readonly invoicePayments: Map<string, InvoicePayment>;
  readonly creditNotes: Map<string, CreditNote>;
  readonly sessions: Map<string, Session>;
  /** Oldest first. */
  readonly events: StripeEvent[];
  readonly deleted: Set<string>;
  /** Seconds. */
  readonly now: () => number;
  readonly livemode: boolean;
  readonly newId: (prefix: string) => string;
  readonly emit: (type: string, object: object) => void;
}

export const collectionsOf = (state: AccountState): readonly ReadonlyMap<string, Kept>[] => [
  state.customers,
  state.intents,
  state.charges,
  state.refunds,
  state.transactions,
  state.disputes,
  state.payouts,
  state.prices,
  state.subscriptions,
  state.invoices,
  state.invoicePayments,
  state.creditNotes,
  state.sessions,
];

/** Finds an object, or refuses as Stripe does: 404 for the object of the path, 400 for one that a parameter names. */
export const find = <T extends Kept>(from: ReadonlyMap<string, T>, id: string, param = 'id'): T => {
  const found = from.get(id);
  if (found !== undefined) return found;
  throw new StripeRefusal(param === 'id' ? 404 : 400, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    param,
    message: `No such object: '${id}'`,
  });
};

export const base = (state: AccountState, prefix: string, object: string) => ({
  id: state.newId(prefix),
  object,
  created: state.now(),
  livemode: state.livemode,
});
