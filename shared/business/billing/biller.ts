import type { MakeEvent } from '../../events/define-event.ts';
import { isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';
import { type Ground, type GroundOptions, groundReader, type ReadGround } from './biller.ground.ts';
import { putOff } from './biller.put-off.ts';
import { advancer, customerOf, isCharged, type Plan, type Planned, type Taxed } from './biller.run.ts';
import { type Decisions, decideTax } from './biller.tax.ts';
import { invoiceFinalised, invoicePaid, subscriptionChanged } from './billing.events.ts';
import { draftInvoice, finalised, numberOf } from './invoice.draft.ts';
import type { Invoice } from './invoice.schema.ts';
import { mrrOf } from './mrr.ts';
import type { BillingContext } from './settings.service.ts';
import type { Step } from './subscription.advance.ts';
import { afterInvoice, discountsOn } from './subscription.discounts.ts';
import type { Subscription } from './subscription.schema.ts';
import type { TaxService } from './tax.service.ts';
import { expiryEvents } from './wallet.events.ts';
import { emptyWallet, type Wallet } from './wallet.ts';

export interface Biller {
  ground: ReadGround;
  /**
   * Does what is due with each. One that can't be billed is put off, and says why; whatever is wrong with it, the
   * others are billed. `isTaxDown` of the plan before spares those who need that service the wait.
   */
  advanceAll(
    ground: Ground,
    subscriptions: readonly Stored<Subscription>[],
    more?: { readonly isTaxDown?: boolean },
  ): Promise<Plan>;
  /** Puts one off with which nothing else can be planned. */
  putOff(tenant: string, subscription: Stored<Subscription>, error: unknown, context: BillingContext): Plan;
  /** Makes and finalises the invoices of some steps, with numbers one after the other. */
  plan(ground: Ground, steps: readonly Planned[]): Promise<Plan>;
  /** An invoice that is only looked at: neither stored nor numbered. */
  preview(ground: Ground, step: Step): Promise<Invoice>;
}

export interface BillerOptions extends GroundOptions {
  readonly subscriptions: TenantStore<Subscription>;
  readonly invoices: TenantStore<Invoice>;
  readonly tax: TaxService;
  readonly makeEvent: MakeEvent;
  readonly logger: Logger;
}

/** The invoice that a subscription makes next. The same however often it is tried. */
export const invoiceIdOf = (tenant: string, subscription: string, ordinal: number): string =>
  derivedId('inv', tenant, subscription, String(ordinal));

const lasting = ({ discounts }: Pick<Subscription, 'discounts'>, coupons: Ground['coupons']) =>
  discounts.flatMap(({ coupon, periodsLeft }) => (periodsLeft === null ? (coupons.get(coupon) ?? []) : []));

export const mrrIn = (subscription: Subscription, { offers, coupons }: Pick<Ground, 'offers' | 'coupons'>): number =>
  mrrOf(subscription, offers, lasting(subscription, coupons)).amount;

const endedCredit = (makeEvent: MakeEvent, { tenant, wallets, context }: Ground, changed: readonly string[]) =>
  changed.flatMap((id) => expiryEvents(makeEvent, tenant, id, wallets.get(id)?.value ?? emptyWallet, context.now));

/** What is to be told of a subscription after a step, if anything is. */
const changeOf = (
  makeEvent: MakeEvent,
  on: Ground,
  id: string,
  before: Subscription | undefined,
  next: Subscription,
) => {
  // What lasts of discounts never changes, so neither does what recurs while the items stay.
  if (before?.status === next.status && before.items === next.items) return undefined;
  const mrrBefore = before === undefined ? 0 : mrrIn(before, on);
  const mrrAfter = mrrIn(next, on);
  if (before?.status === next.status && mrrBefore === mrrAfter) return undefined;
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
  return makeEvent(subscriptionChanged, { tenant: on.tenant, subject: id, data });
};

export const createBiller = (options: BillerOptions): Biller => {
  const { subscriptions, invoices, wallets, sequences, makeEvent } = options;

  const draftOf = (on: Ground, { next, lines }: Step, decisions: Decisions): Invoice => {
    const { currency, collection } = next;
    const customer = customerOf(on, next);
    const discounts = discountsOn(next, on.coupons);
    return draftInvoice(
      { customer, subscription: null, currency, lines, discounts, decisions, collection },
      on.context,
    );
  };

  const decisionsFor = (on: Ground, { next, lines }: Step): Promise<Decisions> =>
    decideTax(options.tax, on.context, { customer: customerOf(on, next), lines });

  /**
   * Bills one after the other, with numbers without a gap. What is thrown of one is given to `failed`, which may throw.
   */
  const assembled = (on: Ground, steps: readonly Taxed[], failed: (one: Planned, error: unknown) => Subscription) => {
    const { tenant, context } = on;
    const made = new Map<string, Invoice>();
    const written = new Map<string, Subscription>();
    const purses = new Map<string, Wallet>();
    let last = on.sequence?.value.last ?? 0;
    const bill = ({ id, step }: Planned, decisions: Decisions): void => {
      const { customer, invoices: ordinal } = step.next;
      const draft = { ...draftOf(on, step, decisions), subscription: id };
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
      const next = afterInvoice(step.next, step.lines, discountsOn(step.next, on.coupons));
      written.set(id, { ...next, invoices: ordinal + 1 });
    };
    for (const { decisions, ...one } of steps) {
      try {
        if (decisions === undefined) written.set(one.id, one.step.next);
        else bill(one, decisions);
      } catch (error) {
        written.set(one.id, failed(one, error));
      }
    }
    return {
      invoices: made,
      subscriptions: written,
      write: (transaction: Transaction) => {
        for (const event of endedCredit(makeEvent, on, [...purses.keys()])) transaction.emit(event);
        for (const { id, before } of steps) {
          const next = written.get(id);
          if (next === undefined) continue;
          writeOver(transaction, subscriptions.of(tenant), id, next, before);
          const told = changeOf(makeEvent, on, id, before?.value, next);
          if (told !== undefined) transaction.emit(told);
        }
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

  const plan: Biller['plan'] = async (on, steps) => {
    const decided: Taxed[] = [];
    for (const one of steps) {
      decided.push({ ...one, decisions: isCharged(one.step) ? await decisionsFor(on, one.step) : undefined });
    }
    const made = assembled(on, decided, (_one, error) => {
      throw error;
    });
    return { ...made, failed: new Map(), isTaxDown: false };
  };

  const advanceAll = advancer({ ...options, assembled });

  return {
    ground: groundReader(options),
    plan,
    advanceAll: (on, all, { isTaxDown = false } = {}) => advanceAll(on, all, isTaxDown),
    preview: async (on, step) => draftOf(on, step, await decisionsFor(on, step)),
    putOff: (tenant, before, error, context) => {
      options.logger.error('A subscription could not be billed.', { tenant, id: before.id, error });
      const next = putOff(before, error, context.now);
      return {
        invoices: new Map(),
        subscriptions: new Map([[before.id, next]]),
        failed: new Map([[before.id, error]]),
        isTaxDown: false,
        write: (transaction) => writeOver(transaction, subscriptions.of(tenant), before.id, next, before),
      };
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
