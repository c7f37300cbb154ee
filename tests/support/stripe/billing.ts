import type * as z from 'zod';
import type { parameters } from './contract.ts';
import { chargeInvoice, makeInvoice, payInvoice } from './invoices.ts';
import { createIntent } from './payments.ts';
import {
  type AccountState,
  base,
  type Customer,
  find,
  type Invoice,
  invalid,
  type Session,
  StripeRefusal,
  type Subscription,
  type SubscriptionItem,
} from './state.ts';

const month = 30 * 86_400;

export const createCustomer = (state: AccountState, params: z.infer<typeof parameters.createCustomer>): Customer => {
  const customer: Customer = {
    ...base(state, 'cus', 'customer'),
    metadata: params.metadata ?? {},
    name: params.name ?? null,
    email: params.email ?? null,
    phone: params.phone ?? null,
    description: params.description ?? null,
    invoice_settings: { default_payment_method: params.invoice_settings?.default_payment_method ?? null },
    currency: null,
    balance: 0,
    delinquent: false,
  };
  state.customers.set(customer.id, customer);
  state.emit('customer.created', customer);
  return customer;
};

export const updateCustomer = (
  state: AccountState,
  id: string,
  { invoice_settings, metadata, expand: _, ...params }: z.infer<typeof parameters.updateCustomer>,
): Customer => {
  const customer = find(state.customers, id);
  const method = invoice_settings?.default_payment_method ?? customer.invoice_settings.default_payment_method;
  const given = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, value === '' ? null : value]));
  const changed: Customer = {
    ...customer,
    ...given,
    metadata: { ...customer.metadata, ...metadata },
    invoice_settings: { default_payment_method: method },
  };
  state.customers.set(id, changed);
  state.emit('customer.updated', changed);
  return changed;
};

/** Ends their subscriptions too. */
export const deleteCustomer = (state: AccountState, id: string) => {
  const customer = find(state.customers, id);
  for (const subscription of state.subscriptions.values()) {
    if (subscription.customer === id && subscription.ended_at === null) endSubscription(state, subscription.id);
  }
  state.customers.delete(id);
  state.deleted.add(id);
  state.emit('customer.deleted', customer);
  return { id, object: 'customer', deleted: true };
};

const itemsOf = (
  state: AccountState,
  items: readonly { price: string; quantity?: number | undefined }[],
): SubscriptionItem[] =>
  items.map(({ price, quantity = 1 }) => ({
    id: state.newId('si'),
    object: 'subscription_item',
    price: find(state.prices, price, 'items[0][price]'),
    quantity,
    current_period_start: state.now(),
    current_period_end: state.now() + month,
  }));

const list = <T>(data: readonly T[]) => ({ object: 'list', data, has_more: false }) as const;

const put = (state: AccountState, subscription: Subscription, type: string): Subscription => {
  state.subscriptions.set(subscription.id, subscription);
  state.emit(`customer.subscription.${type}`, subscription);
  return subscription;
};

const invoiceOf = (state: AccountState, subscription: Subscription, reason: string): Invoice => {
  const isFree = subscription.status === 'trialing';
  const lines = subscription.items.data.map((item) => ({
    amount: isFree ? 0 : item.price.unit_amount * item.quantity,
    percent: isFree ? 0 : item.price.percent,
    quantity: item.quantity,
    price: item.price.id,
    item: item.id,
    period: { start: item.current_period_start, end: item.current_period_end },
  }));
  return makeInvoice(state, { customer: subscription.customer, subscription, lines, reason });
};

const methodOf = (state: AccountState, subscription: Subscription): string | null =>
  subscription.default_payment_method ??
  find(state.customers, subscription.customer, 'customer').invoice_settings.default_payment_method;

/** Charges what is due; undefined where the card is declined or there is none. */
const collect = (state: AccountState, subscription: Subscription, invoice: Invoice): Invoice | undefined => {
  if (invoice.amount_due === 0) return payInvoice(state, invoice.id);
  const method = methodOf(state, subscription);
  if (method === null) return undefined;
  try {
    return chargeInvoice(state, invoice.id, method);
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    state.emit('invoice.payment_failed', find(state.invoices, invoice.id));
    return undefined;
  }
};

export const createSubscription = (
  state: AccountState,
  params: z.infer<typeof parameters.createSubscription>,
): Subscription => {
  find(state.customers, params.customer, 'customer');
  const items = itemsOf(state, params.items);
  const trial = params.trial_period_days ?? 0;
  const trialEnd = trial > 0 ? state.now() + trial * 86_400 : null;
  const made: Subscription = {
    ...base(state, 'sub', 'subscription'),
    metadata: params.metadata ?? {},
    customer: params.customer,
    status: trialEnd === null ? 'incomplete' : 'trialing',
    items: list(trialEnd === null ? items : items.map((item) => ({ ...item, current_period_end: trialEnd }))),
    cancel_at_period_end: false,
    canceled_at: null,
    ended_at: null,
    trial_end: trialEnd,
    latest_invoice: null,
    default_payment_method: params.default_payment_method ?? null,
    currency: items[0]?.price.currency ?? 'eur',
  };
  if (params.payment_behavior === 'error_if_incomplete' && trialEnd === null && methodOf(state, made) === null) {
    throw new StripeRefusal(402, {
      type: 'card_error',
      code: 'resource_missing',
      message: 'There is no payment method.',
    });
  }
  put(state, made, 'created');
  const invoice = invoiceOf(state, made, 'subscription_create');
  const paid = collect(state, made, invoice);
  const status = trialEnd === null ? (paid === undefined ? 'incomplete' : 'active') : 'trialing';
  return put(state, { ...made, status, latest_invoice: invoice.id }, 'updated');
};

export const updateSubscription = (
  state: AccountState,
  id: string,
  params: z.infer<typeof parameters.updateSubscription>,
): Subscription => {
  const subscription = find(state.subscriptions, id);
  if (subscription.ended_at !== null) throw invalid('A canceled subscription can only update its metadata.', 'items');
  const changes = params.items ?? [];
  const unknown = changes.find(
    (change) => change.id !== undefined && !subscription.items.data.some((i) => i.id === change.id),
  );
  if (unknown !== undefined) throw invalid('No such subscription item.', 'items[0][id]', 'resource_missing');
  const kept = subscription.items.data.flatMap((item) => {
    const change = changes.find((one) => one.id === item.id);
    if (change?.deleted === true) return [];
    const price = change?.price === undefined ? item.price : find(state.prices, change.price, 'items[0][price]');
    return [{ ...item, price, quantity: change?.quantity ?? item.quantity }];
  });
  const added = changes.flatMap(({ id: known, price, quantity }) =>
    known === undefined && price !== undefined ? [{ price, quantity }] : [],
  );
  return put(
    state,
    {
      ...subscription,
      items: list([...kept, ...itemsOf(state, added)]),
      cancel_at_period_end: params.cancel_at_period_end ?? subscription.cancel_at_period_end,
      default_payment_method: params.default_payment_method ?? subscription.default_payment_method,
      metadata: { ...subscription.metadata, ...params.metadata },
    },
    'updated',
  );
};

export const endSubscription = (state: AccountState, id: string): Subscription => {
  const subscription = find(state.subscriptions, id);
  if (subscription.ended_at !== null) {
    throw new StripeRefusal(404, {
      type: 'invalid_request_error',
      code: 'resource_missing',
      message: 'No such subscription',
      param: 'id',
    });
  }
  const now = state.now();
  return put(state, { ...subscription, status: 'canceled', canceled_at: now, ended_at: now }, 'deleted');
};

/** A period goes by: the next one is charged. */
export const renewSubscription = (state: AccountState, id: string): void => {
  const subscription = find(state.subscriptions, id);
  if (subscription.cancel_at_period_end) {
    endSubscription(state, id);
    return;
  }
  const items = subscription.items.data.map((item) => ({
    ...item,
    current_period_start: item.current_period_end,
    current_period_end: item.current_period_end + month,
  }));
  const next = { ...subscription, status: 'active', trial_end: null, items: list(items) };
  const invoice = invoiceOf(state, next, 'subscription_cycle');
  const paid = collect(state, next, invoice);
  put(state, { ...next, status: paid === undefined ? 'past_due' : 'active', latest_invoice: invoice.id }, 'updated');
};

export const createCheckout = (state: AccountState, params: z.infer<typeof parameters.createCheckout>): Session => {
  if (params.customer !== undefined) find(state.customers, params.customer, 'customer');
  for (const { price } of params.line_items) {
    const { recurring } = find(state.prices, price, 'line_items[0][price]');
    if (params.mode === 'subscription' && recurring === null)
      throw invalid('The price is not recurring.', 'line_items');
    if (params.mode === 'payment' && recurring !== null) throw invalid('The price is recurring.', 'line_items');
  }
  const made = base(state, 'cs_test', 'checkout.session');
  const session: Session = {
    ...made,
    metadata: params.metadata ?? {},
    mode: params.mode,
    status: 'open',
    payment_status: 'unpaid',
    url: `https://checkout.stripe.com/c/pay/${made.id}`,
    customer: params.customer ?? null,
    subscription: null,
    payment_intent: null,
    client_reference_id: params.client_reference_id ?? null,
    expires_at: made.created + 86_400,
    success_url: params.success_url,
  };
  state.sessions.set(session.id, session);
  return session;
};

const payOnce = (
  state: AccountState,
  customer: string,
  lines: readonly { price: string; quantity?: number }[],
): string => {
  const amounts = lines.map(({ price, quantity = 1 }) => find(state.prices, price).unit_amount * quantity);
  const amount = amounts.reduce((sum, one) => sum + one, 0);
  return createIntent(state, { amount, currency: 'eur', customer, payment_method: 'pm_card_visa', confirm: true }).id;
};

/** The payer fills in the page. */
export const completeCheckout = (
  state: AccountState,
  id: string,
  lines: readonly { price: string; quantity?: number }[],
): Session => {
  const session = find(state.sessions, id);
  const customer = session.customer ?? createCustomer(state, { email: 'payer@example.com' }).id;
  const subscription =
    session.mode === 'subscription'
      ? createSubscription(state, { customer, items: [...lines], default_payment_method: 'pm_card_visa' }).id
      : null;
  const payment_intent = session.mode === 'payment' ? payOnce(state, customer, lines) : null;
  const done = {
    ...session,
    customer,
    payment_intent,
    subscription,
    status: 'complete',
    payment_status: 'paid',
    url: null,
  };
  state.sessions.set(id, done);
  state.emit('checkout.session.completed', done);
  return done;
};
