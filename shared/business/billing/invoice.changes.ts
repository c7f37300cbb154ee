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

/**
 * A payment by whatever means; `by` is the charge, where a gateway took it. Fails with `precondition-failed` where nothing
 * is due, or less than that, and for what is noted by hand while a charge is under way.
 */
export const paidBy = (
  invoice: Invoice,
  amount: number | undefined,
  { now }: BillingContext,
  by: { readonly reference: string; readonly payment: string } | undefined = undefined,
): Invoice => {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
    throw refuse(`An invoice that is ${invoice.status} can't be paid.`);
  if (by === undefined) requireNoCharge(invoice);
  if (invoice.payments.length >= maxPayments) throw refuse(`It is paid in at most ${maxPayments} parts.`);
  const paid = amount ?? invoice.due;
  if (paid > invoice.due) throw refuse('More than is due.');
  const due = invoice.due - paid;
  const at = isoTime(now);
  const done = due === 0 ? ({ status: 'paid', closedAt: at, nextActionAt: null } as const) : {};
  const recovered = invoice.status === 'uncollectible';
  const { reference = null, payment = null } = by ?? {};
  const part: InvoicePayment = { reference, payment, amount: paid, refunded: 0, changes: 0, recovered, at };
  return { ...invoice, paid: invoice.paid + paid, payments: [...invoice.payments, part], charge: null, due, ...done };
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

/** The invoice after a credit note: less is due, and what was paid of it already is over. */
export const afterCredit = (invoice: Invoice, total: number, { now }: BillingContext): AfterCredit => {
  const taken = Math.min(invoice.due, total);
  const due = invoice.due - taken;
  const isOpen = invoice.status === 'open' || invoice.status === 'uncollectible';
  const done = isOpen && due === 0 ? ({ status: 'paid', closedAt: isoTime(now), nextActionAt: null } as const) : {};
  const next = { ...invoice, credited: invoice.credited + total, due, ...done };
  return { invoice: next, over: total - taken, writtenOff: invoice.status === 'uncollectible' ? taken : 0 };
};

export interface Refunded {
  readonly invoice: Invoice;
  /** Its place in the payments, and how often that one has changed. */
  readonly ordinal: number;
  readonly change: number;
  /** What was paid back more than was known; negative where a refund failed. */
  readonly amount: number;
  /** What of it no credit note tells of yet. */
  readonly uncredited: number;
}

/**
 * The invoice after a gateway has paid something back, of which `refunded` is the sum. What was credited to be paid back
 * is settled first. Undefined where that was known.
 */
export const refundedBy = (invoice: Invoice, reference: string, refunded: number): Refunded | undefined => {
  const ordinal = invoice.payments.findIndex((payment) => payment.reference === reference);
  const payment = invoice.payments[ordinal];
  if (payment === undefined || payment.refunded === refunded) return undefined;
  const amount = refunded - payment.refunded;
  const settled = Math.min(invoice.toRefund, Math.max(0, amount));
  const toRefund = amount > 0 ? invoice.toRefund - settled : invoice.toRefund - amount;
  const change = payment.changes + 1;
  const payments = invoice.payments.map((one, i) => (i === ordinal ? { ...one, refunded, changes: change } : one));
  const uncredited = Math.max(0, Math.min(amount - settled, invoice.total - invoice.credited));
  return { invoice: { ...invoice, payments, toRefund }, ordinal, change, amount, uncredited };
};
