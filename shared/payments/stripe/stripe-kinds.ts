import type Stripe from 'stripe';
import type { MakeEvent } from '../../events/define-event.ts';
import type { TenantStore } from '../../store/store.ts';
import type { Payment } from '../payments/payment.schema.ts';
import { type Subscription, subscriptionStatus } from '../subscriptions/subscription.schema.ts';
import { stripeCustomerKnown, stripeSubscriptionEnded } from './stripe.events.ts';
import type { StripeCustomer } from './stripe-customer.schema.ts';
import type { StripeInvoice } from './stripe-invoice.schema.ts';
import { invoiceKind } from './stripe-invoice-kind.ts';
import { effectId, idOf, iso, type Seen, type StripeKind, type StripeRecord, type Times } from './stripe-kind.ts';
import type { StripePayment } from './stripe-payment.schema.ts';
import { paymentKind } from './stripe-payment-kind.ts';
import type { StripePayout } from './stripe-payout.schema.ts';
import { payoutKind } from './stripe-payout-kind.ts';

/** What is no money. */
const unbooked = <R extends StripeRecord>(record: R): Seen<R> => ({ record, facts: [] });

/** Who is deleted is forgotten: neither name nor address stays, and it is the same whatever we knew before. */
const deletedCustomer = ({ fetchedAt, updatedAt }: Times, livemode: boolean): StripeCustomer => {
  const empty = { currency: null, balance: 0, delinquent: false, createdAt: null };
  return { ...empty, livemode, deleted: true, fetchedAt, updatedAt };
};

export const customerRecord = (
  object: Stripe.Customer | Stripe.DeletedCustomer,
  times: Times,
  modeOfDeleted: boolean,
): StripeCustomer => {
  if (object.deleted === true) return deletedCustomer(times, modeOfDeleted);
  const { email, name, currency, balance, delinquent, livemode, created } = object;
  return {
    ...(email === null ? {} : { email }),
    ...(name == null ? {} : { name }),
    currency: currency?.toUpperCase() ?? null,
    balance,
    delinquent: delinquent ?? false,
    livemode,
    deleted: false,
    createdAt: iso(created),
    ...times,
  };
};

/** Since API version 2025-03-31 (basil) the period stands on the items: https://docs.stripe.com/api/subscriptions/object. */
export const subscriptionRecord = (object: Stripe.Subscription, times: Times): Subscription => {
  const items = object.items.data.map((item) => ({
    id: item.id,
    price: item.price.id,
    quantity: item.quantity ?? null,
    currentPeriodEnd: iso(item.current_period_end),
  }));
  const ends = items.flatMap(({ currentPeriodEnd }) => currentPeriodEnd ?? []).sort();
  return {
    customer: idOf(object.customer) ?? '',
    status: subscriptionStatus.parse(object.status),
    items,
    cancelAtPeriodEnd: object.cancel_at_period_end,
    livemode: object.livemode,
    currentPeriodEnd: ends.at(-1) ?? null,
    deleted: object.ended_at !== null,
    ...times,
  };
};

export interface StripeKindStores {
  readonly customers: TenantStore<StripeCustomer>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly invoices: TenantStore<StripeInvoice>;
  readonly stripePayments: TenantStore<StripePayment>;
  readonly payouts: TenantStore<StripePayout>;
  /** Those of the payments domain, which books them itself. */
  readonly payments: TenantStore<Payment>;
}

export const stripeKinds = ({
  customers,
  subscriptions,
  invoices,
  stripePayments,
  payouts,
  payments,
  makeEvent,
  livemode,
}: StripeKindStores & { readonly makeEvent: MakeEvent; readonly livemode: boolean }) => {
  const customer: StripeKind<StripeCustomer> = {
    name: 'customer',
    records: customers,
    fetch: async (stripe, id, options, times) =>
      unbooked(customerRecord(await stripe.customers.retrieve(id, {}, options), times, livemode)),
    list: async (stripe, request, options, times) => {
      const { data, has_more: hasMore } = await stripe.customers.list({ ...request }, options);
      const items = data.map((one) => ({ id: one.id, ...unbooked(customerRecord(one, times, livemode)) }));
      return { items, last: data.at(-1)?.id, hasMore };
    },
    tombstone: (record) => deletedCustomer(record, record.livemode),
    customerOf: () => undefined,
    statusOf: () => null,
    effects: ({ tenant, account, id }, _after, before) =>
      before === undefined ? [makeEvent(stripeCustomerKnown, { tenant, subject: id, data: { account } })] : [],
  };
  const subscription: StripeKind<Subscription> = {
    name: 'subscription',
    records: subscriptions,
    fetch: async (stripe, id, options, times) =>
      unbooked(subscriptionRecord(await stripe.subscriptions.retrieve(id, {}, options), times)),
    list: async (stripe, request, options, times) => {
      const params = { ...request, status: 'all' as const };
      const { data, has_more: hasMore } = await stripe.subscriptions.list(params, options);
      const items = data.map((one) => ({ id: one.id, ...unbooked(subscriptionRecord(one, times)) }));
      return { items, last: data.at(-1)?.id, hasMore };
    },
    tombstone: (record) => ({ ...record, deleted: true }),
    customerOf: (record) => record.customer,
    statusOf: ({ status }) => status,
    effects: (target, { deleted, customer: of, livemode: mode }, before) => {
      if (!deleted || before?.deleted === true) return [];
      const { tenant, id: subject } = target;
      const data = { subscription: subject, customer: of, livemode: mode };
      const id = effectId('subscription-ended', target);
      return [makeEvent(stripeSubscriptionEnded, { id, tenant, subject, data })];
    },
  };
  const invoice = invoiceKind(invoices, makeEvent);
  const payment = paymentKind(stripePayments, payments);
  return { customer, subscription, invoice, payment, payout: payoutKind(payouts) };
};
export type StripeKinds = ReturnType<typeof stripeKinds>;
