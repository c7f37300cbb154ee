import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { invoiceData, writeOver } from './biller.ts';
import { invoiceClosed, invoicePaid } from './billing.events.ts';
import { notFound } from './billing.fields.ts';
import { againOnConflict } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import { draftInvoice } from './invoice.draft.ts';
import type { DraftLine, Invoice, InvoiceView, Sequence } from './invoice.schema.ts';
import { paymentEvents, refundEvents } from './payment-received.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import type { TaxService } from './tax.service.ts';
import { expiryEvents } from './wallet.events.ts';
import { emptyWallet, type Wallet, withCredit } from './wallet.ts';

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

export const viewOf = (id: string, invoice: Invoice): InvoiceView => ({ id, ...invoice });

/** What all that changes invoices has in common. */
export const workshop = (options: InvoiceServiceOptions) => {
  const { database, invoices, wallets, settings, tax, audit, makeEvent } = options;

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
    for (const event of refundEvents(makeEvent, tenant, id, before, invoice)) transaction.emit(event);
    if (status === before.status) return;
    if (status === 'paid') transaction.emit(makeEvent(invoicePaid, { tenant, subject: id, data }));
    if ((status === 'void' || status === 'uncollectible') && invoice.number !== null) {
      transaction.emit(makeEvent(invoiceClosed, { tenant, subject: id, data: { ...data, status } }));
    }
  };

  /** Credit for a customer out of an invoice: read, and then written by what it gives. */
  const give = async (
    tenant: string,
    { id, amount, invoice }: { readonly id: string; readonly amount: number; readonly invoice: Invoice },
    { now }: BillingContext,
  ): Promise<(transaction: Transaction) => void> => {
    const { customer, currency, number } = invoice;
    const purse = await wallets.of(tenant).get(customer);
    const before = purse?.value ?? emptyWallet;
    const reason = `Credit of ${number ?? 'an invoice'}`;
    const terms = { currency, amount, remaining: amount, reason, expiresAt: null, createdAt: isoTime(now) };
    const after = withCredit(before, { id, ...terms }, now);
    return (transaction) => {
      writeOver(transaction, wallets.of(tenant), customer, after, purse);
      for (const event of expiryEvents(makeEvent, tenant, customer, before, now)) transaction.emit(event);
    };
  };

  return { ...options, find, record, settled, draftOf, change, tell, give };
};
export type Workshop = ReturnType<typeof workshop>;
