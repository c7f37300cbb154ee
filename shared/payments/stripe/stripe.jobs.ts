import * as z from 'zod';
import { defineEvent, type EventType, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Store, TenantStore } from '../../store/store.ts';
import {
  type Account,
  type StripeEventData,
  stripeCustomerReceived,
  stripeInvoiceReceived,
  stripeOtherReceived,
  stripeSubscriptionReceived,
} from '../../webhooks/index.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import { stripeCustomerKnown, stripeReconciliationDue, stripeRefreshRequested } from './stripe.events.ts';
import type { StripeAccounts } from './stripe-accounts.ts';
import { stripeObjectOf } from './stripe-objects.ts';
import type { StripeParked } from './stripe-parked.schema.ts';
import type { StripeReconciler } from './stripe-reconciler.ts';
import type { StripeSync } from './stripe-sync.ts';

export interface StripeJobServices {
  readonly stripeClient: Pick<StripeClient, 'livemode'>;
  readonly stripeAccounts: StripeAccounts;
  readonly providerAccounts: Store<Account>;
  readonly stripeParked: TenantStore<StripeParked>;
  readonly stripeSync: StripeSync;
  readonly stripeReconciler: StripeReconciler;
  readonly makeEvent: MakeEvent;
}

/** More than the usual five: while Stripe is down or slow (429), an event waits with growing pauses. */
const maxAttempts = 12;

/** An event says only which object is to be looked at again. */
const syncOf = (name: string, on: EventType<StripeEventData>) =>
  defineJob({
    name,
    on: [on],
    maxAttempts,
    handle: async ({ tenant, time, data }, { commit }, services: StripeJobServices) => {
      const { account, livemode } = data;
      const about = stripeObjectOf(data.type, data.object);
      if (about === undefined || livemode !== services.stripeClient.livemode) return;
      // A test's event in live mode, or one of an account that has changed hands: nothing of it counts.
      if ((await services.stripeAccounts.tenantOf(account)) !== tenant) return;
      await services.stripeSync.refresh(about.kind, { tenant, account, id: about.id }, commit, Date.parse(time));
    },
  });

export const syncStripeSubscription = syncOf('payments.sync-subscription', stripeSubscriptionReceived);
export const syncStripeCustomer = syncOf('payments.sync-customer', stripeCustomerReceived);
export const syncStripeInvoice = syncOf('payments.sync-invoice', stripeInvoiceReceived);
/** Money, and what belongs to invoices. Payments of the payments domain it takes itself. */
export const syncStripeMoney = syncOf('payments.sync-stripe-money', stripeOtherReceived);

/** What was parked, and what the reconciliation found. */
export const refreshStripeObject = defineJob({
  name: 'payments.refresh-stripe-object',
  on: [stripeRefreshRequested],
  maxAttempts,
  handle: async ({ tenant, time, data }, { commit }, { stripeSync, stripeAccounts }: StripeJobServices) => {
    const { kind, id, account } = data;
    if ((await stripeAccounts.tenantOf(account)) !== tenant) return;
    await stripeSync.refresh(kind, { tenant, account, id }, commit, Date.parse(time));
  },
});

const releasePage = 100;

/** A customer has a record: whatever waited for it is looked at again. */
export const releaseStripeParked = defineJob({
  name: 'payments.release-stripe-parked',
  on: [stripeCustomerKnown],
  handle: async (
    { tenant, subject, data: { account } },
    { commit },
    { stripeParked, makeEvent }: StripeJobServices,
  ) => {
    const parked = stripeParked.of(tenant);
    const where = [{ field: 'customer', op: '==', value: subject }] as const;
    const { items } = await parked.query({ where, limit: releasePage });
    await commit((transaction) => {
      for (const { id, value } of items) {
        const data = { kind: value.kind, id: value.object, account: value.account };
        transaction.delete(parked, id);
        transaction.emit(makeEvent(stripeRefreshRequested, { tenant, subject: value.object, data }));
      }
      if (items.length < releasePage) return;
      transaction.emit(makeEvent(stripeCustomerKnown, { tenant, subject, data: { account } }));
    });
  },
});

export const stripeReconciliation = defineSchedule({ name: 'stripe-reconciliation', cron: '17 * * * *' });

const accountsPage = 200;
const prefix = 'stripe:';

const fanOut = defineEvent(
  'payments.stripe-reconciliation.fan-out',
  z.object({ hour: z.string(), cursor: z.string().optional() }),
);

/** Ids are derived from the hour, so that a second tick in it adds nothing. */
export const startStripeReconciliation = defineJob({
  name: 'payments.start-stripe-reconciliation',
  on: [stripeReconciliation.event],
  handle: async ({ time }, { commit }, { makeEvent }: StripeJobServices) => {
    const hour = time.slice(0, 13);
    const id = `stripe-reconciliation:${hour}`;
    await commit((transaction) => {
      transaction.emit(makeEvent(fanOut, { id, tenant: platformTenant, subject: 'stripe', data: { hour } }));
    });
  },
});

/** A page of accounts a run; the next page is an event of its own, so that any number of them is reached. */
export const fanOutStripeReconciliation = defineJob({
  name: 'payments.fan-out-stripe-reconciliation',
  on: [fanOut],
  handle: async ({ data: { hour, cursor } }, { commit }, { providerAccounts, makeEvent }: StripeJobServices) => {
    const { items, nextCursor } = await providerAccounts.query({ limit: accountsPage, cursor });
    await commit((transaction) => {
      for (const { id, value } of items.filter((one) => one.id.startsWith(prefix))) {
        const account = id.slice(prefix.length);
        const event = { tenant: value.tenant, subject: account, data: { account } };
        const eventId = derivedId('evt', 'stripe-reconciliation', account, hour);
        transaction.emit(makeEvent(stripeReconciliationDue, { ...event, id: eventId }));
      }
      if (nextCursor === null) return;
      const id = `stripe-reconciliation:${hour}~${items.at(-1)?.id ?? ''}`;
      const data = { hour, cursor: nextCursor };
      transaction.emit(makeEvent(fanOut, { id, tenant: platformTenant, subject: 'stripe', data }));
    });
  },
});

export const reconcileStripe = defineJob({
  name: 'payments.reconcile-stripe',
  on: [stripeReconciliationDue],
  timeout: 300,
  maxAttempts,
  handle: async (
    { tenant, data: { account } },
    { signal },
    { stripeReconciler, stripeAccounts }: StripeJobServices,
  ) => {
    if ((await stripeAccounts.tenantOf(account)) !== tenant) return;
    await stripeReconciler.reconcile({ tenant, account }, signal);
  },
});

export const stripeJobs = [
  syncStripeSubscription,
  syncStripeCustomer,
  syncStripeInvoice,
  syncStripeMoney,
  refreshStripeObject,
  releaseStripeParked,
  startStripeReconciliation,
  fanOutStripeReconciliation,
  reconcileStripe,
];
