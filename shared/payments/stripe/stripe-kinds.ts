import type Stripe from 'stripe';
import type { MakeEvent } from '../../events/define-event.ts';
import { isoTime } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { TenantStore } from '../../store/store.ts';
import type { StripeCallOptions } from '../gateways/stripe.client.ts';
import { roundedFromStripe } from '../gateways/stripe.money.ts';
import { type Subscription, subscriptionStatus } from '../subscriptions/subscription.schema.ts';
import {
  type StripeKindName,
  stripeCustomerKnown,
  stripeInvoicePaid,
  stripeSubscriptionEnded,
} from './stripe.events.ts';
import type { StripeCustomer } from './stripe-customer.schema.ts';
import { maxLines, type StripeInvoice, stripeInvoiceStatus } from './stripe-invoice.schema.ts';

export interface Times {
  readonly fetchedAt: string;
  readonly updatedAt: string;
}

export interface StripeRecord extends Times {
  readonly livemode: boolean;
  readonly deleted: boolean;
}

export interface PageOf<R> {
  readonly items: readonly { readonly id: string; readonly record: R }[];
  readonly hasMore: boolean;
}

export interface ListRequest {
  readonly limit: number;
  readonly starting_after?: string;
}

/** One kind of Stripe's objects that we keep records of. */
export interface StripeKind<R extends StripeRecord> {
  readonly name: StripeKindName;
  readonly records: TenantStore<R>;
  /** Fails with `not-found` where Stripe has none. */
  readonly fetch: (stripe: Stripe, id: string, options: StripeCallOptions, times: Times) => Promise<R>;
  readonly list: (stripe: Stripe, request: ListRequest, options: StripeCallOptions, times: Times) => Promise<PageOf<R>>;
  /** What remains of a record whose object is gone. */
  readonly tombstone: (record: R) => R;
  readonly customerOf: (record: R) => string | undefined;
  readonly statusOf: (record: R) => string | null;
  /** What follows from a state once, under its natural key: however the state came about, it is the same event. */
  readonly effects: (target: Target, after: R, before: R | undefined) => readonly DomainEvent[];
}

interface Target {
  readonly tenant: string;
  readonly account: string;
  readonly id: string;
}

const iso = (at: number | null | undefined): string | null => (at == null ? null : isoTime(at * 1_000));
const idOf = (value: string | { readonly id: string } | null | undefined): string | null =>
  typeof value === 'string' ? value : (value?.id ?? null);

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

const lineOf = (line: Stripe.InvoiceLineItem) => ({
  id: line.id,
  price: idOf(line.pricing?.price_details?.price),
  quantity: line.quantity,
  amount: { ...roundedFromStripe(line.amount, line.currency) },
  periodStart: isoTime(line.period.start * 1_000),
  periodEnd: isoTime(line.period.end * 1_000),
});

/** Since basil the subscription is in `parent`: https://docs.stripe.com/api/invoices/object#invoice_object-parent. */
export const invoiceRecord = (object: Stripe.Invoice, times: Times): StripeInvoice => {
  const amount = (units: number) => ({ ...roundedFromStripe(units, object.currency) });
  const status = stripeInvoiceStatus.safeParse(object.status);
  return {
    customer: idOf(object.customer) ?? '',
    subscription: idOf(object.parent?.subscription_details?.subscription),
    number: object.number,
    status: status.success ? status.data : 'unknown',
    total: amount(object.total),
    due: amount(object.amount_due),
    paid: amount(object.amount_paid),
    lines: object.lines.data.slice(0, maxLines).map(lineOf),
    moreLines: object.lines.has_more || object.lines.data.length > maxLines,
    paidAt: iso(object.status_transitions.paid_at),
    livemode: object.livemode,
    deleted: false,
    ...times,
  };
};

export interface StripeKindStores {
  readonly customers: TenantStore<StripeCustomer>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly invoices: TenantStore<StripeInvoice>;
}

const effectId = (effect: string, { account, id }: Target): string => derivedId('evt', 'stripe', effect, account, id);

const paidEffect = (makeEvent: MakeEvent, target: Target, invoice: StripeInvoice): DomainEvent =>
  makeEvent(stripeInvoicePaid, {
    id: effectId('invoice-paid', target),
    tenant: target.tenant,
    subject: target.id,
    data: {
      invoice: target.id,
      customer: invoice.customer,
      subscription: invoice.subscription,
      paid: invoice.paid,
      livemode: invoice.livemode,
      lines: invoice.lines.map(({ id, amount }) => ({ key: `${target.id}:${id}`, amount })),
    },
  });

export const stripeKinds = ({
  customers,
  subscriptions,
  invoices,
  makeEvent,
  livemode,
}: StripeKindStores & { readonly makeEvent: MakeEvent; readonly livemode: boolean }) => {
  const customer: StripeKind<StripeCustomer> = {
    name: 'customer',
    records: customers,
    fetch: async (stripe, id, options, times) =>
      customerRecord(await stripe.customers.retrieve(id, {}, options), times, livemode),
    list: async (stripe, request, options, times) => {
      const { data, has_more: hasMore } = await stripe.customers.list({ ...request }, options);
      return { items: data.map((one) => ({ id: one.id, record: customerRecord(one, times, livemode) })), hasMore };
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
      subscriptionRecord(await stripe.subscriptions.retrieve(id, {}, options), times),
    list: async (stripe, request, options, times) => {
      const params = { ...request, status: 'all' as const };
      const { data, has_more: hasMore } = await stripe.subscriptions.list(params, options);
      return { items: data.map((one) => ({ id: one.id, record: subscriptionRecord(one, times) })), hasMore };
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
  const invoice: StripeKind<StripeInvoice> = {
    name: 'invoice',
    records: invoices,
    fetch: async (stripe, id, options, times) => invoiceRecord(await stripe.invoices.retrieve(id, {}, options), times),
    list: async (stripe, request, options, times) => {
      const { data, has_more: hasMore } = await stripe.invoices.list({ ...request }, options);
      return { items: data.map((one) => ({ id: one.id, record: invoiceRecord(one, times) })), hasMore };
    },
    tombstone: (record) => ({ ...record, deleted: true }),
    customerOf: (record) => record.customer,
    statusOf: ({ status }) => status,
    effects: (target, after, before) =>
      after.status === 'paid' && before?.status !== 'paid' ? [paidEffect(makeEvent, target, after)] : [],
  };
  return { customer, subscription, invoice };
};
export type StripeKinds = ReturnType<typeof stripeKinds>;
