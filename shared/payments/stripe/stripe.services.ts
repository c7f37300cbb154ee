import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Database } from '../../store/store.ts';
import { accountCollection } from '../../webhooks/index.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import type { Ledger } from '../ledger/ledger.service.ts';
import { paymentCollection } from '../payments/payment.schema.ts';
import { subscriptionCollection } from '../subscriptions/subscription.schema.ts';
import { createStripeAccounts } from './stripe-accounts.ts';
import { createStripeBalances } from './stripe-balance.service.ts';
import { createStripeBilling } from './stripe-billing.service.ts';
import { stripeCustomerCollection } from './stripe-customer.schema.ts';
import { stripeInvoiceCollection } from './stripe-invoice.schema.ts';
import { stripeKinds } from './stripe-kinds.ts';
import { stripeParkedCollection } from './stripe-parked.schema.ts';
import { stripePaymentCollection } from './stripe-payment.schema.ts';
import { createStripePayments } from './stripe-payments.service.ts';
import { stripePayoutCollection } from './stripe-payout.schema.ts';
import { createStripeReconciler, stripeReconciliationCollection } from './stripe-reconciler.ts';
import { createStripeRecords } from './stripe-records.service.ts';
import { createStripeSync } from './stripe-sync.ts';

export interface StripeServicesOptions {
  readonly database: Database;
  readonly client: StripeClient;
  readonly ledger: Pick<Ledger, 'open' | 'postIn' | 'balance'>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

export const stripeCollections = [
  subscriptionCollection,
  stripeCustomerCollection,
  stripeInvoiceCollection,
  stripePaymentCollection,
  stripePayoutCollection,
  stripeParkedCollection,
  stripeReconciliationCollection,
];

/** Everything of Stripe's that is about one deployment's key: what routes and jobs call. */
export const createStripeServices = (options: StripeServicesOptions) => {
  const { database, client, ledger, makeEvent, newId, clock } = options;
  const providerAccounts = database.platform(accountCollection);
  const accounts = createStripeAccounts(providerAccounts, clock);
  const parked = database.tenants(stripeParkedCollection);
  const states = database.tenants(stripeReconciliationCollection);
  const kinds = stripeKinds({
    customers: database.tenants(stripeCustomerCollection),
    subscriptions: database.tenants(subscriptionCollection),
    invoices: database.tenants(stripeInvoiceCollection),
    stripePayments: database.tenants(stripePaymentCollection),
    payouts: database.tenants(stripePayoutCollection),
    payments: database.tenants(paymentCollection),
    makeEvent,
    livemode: client.livemode,
  });
  const sync = createStripeSync({ client, kinds, parked, ledger, makeEvent, clock });
  return {
    providerAccounts,
    stripeClient: client,
    stripeAccounts: accounts,
    stripeParked: parked,
    stripeSync: sync,
    stripeSyncKinds: kinds,
    stripeReconciler: createStripeReconciler({ database, states, client, kinds, makeEvent, clock }),
    stripePayments: createStripePayments({ client, accounts, newId, clock }),
    stripeBalances: createStripeBalances({ client, accounts, ledger, clock }),
    stripeRecords: createStripeRecords(kinds),
    stripeBilling: createStripeBilling({ database, client, accounts, kinds, sync, newId }),
    makeEvent,
  };
};
