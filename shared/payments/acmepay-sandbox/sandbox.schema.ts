import * as z from 'zod';
import { currencyCodes, isCurrency, minorDigits } from '../../kernel/currencies.ts';

/** Where AcmePay departs from ISO 4217: forints are charged whole. */
export const departures: ReadonlyMap<string, number> = new Map([['HUF', 0]]);

/** What AcmePay can't be paid in. */
const unsupported = new Set(['KPW', 'SYP', 'IRR', 'CUP']);

export const acmepayCurrencies: ReadonlySet<string> = new Set(currencyCodes.filter((code) => !unsupported.has(code)));

export const digitsOf = (currency: string): number => departures.get(currency) ?? minorDigits(currency) ?? 2;

const text = (max: number) => z.string().min(1).max(max);
const currency = z.string().refine((code) => isCurrency(code) && acmepayCurrencies.has(code), 'unsupported_currency');
/** In the currency's units at AcmePay. */
const amount = z.int().min(1).max(999_999_999_999);

export const createSchema = z.strictObject({
  reference: text(200),
  amount,
  currency,
  capture_method: z.enum(['automatic', 'manual']),
  customer: text(200).optional(),
  payment_method: text(200).optional(),
  off_session: z.boolean(),
  description: text(500).optional(),
  return_url: z.url({ protocol: /^https?$/ }).optional(),
  metadata: z.record(text(40), z.string().max(500)).default({}),
});
export type CreateRequest = z.infer<typeof createSchema>;

export const captureSchema = z.union([z.strictObject({ amount, currency }), z.strictObject({})]);
export type CaptureRequest = z.infer<typeof captureSchema>;
export const refundSchema = z.strictObject({
  reference: text(200),
  amount,
  currency,
  reason: z.enum(['duplicate', 'fraudulent', 'requested_by_customer']).optional(),
});
export const emptySchema = z.strictObject({});
export const cardSchema = z.strictObject({
  number: z.string().regex(/^\d{16}$/),
  exp_month: z.int().min(1).max(12),
  exp_year: z.int().min(2020).max(2100),
  cvc: z.string().regex(/^\d{3}$/),
});

const refundObject = z.object({
  id: z.string(),
  object: z.literal('refund'),
  reference: z.string(),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['pending', 'succeeded', 'failed']),
  created: z.int(),
});
const disputeObject = z.object({
  id: z.string(),
  object: z.literal('dispute'),
  amount: z.int(),
  status: z.enum(['open', 'won', 'lost']),
  created: z.int(),
});

/** A payment as AcmePay sends it. Amounts are units of its currency at AcmePay, times seconds since the Unix epoch. */
export const paymentObject = z.object({
  id: z.string(),
  object: z.literal('payment'),
  account: z.string(),
  livemode: z.boolean(),
  reference: z.string(),
  status: z.enum(['requires_action', 'processing', 'authorised', 'captured', 'canceled', 'failed', 'expired']),
  amount: z.int(),
  currency: z.string(),
  amount_captured: z.int(),
  capture_method: z.enum(['automatic', 'manual']),
  customer: z.string().nullable(),
  payment_method: z.string().nullable(),
  off_session: z.boolean(),
  description: z.string().nullable(),
  return_url: z.string().nullable(),
  fee: z.int().nullable(),
  next_action: z.object({ type: z.literal('redirect'), url: z.string() }).nullable(),
  decline_code: z.string().nullable(),
  refunds: z.array(refundObject),
  disputes: z.array(disputeObject),
  metadata: z.record(z.string(), z.string()),
  created: z.int(),
  updated: z.int(),
});
export type AcmePayment = z.infer<typeof paymentObject>;
export type AcmeRefund = z.infer<typeof refundObject>;
export type AcmeDispute = z.infer<typeof disputeObject>;

/** An event as a webhook brings it. */
export interface AcmeEvent {
  readonly id: string;
  readonly object: 'event';
  readonly type: string;
  readonly account: string;
  readonly livemode: boolean;
  /** Seconds since the Unix epoch. */
  readonly created: number;
  readonly data: { readonly object: AcmePayment };
}

/** What a card does. `delayed` is a debit whose outcome comes later. */
type Behaviour = 'succeeds' | 'challenges' | 'delayed' | 'delayed-failure' | 'disputed' | { readonly declines: string };

interface TestCard {
  readonly number: string;
  readonly behaviour: Behaviour;
}

/** Test cards by the name under which a server may use them without a number: `pm_card_ok`. */
export const testCards: Readonly<Record<string, TestCard>> = {
  pm_card_ok: { number: '4242424242424242', behaviour: 'succeeds' },
  pm_card_challenge: { number: '4000000000003220', behaviour: 'challenges' },
  pm_card_delayed: { number: '4000000000000077', behaviour: 'delayed' },
  pm_card_delayed_failure: { number: '4000000000000341', behaviour: 'delayed-failure' },
  pm_card_disputed: { number: '4000000000000259', behaviour: 'disputed' },
  pm_card_declined: { number: '4000000000000002', behaviour: { declines: 'card_declined' } },
  pm_card_insufficient_funds: { number: '4000000000009995', behaviour: { declines: 'insufficient_funds' } },
  pm_card_expired: { number: '4000000000000069', behaviour: { declines: 'expired_card' } },
  pm_card_fraud: { number: '4100000000000019', behaviour: { declines: 'suspected_fraud' } },
  pm_card_limit: { number: '4000000000006975', behaviour: { declines: 'limit_exceeded' } },
  pm_card_error: { number: '4000000000000119', behaviour: { declines: 'processing_error' } },
};

export const cardNamed = (number: string): string | undefined =>
  Object.entries(testCards).find(([, card]) => card.number === number)?.[0];
