import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob, type JobContext } from '../../events/define-job.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { money, toDecimal } from '../../kernel/money.ts';
import { emailRequested } from '../../messaging/index.ts';
import type { Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { type Biller, invoiceData, mrrIn } from './biller.ts';
import { billingDue, invoiceClosed, invoiceFinalised, invoicePaid, subscriptionChanged } from './billing.events.ts';
import type { Charges } from './charges.ts';
import { type Attempted, afterCharge, afterReminder, chargeOf, subscriptionAfter } from './collection.ts';
import type { Customer } from './customer.schema.ts';
import type { Invoice } from './invoice.schema.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import type { Subscription } from './subscription.schema.ts';

export interface CollectionServices {
  readonly invoices: TenantStore<Invoice>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly customers: TenantStore<Customer>;
  readonly biller: Pick<Biller, 'ground'>;
  readonly billingSettings: Pick<BillingSettingsService, 'contextOf'>;
  /** Without it nothing is charged, and invoices are only reminded of. */
  readonly charges: Charges | undefined;
  readonly makeEvent: MakeEvent;
}

/** More invoices of a tenant are due to be collected than one run does. */
export const collectionDue = defineEvent('billing.collection.due', z.object({ run: z.string(), page: z.int().min(1) }));

/** Each is a charge, and at most seven writes: itself, its subscription, events and a mail. */
const collectionPage = 50;
const maxPages = 2_000;

interface Done extends Attempted {
  readonly before: Stored<Invoice>;
}

const attempt = async (
  tenant: string,
  before: Stored<Invoice>,
  { charges }: Pick<CollectionServices, 'charges'>,
  context: BillingContext,
): Promise<Done> => {
  if (before.value.collection === 'manual' || charges === undefined) {
    return { before, ...afterReminder(before.value, context) };
  }
  try {
    const result = await charges.charge(chargeOf(tenant, before));
    return { before, ...afterCharge(before.value, result, context) };
  } catch (error) {
    if (!isOmniError(error)) throw error;
    // Whatever is wrong with one invoice is not to keep the others of its tenant from being collected.
    const result =
      error.code === 'invalid-request'
        ? ({ status: 'failed', payment: '', decline: error.code } as const)
        : // It may have been charged. The same reference tells, the next time.
          ({ status: 'pending', payment: '' } as const);
    return { before, ...afterCharge(before.value, result, context) };
  }
};

const byId = async <T extends object>(store: Store<T>, ids: readonly string[]) => {
  const found = await store.getMany([...new Set(ids)]);
  return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.id, one] as const])));
};

/** What a customer is told about an attempt: at most one mail for each. */
const mailOf = (done: Done, { value: who }: Stored<Customer>, { settings }: BillingContext) => {
  const { invoice, outcome, before } = done;
  if (who.email === null || invoice.number === null) return undefined;
  const data = {
    name: who.name,
    seller: invoice.seller?.name ?? '',
    number: invoice.number,
    amount: `${toDecimal(money(before.value.due, invoice.currency))} ${invoice.currency}`,
  };
  const common = { to: who.email, locale: who.locale, dedupeKey: `${before.id}:${before.value.attempts + 1}` };
  if (outcome === 'paid') return { template: 'payment-received' as const, data, ...common };
  if (!settings.dunning.remind || outcome === 'pending') return undefined;
  return { template: 'payment-overdue' as const, data, ...common };
};

/** Does one attempt for each, and commits what became of all of them together. */
export const collect = async (
  tenant: string,
  due: readonly Stored<Invoice>[],
  services: CollectionServices,
  commit: JobContext['commit'],
  more: (transaction: Transaction) => void = () => {},
): Promise<void> => {
  const { invoices, subscriptions, customers, biller, billingSettings, makeEvent } = services;
  const context = await billingSettings.contextOf(tenant);
  const done: Done[] = [];
  for (const one of due) done.push(await attempt(tenant, one, services, context));
  const owners = done.flatMap(({ invoice }) => invoice.subscription ?? []);
  const [subscribed, people] = await Promise.all([
    byId(subscriptions.of(tenant), owners),
    byId(
      customers.of(tenant),
      done.map(({ invoice }) => invoice.customer),
    ),
  ]);
  const changed = new Map<string, Subscription>();
  for (const { invoice, outcome } of done) {
    const stored = invoice.subscription === null ? undefined : subscribed.get(invoice.subscription);
    if (stored === undefined) continue;
    const next = subscriptionAfter(changed.get(stored.id) ?? stored.value, outcome, context);
    if (next !== stored.value) changed.set(stored.id, next);
  }
  const ground = await biller.ground(
    tenant,
    [...changed.keys()].flatMap((id) => subscribed.get(id)?.value ?? []),
    { context },
  );
  await commit((transaction) => {
    for (const one of done) {
      const { before, invoice, outcome } = one;
      transaction.update(invoices.of(tenant), before.id, invoice, { revision: before.revision });
      const data = invoiceData(before.id, invoice);
      if (outcome === 'paid') transaction.emit(makeEvent(invoicePaid, { tenant, subject: before.id, data }));
      if (invoice.status === 'uncollectible') {
        const closed = { ...data, status: invoice.status };
        transaction.emit(makeEvent(invoiceClosed, { tenant, subject: before.id, data: closed }));
      }
      const customer = people.get(invoice.customer);
      const mail = customer === undefined ? undefined : mailOf(one, customer, context);
      if (mail !== undefined) transaction.emit(makeEvent(emailRequested, { tenant, subject: before.id, data: mail }));
    }
    for (const [id, next] of changed) {
      const stored = subscribed.get(id);
      if (stored === undefined) continue;
      transaction.update(subscriptions.of(tenant), id, next, { revision: stored.revision });
      const data = {
        subscriptionId: id,
        customerId: next.customer,
        status: next.status,
        before: stored.value.status,
        currency: next.currency,
        mrrBefore: mrrIn(stored.value, ground),
        mrrAfter: mrrIn(next, ground),
        at: isoTime(context.now),
      };
      transaction.emit(makeEvent(subscriptionChanged, { tenant, subject: id, data }));
    }
    more(transaction);
  });
};

/** Charges an invoice as soon as it is final. Nothing where there is nothing to charge it with: it is sent then. */
export const chargeInvoice = defineJob({
  name: 'billing.charge-invoice',
  on: [invoiceFinalised],
  timeout: 120,
  maxAttempts: 10,
  handle: async ({ tenant, data }, { commit }, services: CollectionServices) => {
    if (data.collection !== 'automatic' || data.due === 0 || services.charges === undefined) return;
    const stored = await services.invoices.of(tenant).get(data.invoiceId);
    // The hourly run may have been faster.
    if (stored?.value.status !== 'open' || stored.value.attempts > 0) return;
    await collect(tenant, [stored], services, commit);
  },
});

/** Tries again what was not paid, and reminds of it, a page a run. */
export const collectDue = defineJob({
  name: 'billing.collect-due',
  on: [billingDue, collectionDue],
  timeout: 540,
  maxAttempts: 10,
  handle: async ({ type, tenant, data: { run, page } }, { commit }, services: CollectionServices) => {
    // Pages of the billing run are none of this one.
    if (type === billingDue.type && page > 0) return;
    const { now } = await services.billingSettings.contextOf(tenant);
    const { items } = await services.invoices.of(tenant).query({
      where: [
        { field: 'status', op: '==', value: 'open' },
        { field: 'nextActionAt', op: '<=', value: isoTime(now) },
      ],
      orderBy: { field: 'nextActionAt', order: 'asc' },
      limit: collectionPage,
    });
    if (items.length === 0) return;
    await collect(tenant, items, services, commit, (transaction) => {
      if (items.length < collectionPage || page + 1 >= maxPages) return;
      const id = `collection:${run}:${tenant}~${page + 1}`;
      const data = { run, page: page + 1 };
      transaction.emit(services.makeEvent(collectionDue, { id, tenant, subject: tenant, data }));
    });
  },
});
