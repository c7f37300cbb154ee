import type { MakeEvent } from '../../events/define-event.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import { invoiceFinalised, invoicePaid, subscriptionChanged } from './billing.events.ts';
import type { CatalogueService } from './catalogue.service.ts';
import type { Coupon } from './coupon.schema.ts';
import type { CouponService } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import { type AppliedDiscount, draftInvoice, finalised, numberOf } from './invoice.draft.ts';
import type { Invoice, Sequence } from './invoice.schema.ts';
import { mrrOf } from './mrr.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import { type AdvanceInput, advance, type Step } from './subscription.advance.ts';
import { type Quantities, usageQuestions, usageSpan } from './subscription.lines.ts';
import type { Subscription } from './subscription.schema.ts';
import type { TaxService } from './tax.service.ts';
import { type UsageReader, usageKey } from './usage.ts';
import { expiryEvents } from './wallet.events.ts';
import { emptyWallet, type Wallet } from './wallet.ts';

/** Everything that billing some subscriptions of one tenant needs, read in a few round trips however many they are. */
export interface Ground extends AdvanceInput {
  readonly tenant: string;
  readonly customers: ReadonlyMap<string, Stored<Customer>>;
  readonly wallets: ReadonlyMap<string, Stored<Wallet>>;
  readonly coupons: ReadonlyMap<string, Coupon>;
  readonly sequence: Stored<Sequence> | undefined;
}

/** A subscription with what was decided of it. `before` is undefined for one that is new. */
export interface Planned {
  readonly id: string;
  readonly before: Stored<Subscription> | undefined;
  readonly step: Step;
}

/** What is to be written. Made outside of the transaction; it holds only if nothing was changed meanwhile. */
export interface Plan {
  readonly invoices: ReadonlyMap<string, Invoice>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  write(transaction: Transaction): void;
}

export interface Biller {
  ground(
    tenant: string,
    subscriptions: readonly Subscription[],
    more?: {
      readonly prices?: readonly string[];
      readonly coupons?: readonly string[];
      readonly context?: BillingContext;
    },
  ): Promise<Ground>;
  /** Does what is due with each. One that can't be billed is put off by an hour, and says why. */
  advanceAll(ground: Ground, subscriptions: readonly Stored<Subscription>[]): Promise<Plan>;
  /** Makes and finalises the invoices of some steps, with numbers one after the other. */
  plan(ground: Ground, steps: readonly Planned[]): Promise<Plan>;
  /** An invoice that is only looked at: neither stored nor numbered. */
  preview(ground: Ground, step: Step): Promise<Invoice>;
}

export interface BillerOptions {
  readonly subscriptions: TenantStore<Subscription>;
  readonly invoices: TenantStore<Invoice>;
  readonly customers: TenantStore<Customer>;
  readonly wallets: TenantStore<Wallet>;
  readonly sequences: TenantStore<Sequence>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly catalogue: Pick<CatalogueService, 'offers'>;
  readonly coupons: Pick<CouponService, 'byIds'>;
  readonly tax: TaxService;
  readonly usage: UsageReader;
  readonly makeEvent: MakeEvent;
}

const hour = 3_600_000;

const byId = <T extends object>(found: readonly (Stored<T> | undefined)[]): ReadonlyMap<string, Stored<T>> =>
  new Map(found.flatMap((one) => (one === undefined ? [] : [[one.id, one] as const])));

const unique = (ids: readonly string[]): readonly string[] => [...new Set(ids)];

/** The invoice that a subscription makes next. The same however often it is tried. */
export const invoiceIdOf = (tenant: string, subscription: string, ordinal: number): string =>
  derivedId('inv', tenant, subscription, String(ordinal));

/** What holds on an invoice of the step: the discounts of the period that it begins or is in. */
const discountsIn = ({ discounts }: Pick<Subscription, 'discounts'>, coupons: Ground['coupons']): AppliedDiscount[] =>
  discounts.flatMap(({ coupon: id, code }) => {
    const coupon = coupons.get(id);
    return coupon === undefined ? [] : [{ id, code, coupon }];
  });

const lasting = ({ discounts }: Pick<Subscription, 'discounts'>, coupons: Ground['coupons']) =>
  discountsIn({ discounts: discounts.filter(({ periodsLeft }) => periodsLeft === null) }, coupons).map(
    ({ coupon }) => coupon,
  );

export const mrrIn = (subscription: Subscription, { offers, coupons }: Pick<Ground, 'offers' | 'coupons'>): number =>
  mrrOf(subscription, offers, lasting(subscription, coupons)).amount;

const pricesOf = ({ items, billedUsage, scheduled }: Subscription): readonly string[] => [
  ...items.map(({ price }) => price),
  ...billedUsage.map(({ price }) => price),
  ...(scheduled?.items ?? []).map(({ price }) => price),
];

const endedCredit = (makeEvent: MakeEvent, { tenant, wallets, context }: Ground, changed: readonly string[]) =>
  changed.flatMap((id) => expiryEvents(makeEvent, tenant, id, wallets.get(id)?.value ?? emptyWallet, context.now));

export const createBiller = (options: BillerOptions): Biller => {
  const { subscriptions, invoices, customers, wallets, sequences, makeEvent } = options;

  const readUsage = async (tenant: string, all: readonly Subscription[], now: number): Promise<Quantities> => {
    const questions = [
      ...new Map(
        all.flatMap((one) => usageQuestions(one, usageSpan(one, now))).map((one) => [usageKey(one), one]),
      ).values(),
    ];
    const found = questions.length === 0 ? [] : await options.usage.quantities(tenant, questions);
    return new Map(questions.map((question, i) => [usageKey(question), found[i] ?? 0]));
  };

  const ground: Biller['ground'] = async (tenant, all, more = {}) => {
    const ids = unique(all.map(({ customer }) => customer));
    const context = more.context ?? (await options.settings.contextOf(tenant));
    const [offers, coupons, people, purses, sequence, quantities] = await Promise.all([
      options.catalogue.offers(tenant, [...all.flatMap(pricesOf), ...(more.prices ?? [])]),
      options.coupons.byIds(tenant, [
        ...all.flatMap(({ discounts }) => discounts.map(({ coupon }) => coupon)),
        ...(more.coupons ?? []),
      ]),
      customers.of(tenant).getMany(ids),
      wallets.of(tenant).getMany(ids),
      sequences.of(tenant).get(context.settings.invoiceSeries),
      readUsage(tenant, all, context.now),
    ]);
    return { tenant, context, offers, coupons, customers: byId(people), wallets: byId(purses), sequence, quantities };
  };

  const draftOf = async (on: Ground, { next, lines }: Step): Promise<Invoice> => {
    const customer = on.customers.get(next.customer);
    if (customer === undefined) throw new Error('A subscription has no customer.');
    const decisions = await options.tax.decide(
      on.context,
      customer,
      lines.map(({ taxCategory }) => taxCategory),
    );
    const { currency, collection } = next;
    const discounts = discountsIn(next, on.coupons);
    return draftInvoice(
      { customer, subscription: null, currency, lines, discounts, decisions, collection },
      on.context,
    );
  };

  const plan: Biller['plan'] = async (on, steps) => {
    const { tenant, context } = on;
    const made = new Map<string, Invoice>();
    const written = new Map<string, Subscription>();
    const purses = new Map<string, Wallet>();
    let last = on.sequence?.value.last ?? 0;
    for (const { id, step } of steps) {
      const { customer, invoices: ordinal } = step.next;
      if (!step.lines.some(({ amount }) => amount !== 0)) {
        written.set(id, step.next);
        continue;
      }
      const draft = { ...(await draftOf(on, step)), subscription: id };
      const invoiceId = invoiceIdOf(tenant, id, ordinal);
      const wallet = purses.get(customer) ?? on.wallets.get(customer)?.value ?? emptyWallet;
      const number = numberOf(context.settings.invoiceSeries, last + 1);
      const credit = { id: derivedId('crd', tenant, invoiceId) };
      const result = finalised(draft, { number, credit, wallet }, context);
      last += 1;
      made.set(invoiceId, result.invoice);
      if (result.wallet !== wallet && !(wallet === emptyWallet && result.wallet.credits.length === 0)) {
        purses.set(customer, result.wallet);
      }
      written.set(id, { ...step.next, invoices: ordinal + 1 });
    }
    return {
      invoices: made,
      subscriptions: written,
      write: (transaction) => {
        for (const event of endedCredit(makeEvent, on, [...purses.keys()])) transaction.emit(event);
        for (const { id, before } of steps) writeSubscription(transaction, on, id, before, written.get(id));
        for (const [id, invoice] of made) {
          transaction.create(invoices.of(tenant), id, invoice);
          for (const event of invoiceEvents(makeEvent, tenant, id, invoice)) transaction.emit(event);
        }
        for (const [id, wallet] of purses) writeOver(transaction, wallets.of(tenant), id, wallet, on.wallets.get(id));
        if (made.size > 0) {
          writeOver(transaction, sequences.of(tenant), context.settings.invoiceSeries, { last }, on.sequence);
        }
      },
    };
  };

  const writeSubscription = (
    transaction: Transaction,
    on: Ground,
    id: string,
    before: Stored<Subscription> | undefined,
    next: Subscription | undefined,
  ): void => {
    if (next === undefined) return;
    writeOver(transaction, subscriptions.of(on.tenant), id, next, before);
    announce(transaction, on, id, before?.value, next);
  };

  const announce = (
    transaction: Transaction,
    on: Ground,
    id: string,
    before: Subscription | undefined,
    next: Subscription,
  ): void => {
    // What lasts of discounts never changes, so neither does what recurs while the items stay.
    if (before?.status === next.status && before.items === next.items) return;
    const mrrBefore = before === undefined ? 0 : mrrIn(before, on);
    const mrrAfter = mrrIn(next, on);
    if (before?.status === next.status && mrrBefore === mrrAfter) return;
    const data = {
      subscriptionId: id,
      customerId: next.customer,
      status: next.status,
      before: before?.status ?? null,
      currency: next.currency,
      mrrBefore,
      mrrAfter,
      at: isoTime(on.context.now),
    };
    transaction.emit(makeEvent(subscriptionChanged, { tenant: on.tenant, subject: id, data }));
  };

  const attempt = async (on: Ground, { id, value }: Stored<Subscription>): Promise<Step> => {
    try {
      const step = advance(value, on);
      // Tried here, so that what can't be billed is found before the others are committed with it.
      if (step.lines.length > 0) await draftOf(on, step);
      return { ...step, next: { ...step.next, problem: null } };
    } catch (error) {
      if (!isOmniError(error) || error.code === 'unavailable') throw error;
      const nextActionAt = isoTime(on.context.now + hour);
      return { next: { ...value, problem: `${id}: ${error.message}`.slice(0, 300), nextActionAt }, lines: [] };
    }
  };

  return {
    ground,
    plan,
    preview: draftOf,
    advanceAll: async (on, all) => {
      const steps: Planned[] = [];
      for (const before of all) steps.push({ id: before.id, before, step: await attempt(on, before) });
      return plan(on, steps);
    },
  };
};

/** Creates what was not there, and else replaces it if it is as it was read. */
export const writeOver = <T extends object>(
  transaction: Transaction,
  store: ReturnType<TenantStore<T>['of']>,
  id: string,
  value: T,
  read: Stored<T> | undefined,
): void => {
  if (read === undefined) transaction.create(store, id, value);
  else transaction.update(store, id, value, { revision: read.revision });
};

export const invoiceData = (invoiceId: string, invoice: Invoice) => {
  const { customer, subscription, number, currency, total, due, collection, kind } = invoice;
  return { invoiceId, customer, subscription, number, currency, total, due, collection, kind };
};

/** What is to be told of an invoice that is now final. */
export const invoiceEvents = (makeEvent: MakeEvent, tenant: string, id: string, invoice: Invoice) => {
  const data = invoiceData(id, invoice);
  const event = makeEvent(invoiceFinalised, { tenant, subject: id, data });
  if (invoice.status !== 'paid' || invoice.kind !== 'invoice') return [event];
  return [event, makeEvent(invoicePaid, { tenant, subject: id, data })];
};
