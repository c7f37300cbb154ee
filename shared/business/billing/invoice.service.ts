import { type Actor, idsFor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import { money, scale } from '../../kernel/money.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Filter } from '../../store/store.ts';
import { invoiceEvents, writeOver } from './biller.ts';
import { badField } from './billing.fields.ts';
import { givenUp, paidBy, voided } from './invoice.changes.ts';
import { type InvoiceCredits, invoiceCredits } from './invoice.credits.ts';
import { finalised, numberOf } from './invoice.draft.ts';
import type { DraftLine, InvoiceStatus, InvoiceView, NewInvoice } from './invoice.schema.ts';
import { type InvoiceServiceOptions, viewOf, type Workshop, workshop } from './invoice.workshop.ts';
import { expiryEvents } from './wallet.events.ts';
import { emptyWallet } from './wallet.ts';

export interface InvoiceFilter extends PageRequest {
  readonly customer?: string | undefined;
  readonly subscription?: string | undefined;
  readonly status?: InvoiceStatus | undefined;
}

/** Fails with `not-found`, `precondition-failed` for what its state does not allow, and `revision-conflict`. */
export interface InvoiceService extends InvoiceCredits {
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
}

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
  const { database, invoices, settings, find, record, settled, tell, give } = shop;
  return (actor, id) =>
    settled(async () => {
      const { tenant } = actor;
      const [stored, context] = await Promise.all([find(tenant, id), settings.contextOf(tenant)]);
      const { value } = stored;
      const next = voided(value, context);
      const credit = { id: derivedId('crd', tenant, id, 'void'), amount: value.creditApplied, invoice: value };
      const writeCredit = value.creditApplied > 0 ? await give(tenant, credit, context) : undefined;
      await database.transaction(async (transaction) => {
        transaction.update(invoices.of(tenant), id, next, { revision: stored.revision });
        writeCredit?.(transaction);
        tell(transaction, tenant, id, value, next);
        await record(transaction, actor, 'voided', id);
      });
      return viewOf(id, next);
    });
};

export const createInvoiceService = (options: InvoiceServiceOptions): InvoiceService => {
  const shop = workshop(options);
  const { database, invoices, customers, settings, newId, find, record, draftOf, change, tell } = shop;

  return {
    finalise: finaliseIn(shop),
    void: voidIn(shop),
    ...invoiceCredits(shop),
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
