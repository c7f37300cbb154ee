import type { Money } from '../../kernel/money.ts';
import type { Page } from '../../kernel/page.ts';

/** Names of gateways, as they stand in payments, accounts and settings. */
export type GatewayName = 'stripe' | 'paypal' | 'crypto' | 'onchain' | 'acmepay';

/**
 * Where a payment stands at a gateway. `requires-action`: the payer has something to do (`nextAction`). `pending`: the
 * gateway or the chain is at work. `authorised`: held, to be captured. The last three are final.
 */
export type PaymentStatus =
  | 'requires-action'
  | 'pending'
  | 'authorised'
  | 'captured'
  | 'canceled'
  | 'failed'
  | 'expired';

/** What a gateway can do. Routing looks here, and a call to what is not there fails with `precondition-failed`. */
export interface GatewayCapabilities {
  /** Upper-case ISO 4217 codes. */
  readonly currencies: ReadonlySet<string>;
  /** Digits of the minor unit where the gateway departs from ISO 4217 (Stripe: ISK 2; PayPal: HUF 0). */
  readonly minorDigits: ReadonlyMap<string, number>;
  readonly manualCapture: boolean;
  readonly partialCapture: boolean;
  readonly partialRefund: boolean;
  /** The gateway makes a second call with the same key have no second effect, for so many seconds; 0 for never. */
  readonly idempotentFor: number;
  /** Whether a payment can be looked up by our own reference after a call whose answer was lost. */
  readonly lookupByOwnReference: boolean;
  /** Whether a payment is read with all its refunds and our ids of them, so that one whose answer was lost is found. */
  readonly refundsByOwnReference: boolean;
}

export interface CreatePayment {
  /** Our id, which the gateway keeps with the payment (`pay_…`). */
  readonly payment: string;
  readonly tenant: string;
  readonly amount: Money;
  readonly capture: 'automatic' | 'manual';
  /** The gateway's own name of the payer, or of a means of payment that it keeps. */
  readonly customer?: string | undefined;
  readonly paymentMethod?: string | undefined;
  /** Without the payer being there, as for a renewal. */
  readonly offSession: boolean;
  /** For the payer's statement or the gateway's dashboard; no personal data. */
  readonly description?: string | undefined;
  /** Where the payer's browser comes back to. */
  readonly returnUrl?: string | undefined;
}

/** What the payer has to do next. */
export type NextAction =
  | { readonly kind: 'redirect'; readonly url: string }
  /** For the gateway's own script in the payer's browser. */
  | { readonly kind: 'client-secret'; readonly clientSecret: string }
  | {
      readonly kind: 'transfer';
      readonly address: string;
      readonly network: string;
      readonly asset: string;
      /** In the asset's smallest unit, as a decimal integer: it may not fit a number. */
      readonly units: string;
      readonly expiresAt: string;
    };

/** Why a payment failed, in terms that are the same for all gateways. */
export type DeclineCode =
  | 'card-declined'
  | 'insufficient-funds'
  | 'expired-card'
  | 'authentication-required'
  | 'authentication-failed'
  | 'suspected-fraud'
  | 'limit-exceeded'
  | 'invalid-payment-method'
  | 'expired'
  | 'processing-error';

export interface GatewayRefund {
  /** The gateway's id. */
  readonly reference: string;
  /** Our id where the gateway kept it. */
  readonly refund?: string | undefined;
  readonly amount: Money;
  readonly status: 'pending' | 'succeeded' | 'failed';
}

/**
 * Money that the payer, or their bank, wants back. `lost` and `won` are final; a dispute that was won was open before.
 */
export interface GatewayDispute {
  readonly reference: string;
  readonly amount: Money;
  readonly status: 'open' | 'won' | 'lost';
  /** Of one that is lost: what was taken in the end, where that is less than all of it. */
  readonly lost?: Money | undefined;
  /** What the payer says is wrong, in the gateway's own words: a code. */
  readonly reason?: string | undefined;
  /** Until when an answer is wanted. ISO 8601. */
  readonly respondBy?: string | undefined;
  /** What the gateway keeps for it, under its own ids; negative where it gives some back. */
  readonly fees?: readonly { readonly reference: string; readonly amount: Money }[] | undefined;
}

/**
 * A movement of the account's balance at the gateway in another currency than that of what was charged, given back or
 * disputed. Positive is in.
 */
export interface GatewaySettlement {
  /** The gateway's id of the movement, which never changes. */
  readonly reference: string;
  /** In the currency of the payment. */
  readonly of: Money;
  /** In the currency of the balance, before fees. It may be less than the least amount of it: 0. */
  readonly as: Money;
  /** What the gateway keeps of it and does not tell with the payment's own `fee`; negative where it gives some back. */
  readonly fee?: Money | undefined;
}

/**
 * Money that came otherwise than it was asked for: less of it before the time was over (`partial`), more (`surplus`), after
 * the time (`late`), or in another asset. It is the payer's until somebody decides. `accepted` and `returned` are final.
 */
export interface GatewayReceipt {
  readonly reference: string;
  readonly kind: 'partial' | 'surplus' | 'late' | 'other-asset';
  /** What it is worth in the payment's currency. */
  readonly amount: Money;
  readonly status: 'held' | 'accepted' | 'returned';
}

/** One capture of several. */
export interface GatewayCapture {
  readonly amount: Money;
  /** Of the payment's own `fee`. */
  readonly fee?: Money | undefined;
}

/** A payment as the gateway tells it now. Read anew it replaces what we had: it is state, not an event. */
export interface GatewayPayment {
  /** The gateway's id. */
  readonly reference: string;
  /** Our id, as the gateway kept it; undefined for a payment that we did not make. */
  readonly payment?: string | undefined;
  readonly status: PaymentStatus;
  readonly amount: Money;
  /** 0 until it is captured. With what was accepted of `receipts`. */
  readonly captured: Money;
  /** What that was captured in, where it was in parts. */
  readonly captures?: readonly GatewayCapture[] | undefined;
  /** All there ever were, those that failed too. */
  readonly refunds: readonly GatewayRefund[];
  /** What the gateway kept for itself, where it says so. */
  readonly fee?: Money | undefined;
  readonly disputes: readonly GatewayDispute[];
  /** Where the gateway changed the money into another currency. */
  readonly settlements?: readonly GatewaySettlement[] | undefined;
  /** Where payers send money by themselves. What was once held stays in it. */
  readonly receipts?: readonly GatewayReceipt[] | undefined;
  readonly nextAction?: NextAction | undefined;
  readonly decline?: DeclineCode | undefined;
  readonly livemode: boolean;
}

export interface RefundPayment {
  /** Our id (`ref_…`). */
  readonly refund: string;
  readonly amount: Money;
  readonly reason?: 'duplicate' | 'fraudulent' | 'requested-by-customer' | undefined;
}

/** What a webhook asks to be done: look at an object again. Its content is never taken for the truth. */
export interface GatewayAction {
  readonly kind:
    | 'refresh-payment'
    | 'refresh-dispute'
    | 'refresh-payout'
    | 'refresh-subscription'
    | 'refresh-customer'
    | 'ignore';
  /** The gateway's id of the object; absent for `ignore`. */
  readonly reference?: string | undefined;
  /** What the reference is of, where the event does not name the payment itself: `locate` finds that. */
  readonly of?: GatewayPart | undefined;
}

/** What belongs to a payment, and has an id of its own at the gateway. */
export type GatewayPart = 'capture' | 'authorisation' | 'dispute';

export interface GatewayAccountIdentity {
  readonly id: string;
  readonly livemode: boolean;
  /** The gateway's id of the account's webhook, where signatures are over it. */
  readonly webhook?: string | undefined;
}

/** In one currency: what can be paid out, and what is on its way to it. Negative where the account owes. */
export interface GatewayBalance {
  readonly available: Money;
  readonly pending: Money;
  /** What it holds back and still counts as the account's, as for disputes; absent where it takes such money out. */
  readonly withheld?: Money | undefined;
}

/**
 * A payment gateway. Every call that changes something takes an idempotency key, which is the same on every attempt.
 * Errors: `invalid-request` (the gateway refuses the call as wrong), `not-found`, `precondition-failed` (not in this
 * state), `idempotency-mismatch` (the key came with another request), `forbidden` (the credentials do not allow it),
 * `rate-limited` with `retryAfter`, and `unavailable`: it gave no answer to rely on, so the call may have had its
 * effect, and must be repeated with its key or looked up before anything else is tried. A decline is no error but a
 * payment with status `failed`.
 */
export interface Gateway {
  readonly name: GatewayName;
  readonly livemode: boolean;
  readonly capabilities: GatewayCapabilities;
  create(request: CreatePayment, key: string): Promise<GatewayPayment>;
  /** After the payer has acted, where the gateway waits to be told. */
  confirm(reference: string, key: string): Promise<GatewayPayment>;
  /** The whole amount where none is given. */
  capture(reference: string, amount: Money | undefined, key: string): Promise<GatewayPayment>;
  cancel(reference: string, key: string): Promise<GatewayPayment>;
  refund(reference: string, request: RefundPayment, key: string): Promise<GatewayRefund>;
  /** Takes what is held as the payment, also where it is another amount. Absent where payers can send nothing unasked. */
  accept?(reference: string, key: string): Promise<GatewayPayment>;
  /** Undefined where there is none. */
  retrieve(reference: string): Promise<GatewayPayment | undefined>;
  /** By our own id; undefined where there is none (yet). */
  find(payment: string): Promise<GatewayPayment | undefined>;
  /** Checks the credentials, and tells whose they are: the account's id as webhooks name it. */
  account(): Promise<GatewayAccountIdentity>;
  /** Payments that were made or changed since a time (ISO 8601), in any order. Absent where the gateway has no list. */
  list?(since: string, cursor: string | undefined): Promise<Page<GatewayPayment>>;
  /** The gateway's id of the payment that a part belongs to; undefined where there is none. Absent where events name it. */
  locate?(part: GatewayPart, reference: string): Promise<string | undefined>;
  /** What the gateway owes the account. Absent where it keeps no balance. */
  balances?(): Promise<readonly GatewayBalance[]>;
  /** Whether it is worth calling now, and how long its last calls took. No request of its own. */
  status(): { readonly healthy: boolean; readonly latencyMs: number };
  /** What an accepted webhook of this gateway asks for. Pure. */
  actionOf(type: string, object: Readonly<Record<string, unknown>>): GatewayAction;
}
