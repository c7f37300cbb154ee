import type Stripe from 'stripe';
import type { Actor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Filter, Stored } from '../../store/store.ts';
import type { StripeCallOptions, StripeClient } from '../gateways/stripe.client.ts';
import { tenantKey } from '../gateways/stripe.payment.ts';
import type { SubscriptionView } from '../subscriptions/subscription.schema.ts';
import type { StripeKindName } from './stripe.events.ts';
import {
  type CheckoutView,
  checkoutStatus,
  type NewCheckout,
  type NewCustomer,
  type NewSubscription,
  type SubscriptionChange,
} from './stripe.schema.ts';
import type { StripeAccounts } from './stripe-accounts.ts';
import type { StripeCustomer, StripeCustomerView } from './stripe-customer.schema.ts';
import type { StripeKinds } from './stripe-kinds.ts';
import { stripeKey } from './stripe-payments.service.ts';
import type { StripeSync } from './stripe-sync.ts';

export interface CustomerQuery extends PageRequest {
  readonly email?: string | undefined;
}

/**
 * Customers, checkout and subscriptions at Stripe. Whatever is changed is then read back by the same path as a
 * webhook's, so that records are the same in whichever way a change came. Errors as for Gateway; `precondition-failed`
 * where the tenant has no account.
 */
export interface StripeBilling {
  createCustomer(actor: Actor, customer: NewCustomer): Promise<StripeCustomerView>;
  /** Fails with `not-found`, as do all that take an id. */
  getCustomer(actor: Actor, id: string): Promise<StripeCustomerView>;
  /** The last changed first. */
  listCustomers(actor: Actor, query: CustomerQuery): Promise<Page<StripeCustomerView>>;
  updateCustomer(actor: Actor, id: string, change: Pick<NewCustomer, 'email' | 'name'>): Promise<StripeCustomerView>;
  /** With all subscriptions, at once. */
  deleteCustomer(actor: Actor, id: string): Promise<StripeCustomerView>;
  createCheckout(actor: Actor, checkout: NewCheckout): Promise<CheckoutView>;
  /** Where it is complete, the records that it made are there too: what the payer returns to can rely on them. */
  getCheckout(actor: Actor, id: string): Promise<CheckoutView>;
  createPortal(actor: Actor, customer: string, returnUrl: string | undefined): Promise<{ readonly url: string }>;
  createSubscription(actor: Actor, subscription: NewSubscription): Promise<SubscriptionView>;
  updateSubscription(actor: Actor, id: string, change: SubscriptionChange): Promise<SubscriptionView>;
  /** At once. What is paid is not given back. */
  cancelSubscription(actor: Actor, id: string): Promise<SubscriptionView>;
}

export interface StripeBillingOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly client: StripeClient;
  readonly accounts: StripeAccounts;
  readonly kinds: StripeKinds;
  readonly sync: StripeSync;
  readonly newId: NewId;
}

const withoutTimes = <R extends { readonly fetchedAt: string }>({
  id,
  value: { fetchedAt: _, ...value },
}: Stored<R>) => ({
  id,
  ...value,
});

const idOf = (value: string | { readonly id: string } | null): string | null =>
  typeof value === 'string' ? value : (value?.id ?? null);

const checkoutOf = (session: Stripe.Checkout.Session): CheckoutView => ({
  id: session.id,
  url: session.url,
  mode: session.mode,
  status: checkoutStatus.safeParse(session.status).data ?? null,
  paid: session.payment_status !== 'unpaid',
  customer: idOf(session.customer),
  subscription: idOf(session.subscription),
  payment: idOf(session.payment_intent),
  reference: session.client_reference_id,
  expiresAt: isoTime(session.expires_at * 1_000),
});

const prorations = { prorate: 'create_prorations', 'invoice-now': 'always_invoice', none: 'none' } as const;
const missing = (what: string): OmniError => new OmniError('not-found', `There is no such ${what}.`);

const changeParams = ({
  items,
  cancelAtPeriodEnd,
  proration,
}: SubscriptionChange): Stripe.SubscriptionUpdateParams => ({
  ...(cancelAtPeriodEnd === undefined ? {} : { cancel_at_period_end: cancelAtPeriodEnd }),
  ...(items === undefined || items.length === 0
    ? {}
    : {
        proration_behavior: prorations[proration],
        items: items.map(({ id, price, quantity }) => ({
          id,
          ...(price === undefined ? {} : { price }),
          ...(quantity === undefined ? {} : { quantity }),
        })),
      }),
});

const customerParams = ({ email, name }: Pick<NewCustomer, 'email' | 'name'>) => ({
  ...(email === undefined ? {} : { email }),
  ...(name === undefined ? {} : { name }),
});

export const createStripeBilling = (options: StripeBillingOptions): StripeBilling => {
  const { database, client, accounts, kinds, sync, newId } = options;

  const refresh = (actor: Actor, account: string, kind: StripeKindName, id: string) =>
    sync.refresh(kind, { tenant: actor.tenant, account, id }, database.transaction);

  const customerRecord = async ({ tenant }: Actor, id: string): Promise<StripeCustomerView> => {
    const stored = await kinds.customer.records.of(tenant).get(id);
    if (stored === undefined) throw missing('customer');
    return withoutTimes<StripeCustomer>(stored);
  };
  const subscriptionRecord = async ({ tenant }: Actor, id: string): Promise<SubscriptionView> => {
    const stored = await kinds.subscription.records.of(tenant).get(id);
    if (stored === undefined) throw missing('subscription');
    return withoutTimes(stored);
  };

  /** A change in the tenant's account, and our record after it. */
  const changed = async <R>(
    actor: Actor,
    kind: StripeKindName,
    what: string,
    work: (stripe: Stripe, call: StripeCallOptions) => Promise<{ readonly id: string }>,
    read: (actor: Actor, id: string) => Promise<R>,
  ): Promise<R> => {
    const account = await accounts.of(actor.tenant);
    const { id } = await client.call(account, stripeKey(actor, newId, what), work);
    await refresh(actor, account, kind, id);
    return read(actor, id);
  };

  return {
    createCustomer: (actor, { paymentMethod, ...customer }) => {
      const method =
        paymentMethod === undefined
          ? {}
          : { payment_method: paymentMethod, invoice_settings: { default_payment_method: paymentMethod } };
      const params = { ...customerParams(customer), ...method, metadata: { [tenantKey]: actor.tenant } };
      return changed(
        actor,
        'customer',
        'customer',
        (stripe, call) => stripe.customers.create(params, call),
        customerRecord,
      );
    },
    getCustomer: customerRecord,
    listCustomers: async ({ tenant }, { email, limit, cursor }) => {
      const where: Filter[] = email === undefined ? [] : [{ field: 'email', op: '==', value: email }];
      const orderBy = { field: 'updatedAt', order: 'desc' } as const;
      const page = await kinds.customer.records.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map((one) => withoutTimes<StripeCustomer>(one)) };
    },
    updateCustomer: async (actor, id, change) => {
      await customerRecord(actor, id);
      const params = customerParams(change);
      const work = (stripe: Stripe, call: StripeCallOptions) => stripe.customers.update(id, params, call);
      return changed(actor, 'customer', 'customer-change', work, customerRecord);
    },
    deleteCustomer: async (actor, id) => {
      const { deleted } = await customerRecord(actor, id);
      const work = async (stripe: Stripe, call: StripeCallOptions) =>
        deleted ? { id } : stripe.customers.del(id, {}, call);
      return changed(actor, 'customer', 'customer-deletion', work, customerRecord);
    },
    createCheckout: async (actor, { mode, items, successUrl, cancelUrl, customer, reference }) => {
      const account = await accounts.of(actor.tenant);
      const params: Stripe.Checkout.SessionCreateParams = {
        mode,
        line_items: items,
        success_url: successUrl,
        metadata: { [tenantKey]: actor.tenant },
        ...(cancelUrl === undefined ? {} : { cancel_url: cancelUrl }),
        ...(customer === undefined ? {} : { customer }),
        ...(reference === undefined ? {} : { client_reference_id: reference }),
      };
      const key = stripeKey(actor, newId, 'checkout');
      return checkoutOf(
        await client.call(account, key, (stripe, call) => stripe.checkout.sessions.create(params, call)),
      );
    },
    getCheckout: async (actor, id) => {
      const account = await accounts.find(actor.tenant);
      if (account === undefined) throw missing('checkout session');
      const session = await client.call(account, undefined, (stripe, call) =>
        stripe.checkout.sessions.retrieve(id, {}, call),
      );
      const view = checkoutOf(session);
      if (view.customer !== null) await refresh(actor, account, 'customer', view.customer);
      if (view.subscription !== null) await refresh(actor, account, 'subscription', view.subscription);
      if (view.payment !== null) await refresh(actor, account, 'payment', view.payment);
      return view;
    },
    createPortal: async (actor, customer, returnUrl) => {
      await customerRecord(actor, customer);
      const account = await accounts.of(actor.tenant);
      const params = { customer, ...(returnUrl === undefined ? {} : { return_url: returnUrl }) };
      const key = stripeKey(actor, newId, 'portal');
      const { url } = await client.call(account, key, (stripe, call) =>
        stripe.billingPortal.sessions.create(params, call),
      );
      return { url };
    },
    createSubscription: async (actor, { customer, items, trialDays, paymentMethod }) => {
      await customerRecord(actor, customer);
      const params: Stripe.SubscriptionCreateParams = {
        customer,
        items,
        payment_behavior: 'allow_incomplete',
        metadata: { [tenantKey]: actor.tenant },
        ...(trialDays === undefined ? {} : { trial_period_days: trialDays }),
        ...(paymentMethod === undefined ? {} : { default_payment_method: paymentMethod }),
      };
      const work = (stripe: Stripe, call: StripeCallOptions) => stripe.subscriptions.create(params, call);
      return changed(actor, 'subscription', 'subscription', work, subscriptionRecord);
    },
    updateSubscription: async (actor, id, change) => {
      await subscriptionRecord(actor, id);
      const params = changeParams(change);
      const work = (stripe: Stripe, call: StripeCallOptions) => stripe.subscriptions.update(id, params, call);
      return changed(actor, 'subscription', 'subscription-change', work, subscriptionRecord);
    },
    cancelSubscription: async (actor, id) => {
      const { deleted } = await subscriptionRecord(actor, id);
      const work = async (stripe: Stripe, call: StripeCallOptions) =>
        deleted ? { id } : stripe.subscriptions.cancel(id, {}, call);
      return changed(actor, 'subscription', 'subscription-cancellation', work, subscriptionRecord);
    },
  };
};
