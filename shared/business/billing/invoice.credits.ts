import { type Actor, idsFor, systemActor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, Transaction } from '../../store/store.ts';
import { invoiceEvents, writeOver } from './biller.ts';
import { invoicePaymentRefunded } from './billing.events.ts';
import { afterCredit, type Credited, creditNoteOf, refundNoteOf } from './invoice.changes.ts';
import { finalised, numberOf } from './invoice.draft.ts';
import {
  leftToRefund,
  leftWithGateways,
  type RefundStatuses,
  refundedBy,
  withRefund,
  withStatuses,
} from './invoice.refunds.ts';
import type { Invoice, InvoiceRefund, InvoiceView } from './invoice.schema.ts';
import { viewOf, type Workshop } from './invoice.workshop.ts';
import type { BillingContext } from './settings.service.ts';
import { emptyWallet } from './wallet.ts';

export interface CreditNoteInput {
  readonly reason: string;
  /** All of the invoice where absent. */
  readonly lines?: readonly Credited[] | undefined;
  /**
   * Where what was paid already goes: back by the gateways that took it, to the customer's wallet, or by other means,
   * which are noted once they are made.
   */
  readonly refund: InvoiceRefund['to'];
}

export interface RefundInput {
  readonly to: InvoiceRefund['to'];
  /** Minor units; all that is left where absent. */
  readonly amount?: number | undefined;
}

export interface NotedRefund {
  /** Of the charge. */
  readonly reference: string;
  /** Minor units; undefined where nobody knows of the charge any more. */
  readonly refunded: number | undefined;
  /** How the refunds stand that we asked for. */
  readonly statuses: RefundStatuses;
}

/** A job's own: with its inbox. */
type Commit = <R>(work: (transaction: Transaction) => Promise<R> | R) => Promise<R>;

/** Fails with `not-found`, `precondition-failed` for what its state does not allow, and `revision-conflict`. */
export interface InvoiceCredits {
  /** Final at once, in its own series. */
  credit(actor: Actor, id: string, input: CreditNoteInput): Promise<InvoiceView>;
  /** Pays back what is to be paid back (`toRefund`), or notes that it was. A gateway is asked after the commit. */
  refund(actor: Actor, id: string, input: RefundInput): Promise<InvoiceView>;
  /**
   * For a job: takes in what a gateway has paid back of a charge, of which `refunded` is the sum, with a credit note
   * for what none tells of yet. One commit, or none where all is known.
   */
  noteRefund(tenant: string, stored: Stored<Invoice>, refund: NotedRefund, commit: Commit): Promise<void>;
  /** For a job: makes credit of what was over of a payment, once. */
  creditOverpayment(tenant: string, id: string, ordinal: number, commit: Commit): Promise<void>;
}

/**
 * The invoice with what its gateways are asked to pay back of `over`. What they did not take is left to be paid back.
 */
const withAsked = (invoice: Invoice, note: string, over: number, { now }: BillingContext): Invoice => {
  const amount = Math.min(over, leftToRefund(invoice), leftWithGateways(invoice));
  if (amount === 0) return invoice;
  return withRefund(invoice, { id: `rfd_${note}`, to: 'payment-method', amount, note, at: isoTime(now) });
};

/** A credit note that is to be written, with what becomes of its invoice and of the customer's credit. */
const noteIn = (shop: Workshop) => {
  const { invoices, sequences, makeEvent, tell, give } = shop;
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
    const terms = { total: draft.total, isPaidBack: refund === 'done' };
    const { invoice: credited, over, writtenOff } = afterCredit(base, terms, context);
    const isGiven = over > 0 && refund === 'wallet';
    const isOwed = refund === 'payment-method' || refund === 'elsewhere';
    const owed = isOwed ? { ...credited, toRefund: credited.toRefund + over } : credited;
    const after = refund === 'payment-method' ? withAsked(owed, note, over, context) : owed;
    const invoice = { ...final.invoice, creditApplied: isGiven ? -over : 0, writtenOff };
    const credit = { id: derivedId('crd', tenant, note), amount: over, invoice };
    const writeCredit = isGiven ? await give(tenant, credit, context) : undefined;
    const write = (transaction: Transaction): void => {
      transaction.create(invoices.of(tenant), note, invoice);
      transaction.update(invoices.of(tenant), id, after, { revision });
      writeOver(transaction, sequences.of(tenant), creditNoteSeries, { last }, sequence);
      writeCredit?.(transaction);
      for (const event of invoiceEvents(makeEvent, tenant, note, invoice)) transaction.emit(event);
      tell(transaction, tenant, id, value, after);
    };
    return { invoice, write };
  };
};

const creditIn = (shop: Workshop): InvoiceCredits['credit'] => {
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

const noteRefundIn = (shop: Workshop): InvoiceCredits['noteRefund'] => {
  const { invoices, settings, makeEvent, record } = shop;
  const noteFor = noteIn(shop);
  return async (tenant, stored, { reference, refunded, statuses }, commit) => {
    const { id, value, revision } = stored;
    const told = withStatuses(value, statuses);
    const found = refunded === undefined ? undefined : refundedBy(told, reference, refunded);
    if (found === undefined) {
      if (told === value) return;
      await commit((transaction) => transaction.update(invoices.of(tenant), id, told, { revision }));
      return;
    }
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

/** What is paid back in one of the ways, and is still to be written. */
const payBackIn = (shop: Workshop) => {
  const { invoices, settings, tell, give } = shop;
  return async (
    tenant: string,
    { id, value, revision }: Stored<Invoice>,
    { refund, to, amount }: { refund: string; to: InvoiceRefund['to']; amount: number },
  ) => {
    const context = await settings.contextOf(tenant);
    const plan = { id: refund, to, amount, note: null, at: isoTime(context.now) };
    const next = withRefund(value, plan);
    const credit = { id: derivedId('crd', tenant, id, refund), amount, invoice: value };
    const writeCredit = to === 'wallet' ? await give(tenant, credit, context) : undefined;
    const write = (transaction: Transaction): void => {
      transaction.update(invoices.of(tenant), id, next, { revision });
      writeCredit?.(transaction);
      tell(transaction, tenant, id, value, next);
    };
    return { next, write };
  };
};

const refundIn = (shop: Workshop): InvoiceCredits['refund'] => {
  const { database, newId, find, record, settled } = shop;
  const payBack = payBackIn(shop);
  return (actor, id, { to, amount }) => {
    const refund = idsFor(actor, newId)('rfd');
    return settled(async () => {
      const { tenant } = actor;
      const stored = await find(tenant, id);
      if (stored.value.refunds.some((one) => one.id.startsWith(refund))) return viewOf(id, stored.value);
      const wanted = { refund, to, amount: amount ?? leftToRefund(stored.value) };
      const { next, write } = await payBack(tenant, stored, wanted);
      await database.transaction(async (transaction) => {
        write(transaction);
        await record(transaction, actor, 'paid-back', id);
      });
      return viewOf(id, next);
    });
  };
};

const creditOverpaymentIn = (shop: Workshop): InvoiceCredits['creditOverpayment'] => {
  const { find, record } = shop;
  const payBack = payBackIn(shop);
  return async (tenant, id, ordinal, commit) => {
    const stored = await find(tenant, id);
    const { value } = stored;
    const refund = derivedId('rfd', tenant, id, 'over', String(ordinal));
    // A gateway may have paid it back already.
    const amount = Math.min(value.payments[ordinal]?.over ?? 0, leftToRefund(value));
    if (amount === 0 || value.refunds.some((one) => one.id === refund)) return;
    const { write } = await payBack(tenant, stored, { refund, to: 'wallet', amount });
    await commit(async (transaction) => {
      write(transaction);
      await record(transaction, systemActor(tenant, 'billing'), 'overpayment-credited', id);
    });
  };
};

export const invoiceCredits = (shop: Workshop): InvoiceCredits => ({
  credit: creditIn(shop),
  refund: refundIn(shop),
  noteRefund: noteRefundIn(shop),
  creditOverpayment: creditOverpaymentIn(shop),
});
