import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { allocate, money } from '../../kernel/money.ts';
import { badField } from './billing.fields.ts';
import { type Invoice, type InvoiceLine, type InvoicePayment, maxPayments } from './invoice.schema.ts';
import { reckon } from './invoice.totals.ts';
import type { BillingContext } from './settings.service.ts';

const refuse = (message: string): OmniError => new OmniError('precondition-failed', message);

/** What may happen to an invoice while a gateway is being asked, or its customer acts, would be paid twice. */
const requireNoCharge = ({ charge }: Invoice): void => {
  if (charge !== null) throw refuse('A charge of it is under way. Wait until it is decided.');
};

/** Whether its customer may still pay it. */
export const isOwed = ({ status }: Invoice): boolean => status === 'open' || status === 'uncollectible';

type Part = Pick<InvoicePayment, 'reference' | 'payment' | 'amount' | 'over'>;

/** The invoice with one payment more. What is over of it is to be paid back. */
const withPayment = (invoice: Invoice, { reference, payment, amount, over }: Part, at: string): Invoice => {
  const due = invoice.due - (amount - over);
  const recovered = invoice.status === 'uncollectible' && amount > over;
  const part: InvoicePayment = { reference, payment, amount, refunded: 0, changes: 0, recovered, over, at };
  const done = isOwed(invoice) && due === 0 ? ({ status: 'paid', closedAt: at, nextActionAt: null } as const) : {};
  const paid = invoice.paid + amount - over;
  return { ...invoice, paid, payments: [...invoice.payments, part], due, toRefund: invoice.toRefund + over, ...done };
};

/**
 * A payment that is noted by hand: all that is due, or a part of it. Fails with `precondition-failed` where less is
 * due, and while a charge is under way.
 */
export const paidBy = (invoice: Invoice, amount: number | undefined, { now }: BillingContext): Invoice => {
  if (!isOwed(invoice)) throw refuse(`An invoice that is ${invoice.status} can't be paid.`);
  requireNoCharge(invoice);
  if (invoice.payments.length >= maxPayments) throw refuse(`It is paid in at most ${maxPayments} parts.`);
  const paid = amount ?? invoice.due;
  if (paid > invoice.due) throw refuse('More than is due.');
  return withPayment(invoice, { reference: null, payment: null, amount: paid, over: 0 }, isoTime(now));
};

/**
 * The invoice with what a charge has taken in all, of which it may know a part. What is not due any more is over: a
 * gateway took it, whether or not it should have. The same invoice where it knows all of it.
 */
export const takenBy = (
  invoice: Invoice,
  { reference, payment, captured }: { readonly reference: string; readonly payment: string; readonly captured: number },
  { now }: BillingContext,
): Invoice => {
  const known = invoice.payments.reduce((sum, one) => (one.reference === reference ? sum + one.amount : sum), 0);
  const amount = captured - known;
  if (amount <= 0) return invoice;
  const over = amount - Math.min(amount, isOwed(invoice) ? invoice.due : 0);
  return withPayment(invoice, { reference, payment, amount, over }, isoTime(now));
};

/** Declared void. The number stays taken. */
export const voided = (invoice: Invoice, { now }: BillingContext): Invoice => {
  const isFree = invoice.status === 'draft' || invoice.status === 'open' || invoice.status === 'uncollectible';
  if (!isFree || invoice.kind !== 'invoice')
    throw refuse(`What is ${invoice.status} can't be voided. Write a credit note.`);
  if (invoice.paid > 0 || invoice.credited > 0) throw refuse('Part of it is paid or credited. Write a credit note.');
  requireNoCharge(invoice);
  return { ...invoice, status: 'void', due: 0, closedAt: isoTime(now), nextActionAt: null };
};

export const givenUp = (invoice: Invoice, { now }: BillingContext): Invoice => {
  if (invoice.status !== 'open') throw refuse(`An invoice that is ${invoice.status} can't be given up.`);
  requireNoCharge(invoice);
  const closedAt = isoTime(now);
  return { ...invoice, status: 'uncollectible', writtenOff: invoice.due, closedAt, nextActionAt: null };
};

export interface Credited {
  /** Its place on the invoice, from 0. */
  readonly line: number;
  /** As on the invoice: with tax where its prices have it in them. After discounts, minor units. */
  readonly amount: number;
}

const afterDiscount = ({ amount, discount }: InvoiceLine): number => amount - discount;

const creditedLines = (invoice: Invoice, wanted: readonly Credited[]): readonly InvoiceLine[] =>
  wanted.map(({ line: index, amount }, i) => {
    const line = invoice.lines[index];
    if (line === undefined) throw badField(`body.lines.${i}.line`, 'There is no such line');
    if (amount > afterDiscount(line)) throw badField(`body.lines.${i}.amount`, 'More than was charged');
    return { ...line, amount, discount: 0, discountable: false, parts: [] };
  });

/** A credit note of lines of an invoice, with the tax that was charged then. Amounts are after discounts. */
const noteOf = (
  id: string,
  invoice: Invoice,
  lines: readonly InvoiceLine[],
  reason: string,
  { settings, now }: BillingContext,
): Invoice => {
  const { currency } = invoice;
  const { lines: reckoned, totals } = reckon(
    lines.map(({ product, amount, discount, taxBehaviour, tax }) => ({
      product,
      amount: money(amount - discount, currency),
      discountable: false,
      taxBehaviour,
      tax,
    })),
    { discounts: [], rounding: settings.taxRounding, currency },
  );
  if (totals.total.amount <= 0) throw refuse('There is nothing to be credited.');
  if (totals.total.amount > invoice.total - invoice.credited) throw refuse('More than the invoice has left.');
  return {
    ...invoice,
    kind: 'credit-note',
    status: 'draft',
    number: null,
    lines: lines.map((line, i) => ({
      ...line,
      amount: line.amount - line.discount,
      discount: 0,
      discountable: false,
      net: reckoned[i]?.net.amount ?? 0,
    })),
    discounts: [],
    subtotal: totals.subtotal.amount,
    discount: 0,
    net: totals.net.amount,
    tax: totals.tax.amount,
    total: totals.total.amount,
    taxes: [...totals.groups],
    creditApplied: 0,
    paid: 0,
    payments: [],
    charge: null,
    writtenOff: 0,
    toRefund: 0,
    refunds: [],
    credited: 0,
    due: 0,
    corrects: id,
    reason,
    createdAt: isoTime(now),
    issuedAt: null,
    dueAt: null,
    closedAt: null,
    attempts: 0,
    charges: 0,
    lastDecline: null,
    nextActionAt: null,
  };
};

/**
 * A credit note for all of an invoice, or for parts of lines, with the tax that was charged then. Fails with
 * `precondition-failed` for more than the invoice has left, and where it is not final.
 */
export const creditNoteOf = (
  id: string,
  invoice: Invoice,
  { reason, lines: wanted }: { readonly reason: string; readonly lines?: readonly Credited[] | undefined },
  context: BillingContext,
): Invoice => {
  if (invoice.kind !== 'invoice') throw refuse('A credit note can’t be credited.');
  if (invoice.status === 'draft' || invoice.status === 'void')
    throw refuse(`What is ${invoice.status} needs no credit note.`);
  requireNoCharge(invoice);
  const lines = wanted === undefined ? invoice.lines : creditedLines(invoice, wanted);
  return noteOf(id, invoice, lines, reason, context);
};

/** A credit note for an amount with tax, over the rates of the invoice by what they have of it. */
export const refundNoteOf = (id: string, invoice: Invoice, amount: number, context: BillingContext): Invoice => {
  const { number, currency, taxes } = invoice;
  const reason = `Refund of ${number}`;
  if (amount === invoice.total) return noteOf(id, invoice, invoice.lines, reason, context);
  const weights = taxes.map(({ taxable, tax }) => Math.max(0, taxable + tax));
  const shares = allocate(money(amount, currency), weights);
  const lines = taxes.flatMap(({ category, rate, country, reason: because }, i): InvoiceLine[] => {
    const share = shares[i]?.amount ?? 0;
    const tax = { category, rate, country, reason: because };
    const plain = { kind: 'manual', description: reason, price: null, product: null, item: null, quantity: 1 } as const;
    const terms = { discountable: false, taxBehaviour: 'inclusive', taxCategory: 'standard' } as const;
    return share === 0
      ? []
      : [{ ...plain, ...terms, amount: share, period: null, parts: [], discount: 0, net: 0, tax }];
  });
  return noteOf(id, invoice, lines, reason, context);
};

export interface AfterCredit {
  readonly invoice: Invoice;
  /** What was paid of it already. */
  readonly over: number;
  /** What nobody expected to be paid any more. */
  readonly writtenOff: number;
}

/**
 * The invoice after a credit note: less is due, and what was paid of it already is over. A note for what was paid back
 * (`isPaidBack`) is of paid money alone, and leaves what is due.
 */
export const afterCredit = (
  invoice: Invoice,
  { total, isPaidBack }: { readonly total: number; readonly isPaidBack: boolean },
  { now }: BillingContext,
): AfterCredit => {
  const taken = isPaidBack ? 0 : Math.min(invoice.due, total);
  const due = invoice.due - taken;
  const done =
    isOwed(invoice) && due === 0 ? ({ status: 'paid', closedAt: isoTime(now), nextActionAt: null } as const) : {};
  const next = { ...invoice, credited: invoice.credited + total, due, ...done };
  return { invoice: next, over: total - taken, writtenOff: invoice.status === 'uncollectible' ? taken : 0 };
};
