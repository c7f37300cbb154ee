import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, idsFor, systemActor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId, type NewId } from '../../kernel/ids.ts';
import { money, scale } from '../../kernel/money.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Filter, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { invoiceData, invoiceEvents, writeOver } from './biller.ts';
import { invoiceClosed, invoicePaid, invoicePaymentRefunded } from './billing.events.ts';
import { badField, notFound } from './billing.fields.ts';
import { againOnConflict } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import {
  afterCredit,
  type Credited,
  creditNoteOf,
  givenUp,
  paidBy,
  refundedBy,
  refundNoteOf,
  voided,
} from './invoice.changes.ts';
import { draftInvoice, finalised, numberOf } from './invoice.draft.ts';
import type { DraftLine, Invoice, InvoiceStatus, InvoiceView, NewInvoice, Sequence } from './invoice.schema.ts';
import { paymentEvents } from './payment-received.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import type { TaxService } from './tax.service.ts';
import { expiryEvents } from './wallet.events.ts';
import { emptyWallet, type Wallet, withCredit } from './wallet.ts';

export interface InvoiceFilter extends PageRequest {
  readonly customer?: string | undefined;
  readonly subscription?: string | undefined;
  readonly status?: InvoiceStatus | undefined;
}

export interface CreditNoteInput {
  readonly reason: string;
  /** All of the invoice where absent. */
  readonly lines?: readonly Credited[] | undefined;
  /** Where what was paid already goes: to the customer's wallet, or by other means that are none of our business. */
  readonly refund: 'wallet' | 'elsewhere';
}

/** Fails with `not-found`, `precondition-failed` for what its state does not allow, and `revision-conflict`. */
export interface InvoiceService {
  create(actor: Actor, input: NewInvoice): Promise<InvoiceView>;
  get(actor: Actor, id: string): Promise<InvoiceView>;
  /** Newest first. */
  list(actor: Actor, filter: InvoiceFilter): Promise<Page<InvoiceView>>;
  /** Gives it the next number of its series. From then on only its payment changes. */
  finalise(actor: Actor, id: string): Promise<InvoiceView>;
  /** Notes a payment that came by other means. All that is due where no amount is given. */
  pay(actor: Actor, id: string, amount?: number): Promise<InvoiceView>;
  void(actor: Actor, id: string): Promise<InvoiceView>;
  giveUp(actor: Actor, id: string): Promise<InvoiceView>;
  /** Final at once, in its own series. */
  credit(actor: Actor, id: string, input: CreditNoteInput): Promise<InvoiceView>;
  /**
   * For a job: takes in what a gateway has paid back of a charge, of which `refunded` is the sum, with a credit note for what
   * none tells of yet. One commit, or none where that is known.
   */
  noteRefund(tenant: string, stored: Stored<Invoice>, refund: NotedRefund, commit: Commit): Promise<void>;
}

export interface NotedRefund {
  /** Of the charge. */
  readonly reference: string;
  /** Minor units. */
  readonly refunded: number;
}

/** A job's own: with its inbox. */
type Commit = <R>(work: (transaction: Transaction) => Promise<R> | R) => Promise<R>;

export interface InvoiceServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly invoices: TenantStore<Invoice>;
  readonly customers: TenantStore<Customer>;
  readonly wallets: TenantStore<Wallet>;
  readonly sequences: TenantStore<Sequence>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly tax: TaxService;
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
}

const viewOf = (id: string, invoice: Invoice): InvoiceView => ({ id, ...invoice });

const manualLines = ({ lines, currency = 'EUR' }: NewInvoice): DraftLine[] =>
  lines.map(({ description, quantity, unitAmount, taxCategory, taxBehaviour }) => ({
    kind: 'manual',
    description,
    price: null,
    product: null,
    item: null,
    quantity,
    amount: scale(money(unitAmount, currency), quantity, 1).amount,
    discountable: false,
    taxBehaviour,
    taxCategory,
    period: null,
    parts: [],
  }));

/** What all that changes invoices has in common. */
const workshop = (options: InvoiceServiceOptions) => {
  const { database, invoices, settings, tax, audit, makeEvent } = options;

  const find = async (tenant: string, id: string): Promise<Stored<Invoice>> => {
    const stored = await invoices.of(tenant).get(id);
    if (stored === undefined) throw notFound('invoice');
    return stored;
  };

  const record = (transaction: Transaction, actor: Actor, action: string, id: string) =>
    audit.record(transaction, actor, {
      action: `billing.invoice.${action}`,
      target: { type: 'invoice', id },
      outcome: 'success',
    });

  /** Decides anew on what others changed meanwhile. Who takes the first number of a series may find it there. */
  const settled = <R>(attempt: () => Promise<R>): Promise<R> =>
    againOnConflict(async () => {
      try {
        return await attempt();
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        throw new OmniError('revision-conflict', 'Others are billing at the same time.', { cause: error });
      }
    });

  const draftOf = async (
    context: BillingContext,
    customer: Stored<Customer>,
    draft: Pick<Invoice, 'currency' | 'collection' | 'subscription'>,
    lines: readonly DraftLine[],
  ) => {
    const decisions = await tax.decide(
      context,
      customer,
      lines.map(({ taxCategory }) => taxCategory),
    );
    const { currency, collection, subscription } = draft;
    return draftInvoice({ customer, subscription, currency, lines, discounts: [], decisions, collection }, context);
  };

  const change = (
    actor: Actor,
    id: string,
    action: string,
    decide: (invoice: Invoice, context: BillingContext) => Invoice,
    more: (transaction: Transaction, before: Invoice, after: Invoice) => void,
  ): Promise<InvoiceView> =>
    settled(async () => {
      const [stored, context] = await Promise.all([find(actor.tenant, id), settings.contextOf(actor.tenant)]);
      const next = decide(stored.value, context);
      await database.transaction(async (transaction) => {
        transaction.update(invoices.of(actor.tenant), id, next, { revision: stored.revision });
        more(transaction, stored.value, next);
        await record(transaction, actor, action, id);
      });
      return viewOf(id, next);
    });

  const tell = (transaction: Transaction, tenant: string, id: string, before: Invoice, invoice: Invoice): void => {
    const data = invoiceData(id, invoice);
    const { status } = invoice;
    for (const event of paymentEvents(makeEvent, tenant, id, before, invoice)) transaction.emit(event);
    if (status === before.status) return;
    if (status === 'paid') transaction.emit(makeEvent(invoicePaid, { tenant, subject: id, data }));
    if ((status === 'void' || status === 'uncollectible') && invoice.number !== null) {
      transaction.emit(makeEvent(invoiceClosed, { tenant, subject: id, data: { ...data, status } }));
    }
  };

  const give = (amount: number, invoice: Invoice, id: string, { now }: BillingContext) => ({
    id,
    currency: invoice.currency,
    amount,
    remaining: amount,
    reason: `Credit of ${invoice.number ?? 'an invoice'}`,
    expiresAt: null,
    createdAt: isoTime(now),
  });

  return { ...options, find, record, settled, draftOf, change, tell, give };
};
type Workshop = ReturnType<typeof workshop>;

const finaliseIn = (shop: Workshop): InvoiceService['finalise'] => {
  const { database, invoices, customers, wallets, sequences, settings, makeEvent } = shop;
  const { find, record, settled, draftOf } = shop;
  return (actor, id) =>
    settled(async () => {
      const { tenant } = actor;
      const [stored, context] = await Promise.all([find(tenant, id), settings.contextOf(tenant)]);
      const { value } = stored;
      if (value.status !== 'draft') throw new OmniError('precondition-failed', `It is ${value.status} already.`);
      const { invoiceSeries, seller } = context.settings;
      if (seller === null) throw new OmniError('precondition-failed', 'Say in the settings who invoices are from.');
      const [customer, purse, sequence] = await Promise.all([
        customers.of(tenant).get(value.customer),
        wallets.of(tenant).get(value.customer),
        sequences.of(tenant).get(invoiceSeries),
      ]);
      if (customer === undefined) throw new OmniError('precondition-failed', 'Its customer is not there any more.');
      const last = (sequence?.value.last ?? 0) + 1;
      const draft = { ...(await draftOf(context, customer, value, value.lines)), createdAt: value.createdAt };
      const before = purse?.value ?? emptyWallet;
      const numbered = { number: numberOf(invoiceSeries, last), credit: { id: derivedId('crd', tenant, id) } };
      const { invoice, wallet } = finalised(draft, { ...numbered, wallet: before }, context);
      await database.transaction(async (transaction) => {
        transaction.update(invoices.of(tenant), id, invoice, { revision: stored.revision });
        writeOver(transaction, sequences.of(tenant), invoiceSeries, { last }, sequence);
        if (invoice.creditApplied > 0 || invoice.total < 0) {
          writeOver(transaction, wallets.of(tenant), value.customer, wallet, purse);
          for (const event of expiryEvents(makeEvent, tenant, value.customer, before, context.now)) {
            transaction.emit(event);
          }
        }
        for (const event of invoiceEvents(makeEvent, tenant, id, invoice)) transaction.emit(event);
        await record(transaction, actor, 'finalised', id);
      });
      return viewOf(id, invoice);
    });
};

const voidIn = (shop: Workshop): InvoiceService['void'] => {
  const { database, invoices, wallets, settings, makeEvent, find, record, settled, tell, give } = shop;
  return (actor, id) =>
    settled(async () => {
      const { tenant } = actor;
      const [stored, context] = await Promise.all([find(tenant, id), settings.contextOf(tenant)]);
      const { value } = stored;
      const next = voided(value, context);
      const purse = value.creditApplied > 0 ? await wallets.of(tenant).get(value.customer) : undefined;
      await database.transaction(async (transaction) => {
        transaction.update(invoices.of(tenant), id, next, { revision: stored.revision });
        if (value.creditApplied > 0) {
          const back = give(value.creditApplied, value, derivedId('crd', tenant, id, 'void'), context);
          const before = purse?.value ?? emptyWallet;
          writeOver(transaction, wallets.of(tenant), value.customer, withCredit(before, back, context.now), purse);
          for (const event of expiryEvents(makeEvent, tenant, value.customer, before, context.now)) {
            transaction.emit(event);
          }
        }
        tell(transaction, tenant, id, value, next);
        await record(transaction, actor, 'voided', id);
      });
      return viewOf(id, next);
    });
};

/** A credit note that is to be written, with what becomes of its invoice and of the customer's credit. */
const noteIn = (shop: Workshop) => {
  const { invoices, wallets, sequences, makeEvent, tell, give } = shop;
  return async (
    tenant: string,
    note: string,
    { id, revision, value }: Stored<Invoice>,
    { draft, refund, base = value }: { draft: Invoice; refund: CreditNoteInput['refund'] | 'done'; base?: Invoice },
    context: BillingContext,
  ) => {
    const { creditNoteSeries } = context.settings;
    const sequence = await sequences.of(tenant).get(creditNoteSeries);
    const last = (sequence?.value.last ?? 0) + 1;
    const number = numberOf(creditNoteSeries, last);
    const final = finalised(draft, { number, credit: { id: note }, wallet: emptyWallet }, context);
    const { invoice: credited, over, writtenOff } = afterCredit(base, draft.total, context);
    const isGiven = over > 0 && refund === 'wallet';
    const after = refund === 'elsewhere' ? { ...credited, toRefund: credited.toRefund + over } : credited;
    const invoice = { ...final.invoice, creditApplied: isGiven ? -over : 0, writtenOff };
    const purse = isGiven ? await wallets.of(tenant).get(invoice.customer) : undefined;
    const write = (transaction: Transaction): void => {
      transaction.create(invoices.of(tenant), note, invoice);
      transaction.update(invoices.of(tenant), id, after, { revision });
      writeOver(transaction, sequences.of(tenant), creditNoteSeries, { last }, sequence);
      if (isGiven) {
        const before = purse?.value ?? emptyWallet;
        const credit = give(over, invoice, derivedId('crd', tenant, note), context);
        writeOver(transaction, wallets.of(tenant), invoice.customer, withCredit(before, credit, context.now), purse);
        for (const event of expiryEvents(makeEvent, tenant, invoice.customer, before, context.now)) {
          transaction.emit(event);
        }
      }
      for (const event of invoiceEvents(makeEvent, tenant, note, invoice)) transaction.emit(event);
      tell(transaction, tenant, id, value, after);
    };
    return { invoice, write };
  };
};

const creditIn = (shop: Workshop): InvoiceService['credit'] => {
  const { database, invoices, settings, newId, find, record, settled } = shop;
  const noteFor = noteIn(shop);
  return (actor, id, input) => {
    const note = idsFor(actor, newId)('inv');
    return settled(async () => {
      const { tenant } = actor;
      const [earlier, stored, context] = await Promise.all([
        invoices.of(tenant).get(note),
        find(tenant, id),
        settings.contextOf(tenant),
      ]);
      if (earlier !== undefined) return viewOf(note, earlier.value);
      const draft = creditNoteOf(id, stored.value, input, context);
      const { invoice, write } = await noteFor(tenant, note, stored, { draft, refund: input.refund }, context);
      await database.transaction(async (transaction) => {
        write(transaction);
        await record(transaction, actor, 'credited', id);
      });
      return viewOf(note, invoice);
    });
  };
};

const noteRefundIn = (shop: Workshop): InvoiceService['noteRefund'] => {
  const { invoices, settings, makeEvent, record } = shop;
  const noteFor = noteIn(shop);
  return async (tenant, stored, { reference, refunded }, commit) => {
    const { id, value, revision } = stored;
    const found = refundedBy(value, reference, refunded);
    if (found === undefined) return;
    const { invoice: base, ordinal, change, amount, uncredited } = found;
    const context = await settings.contextOf(tenant);
    const credited =
      uncredited === 0
        ? undefined
        : await noteFor(
            tenant,
            derivedId('inv', tenant, id, 'refund', String(ordinal), String(change)),
            stored,
            { draft: refundNoteOf(id, value, uncredited, context), refund: 'done', base },
            context,
          );
    const { number, currency } = value;
    const data = { invoiceId: id, number, currency, ordinal, change, amount };
    await commit(async (transaction) => {
      if (credited === undefined) transaction.update(invoices.of(tenant), id, base, { revision });
      else credited.write(transaction);
      transaction.emit(makeEvent(invoicePaymentRefunded, { tenant, subject: id, data }));
      await record(transaction, systemActor(tenant, 'billing'), 'refunded', id);
    });
  };
};

export const createInvoiceService = (options: InvoiceServiceOptions): InvoiceService => {
  const shop = workshop(options);
  const { database, invoices, customers, settings, newId, find, record, draftOf, change, tell } = shop;

  return {
    finalise: finaliseIn(shop),
    void: voidIn(shop),
    credit: creditIn(shop),
    noteRefund: noteRefundIn(shop),
    create: async (actor, input) => {
      const { tenant } = actor;
      const id = idsFor(actor, newId)('inv');
      const [context, customer] = await Promise.all([
        settings.contextOf(tenant),
        customers.of(tenant).get(input.customer),
      ]);
      if (customer === undefined || customer.value.erasedAt !== null) {
        throw badField('body.customer', 'There is no such customer');
      }
      const currency = input.currency ?? context.settings.currency;
      const { collection } = input;
      const lines = manualLines({ ...input, currency });
      const draft = await draftOf(context, customer, { currency, collection, subscription: null }, lines);
      try {
        await database.transaction(async (transaction) => {
          transaction.create(invoices.of(tenant), id, draft);
          await record(transaction, actor, 'created', id);
        });
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        return viewOf(id, (await find(tenant, id)).value);
      }
      return viewOf(id, draft);
    },
    get: async ({ tenant }, id) => viewOf(id, (await find(tenant, id)).value),
    list: async ({ tenant }, { customer, subscription, status, limit, cursor }) => {
      const where: Filter[] = Object.entries({ customer, subscription, status }).flatMap(([field, value]) =>
        value === undefined ? [] : [{ field, op: '==', value }],
      );
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await invoices.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(({ id, value }) => viewOf(id, value)) };
    },
    pay: (actor, id, amount) =>
      change(
        actor,
        id,
        'paid',
        (invoice, context) => paidBy(invoice, amount, context),
        (transaction, before, after) => tell(transaction, actor.tenant, id, before, after),
      ),
    giveUp: (actor, id) =>
      change(actor, id, 'given-up', givenUp, (transaction, before, after) =>
        tell(transaction, actor.tenant, id, before, after),
      ),
  };
};
