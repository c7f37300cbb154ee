import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob, type JobContext } from '../../events/define-job.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { money, toDecimal } from '../../kernel/money.ts';
import { emailRequested } from '../../messaging/index.ts';
import { paymentCanceled, paymentFailed, paymentSucceeded, receiptAccepted } from '../../payments/index.ts';
import type { Database, Store, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { type Biller, invoiceData, mrrIn } from './biller.ts';
import { billingDue, invoiceClosed, invoiceFinalised, invoicePaid, subscriptionChanged } from './billing.events.ts';
import type { ChargeRequest, ChargeResult, Charges } from './charges.ts';
import {
  type Attempted,
  afterCharge,
  afterLate,
  afterReminder,
  chargeOf,
  invoiceOfCharge,
  isAbandoned,
  isFresh,
  type Session,
  subscriptionAfter,
  withCharge,
} from './collection.ts';
import type { Customer } from './customer.schema.ts';
import { isOwed } from './invoice.changes.ts';
import type { Invoice, InvoiceCharge } from './invoice.schema.ts';
import { paymentEvents } from './payment-received.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import type { Subscription } from './subscription.schema.ts';

export interface CollectionServices {
  readonly database: Pick<Database, 'transaction'>;
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

/** Each is a charge, and at most eight writes: itself, its subscription, events and a mail. */
const collectionPage = 50;
const maxPages = 2_000;

interface Done extends Attempted {
  readonly before: Stored<Invoice>;
  /** Where it was charged. */
  readonly result?: ChargeResult;
}

/** Notes the charges that are about to be asked for, in one commit, and gives the invoices as they are then. */
const begun = async (
  tenant: string,
  due: readonly Stored<Invoice>[],
  { database, invoices, charges }: CollectionServices,
  context: BillingContext,
  session: Session | undefined,
): Promise<readonly Stored<Invoice>[]> => {
  const isBegun = ({ value }: Stored<Invoice>): boolean =>
    value.charge === null && (session !== undefined || (value.collection === 'automatic' && value.status === 'open'));
  const fresh = charges === undefined ? [] : due.filter(isBegun);
  if (fresh.length === 0) return due;
  const store = invoices.of(tenant);
  await database.transaction((transaction) => {
    for (const one of fresh) {
      transaction.update(store, one.id, withCharge(one, session !== undefined, context), { revision: one.revision });
    }
  });
  return (await store.getMany(due.map(({ id }) => id))).flatMap((one) => one ?? []);
};

/** What a gateway tells; `pending` where that is not known. */
const toldBy = async (ask: () => Promise<ChargeResult>): Promise<ChargeResult> => {
  try {
    return await ask();
  } catch (error) {
    if (!isOmniError(error)) throw error;
    // Somebody else's payment has this reference: nothing was charged here, and the next attempt has another.
    if (error.code === 'idempotency-mismatch') return { status: 'failed', payment: null, decline: 'reference-taken' };
    if (error.code === 'invalid-request') return { status: 'failed', payment: null, decline: error.code };
    // It may have been charged: the same reference tells, the next time. Whatever is wrong with one invoice is not to keep
    // the others of its tenant from being collected.
    return { status: 'pending', payment: null };
  }
};

/** Asks for a charge, or what became of it. */
const resultOf = (charges: Charges, request: ChargeRequest, isOver: boolean): Promise<ChargeResult> =>
  toldBy(async () => {
    const canceled = isOver ? await charges.cancel(request.tenant, request.reference) : undefined;
    return canceled ?? (await charges.charge(request));
  });

/** Gives a charge up of which nothing is due any more, and tells what became of it. It is never asked for here. */
const endOf = (
  charges: Charges,
  tenant: string,
  charge: InvoiceCharge,
  context: BillingContext,
): Promise<ChargeResult> =>
  toldBy(async () => {
    const canceled = await charges.cancel(tenant, charge.reference);
    if (canceled !== undefined) return canceled;
    if (isFresh(charge, context)) return { status: 'pending', payment: null };
    return { status: 'failed', payment: null, decline: 'canceled' };
  });

const attempt = async (
  tenant: string,
  before: Stored<Invoice>,
  { charges }: Pick<CollectionServices, 'charges'>,
  context: BillingContext,
  how: { readonly customer: Stored<Customer> | undefined; readonly session: Session | undefined },
): Promise<Done> => {
  const { value } = before;
  const { charge } = value;
  if (charge === null || charges === undefined) return { before, ...afterReminder(value, context) };
  const request = chargeOf(tenant, value, charge, how.customer, how.session);
  const result = isOwed(value)
    ? await resultOf(charges, request, isAbandoned(charge, context))
    : await endOf(charges, tenant, charge, context);
  return { before, result, ...afterCharge(value, charge, result, context) };
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
  // Whose own card was declined just now knows it.
  if (!settings.dunning.remind || outcome === 'pending' || outcome === 'declined') return undefined;
  return { template: 'payment-overdue' as const, data, ...common };
};

/** What is to be told of one invoice after its attempt. */
const toldOf = (
  makeEvent: MakeEvent,
  tenant: string,
  done: Done,
  customer: Stored<Customer> | undefined,
  context: BillingContext,
): readonly DomainEvent[] => {
  const { before, invoice, outcome } = done;
  const data = invoiceData(before.id, invoice);
  const common = { tenant, subject: before.id };
  const mail = customer === undefined ? undefined : mailOf(done, customer, context);
  const { status } = invoice;
  const isClosed = status === 'uncollectible' && before.value.status !== status;
  return [
    ...paymentEvents(makeEvent, tenant, before.id, before.value, invoice),
    ...(outcome === 'paid' ? [makeEvent(invoicePaid, { ...common, data })] : []),
    ...(isClosed ? [makeEvent(invoiceClosed, { ...common, data: { ...data, status } })] : []),
    ...(mail === undefined ? [] : [makeEvent(emailRequested, { ...common, data: mail })]),
  ];
};

export interface CollectOptions {
  /** Where the customer is there, and pays themselves. */
  readonly session?: Session | undefined;
  /** What else is to be in the commit. */
  readonly more?: (transaction: Transaction) => unknown;
}

const groundOf = async (
  tenant: string,
  due: readonly Stored<Invoice>[],
  { customers, billingSettings }: CollectionServices,
): Promise<Pick<Conclusion, 'context' | 'people'>> => {
  const who = due.map(({ value }) => value.customer);
  const [context, people] = await Promise.all([billingSettings.contextOf(tenant), byId(customers.of(tenant), who)]);
  return { context, people };
};

interface Conclusion {
  readonly context: BillingContext;
  readonly people: ReadonlyMap<string, Stored<Customer>>;
  readonly commit: JobContext['commit'];
  readonly more?: ((transaction: Transaction) => unknown) | undefined;
}

/** Commits what became of invoices, with what that means for their subscriptions and what is told of it. */
const conclude = async (
  tenant: string,
  done: readonly Done[],
  services: CollectionServices,
  { context, people, commit, more }: Conclusion,
): Promise<void> => {
  const { invoices, subscriptions, biller, makeEvent } = services;
  const owners = done.flatMap(({ invoice }) => invoice.subscription ?? []);
  const subscribed = await byId(subscriptions.of(tenant), owners);
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
  await commit(async (transaction) => {
    for (const one of done) {
      const { before, invoice } = one;
      transaction.update(invoices.of(tenant), before.id, invoice, { revision: before.revision });
      const told = toldOf(makeEvent, tenant, one, people.get(invoice.customer), context);
      for (const event of told) transaction.emit(event);
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
    await more?.(transaction);
  });
};

/**
 * Does one attempt for each, and commits what became of all of them together. Before anything is charged, a commit of
 * its own notes what is about to be: one write more for each.
 */
export const collect = async (
  tenant: string,
  due: readonly Stored<Invoice>[],
  services: CollectionServices,
  commit: JobContext['commit'],
  { session, more }: CollectOptions = {},
): Promise<readonly Done[]> => {
  const { context, people } = await groundOf(tenant, due, services);
  const done: Done[] = [];
  for (const one of await begun(tenant, due, services, context, session)) {
    done.push(await attempt(tenant, one, services, context, { customer: people.get(one.value.customer), session }));
  }
  await conclude(tenant, done, services, { context, people, commit, more });
  return done;
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
    // A test clock that is on its way charges it at its own time.
    if ((await services.billingSettings.contextOf(tenant)).isMoving === true) return;
    await collect(tenant, [stored], services, commit);
  },
});

/**
 * Takes in what a charge has taken that is not under way any more: it was given up, or took more since. Another one
 * that is under way is given up first, if it can be; what it takes all the same is over.
 */
const takeLate = async (
  tenant: string,
  before: Stored<Invoice>,
  reference: string,
  services: CollectionServices,
  commit: JobContext['commit'],
): Promise<void> => {
  const { charges } = services;
  const result = await charges?.find(tenant, reference);
  if (charges === undefined || result?.status !== 'succeeded') return;
  const { context, people } = await groundOf(tenant, [before], services);
  const late = afterLate(before.value, { reference, payment: result.payment, captured: result.captured }, context);
  if (late.invoice === before.value) return;
  const other = late.invoice.due === 0 ? late.invoice.charge : null;
  const { invoice } =
    other === null ? late : afterCharge(late.invoice, other, await endOf(charges, tenant, other, context), context);
  await conclude(tenant, [{ before, invoice, outcome: late.outcome }], services, { context, people, commit });
};

/** A payment was decided: the charge of an invoice is looked at again. What the event says is not taken for the truth. */
export const settleCharge = defineJob({
  name: 'billing.settle-charge',
  on: [paymentSucceeded, paymentFailed, paymentCanceled, receiptAccepted],
  timeout: 120,
  maxAttempts: 10,
  handle: async ({ tenant, data: { reference } }, { commit }, services: CollectionServices) => {
    const id = invoiceOfCharge(reference);
    const stored = id === undefined ? undefined : await services.invoices.of(tenant).get(id);
    if (stored === undefined || reference === null) return;
    if (stored.value.charge?.reference === reference) await collect(tenant, [stored], services, commit);
    else await takeLate(tenant, stored, reference, services, commit);
  },
});

/** Tries again what was not paid, reminds of it, and settles what is under way, a page a run. */
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
      where: [{ field: 'nextActionAt', op: '<=', value: isoTime(now) }],
      orderBy: { field: 'nextActionAt', order: 'asc' },
      limit: collectionPage,
    });
    if (items.length === 0) return;
    const more = (transaction: Transaction): void => {
      if (items.length < collectionPage || page + 1 >= maxPages) return;
      const id = `collection:${run}:${tenant}~${page + 1}`;
      const data = { run, page: page + 1 };
      transaction.emit(services.makeEvent(collectionDue, { id, tenant, subject: tenant, data }));
    };
    await collect(tenant, items, services, commit, { more });
  },
});
