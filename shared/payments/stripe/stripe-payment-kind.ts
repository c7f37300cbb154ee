import type Stripe from 'stripe';
import type { TenantStore } from '../../store/store.ts';
import { roundedFromStripe } from '../gateways/stripe.money.ts';
import {
  allOfIt,
  disputesOf,
  intentExpansion,
  isDisputed,
  paymentKey,
  paymentOf,
  refundsOf,
} from '../gateways/stripe.payment.ts';
import { factsOf as paymentFactsOf, postingOf } from '../payments/payment.facts.ts';
import type { Payment } from '../payments/payment.schema.ts';
import type { StripeFact } from './stripe-facts.ts';
import { idOf, type Seen, type StripeKind, type Times } from './stripe-kind.ts';
import type { StripePayment } from './stripe-payment.schema.ts';

/** Until all of it is taken, more of it may be. */
const hasMoney = (intent: Stripe.PaymentIntent): boolean => intent.status === 'succeeded' && intent.amount_received > 0;

const recordOf = (intent: Stripe.PaymentIntent, times: Times): StripePayment => {
  const { latest_charge: charge, currency } = intent;
  const refunded = typeof charge === 'object' ? (charge?.amount_refunded ?? 0) : 0;
  return {
    customer: idOf(intent.customer),
    captured: { ...roundedFromStripe(intent.amount_received, currency) },
    refunded: { ...roundedFromStripe(refunded, currency) },
    disputed: isDisputed(intent),
    payment: intent.metadata[paymentKey] ?? null,
    livemode: intent.livemode,
    deleted: false,
    ...times,
  };
};

/** The same facts as those of a payment that came through the neutral API, on the same accounts. */
const factsOf = (
  intent: Stripe.PaymentIntent,
  refunds: readonly Stripe.Refund[],
  disputes: readonly Stripe.Dispute[],
): readonly StripeFact[] => {
  const book = intent.livemode ? 'live' : 'test';
  const facts = paymentFactsOf('stripe', paymentOf(intent, refunds, disputes));
  return facts.flatMap((fact) => {
    const postings = postingOf(intent.id, book, fact);
    return postings.length === 0 ? [] : [{ key: fact.key, postings }];
  });
};

/**
 * Money that came by a PaymentIntent. It is booked as the payers', not as anything sold: an invoice takes from there
 * what was paid for it. So an intent need not be asked what it is for, and is booked once. Two calls, three where it is
 * disputed.
 */
export const paymentKind = (
  records: TenantStore<StripePayment>,
  payments: TenantStore<Payment>,
): StripeKind<StripePayment> => ({
  name: 'payment',
  records,
  fetch: async (stripe, id, options, times): Promise<Seen<StripePayment> | undefined> => {
    const intent = await stripe.paymentIntents.retrieve(id, { expand: intentExpansion }, options);
    if (!hasMoney(intent)) return undefined;
    const [refunds, disputes] = await Promise.all([
      stripe.refunds.list(refundsOf(id), options).autoPagingToArray(allOfIt),
      isDisputed(intent) ? stripe.disputes.list(disputesOf(id), options) : { data: [] },
    ]);
    return { record: recordOf(intent, times), facts: factsOf(intent, refunds, disputes.data) };
  },
  list: async (stripe, request, options, times) => {
    const params = { ...request, expand: intentExpansion.map((path) => `data.${path}`) };
    const { data, has_more: hasMore } = await stripe.paymentIntents.list(params, options);
    const items = data
      .filter(hasMoney)
      .map((one) => ({ id: one.id, record: recordOf(one, times), facts: factsOf(one, [], []) }));
    return { items, last: data.at(-1)?.id, hasMore };
  },
  tombstone: (record) => ({ ...record, deleted: true }),
  customerOf: () => undefined,
  statusOf: ({ disputed }) => (disputed ? 'disputed' : 'captured'),
  effects: () => [],
  ofOthers: async (tenant, items) => {
    const named = items.flatMap(({ id, record: { payment } }) => (payment === null ? [] : [{ id, payment }]));
    if (named.length === 0) return new Set();
    const stored = await payments.of(tenant).getMany(named.map(({ payment }) => payment));
    return new Set(named.filter((_, i) => stored[i] !== undefined).map(({ id }) => id));
  },
});
