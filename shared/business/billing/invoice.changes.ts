import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { money } from '../../kernel/money.ts';
import { badField } from './billing.fields.ts';
import type { Invoice, InvoiceLine } from './invoice.schema.ts';
import { reckon } from './invoice.totals.ts';
import type { BillingContext } from './settings.service.ts';

const refuse = (message: string): OmniError => new OmniError('precondition-failed', message);

/** A payment by whatever means. Fails with `precondition-failed` where nothing is due, or less than that. */
export const paidBy = (invoice: Invoice, amount: number | undefined, { now }: BillingContext): Invoice => {
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible')
    throw refuse(`An invoice that is ${invoice.status} can't be paid.`);
  const paid = amount ?? invoice.due;
  if (paid > invoice.due) throw refuse('More than is due.');
  const due = invoice.due - paid;
  const done = due === 0 ? ({ status: 'paid', closedAt: isoTime(now), nextActionAt: null } as const) : {};
  return { ...invoice, paid: invoice.paid + paid, due, ...done };
};

/** Declared void. The number stays taken. */
export const voided = (invoice: Invoice, { now }: BillingContext): Invoice => {
  const isFree = invoice.status === 'draft' || invoice.status === 'open' || invoice.status === 'uncollectible';
  if (!isFree || invoice.kind !== 'invoice')
    throw refuse(`What is ${invoice.status} can't be voided. Write a credit note.`);
  if (invoice.paid > 0 || invoice.credited > 0) throw refuse('Part of it is paid or credited. Write a credit note.');
  return { ...invoice, status: 'void', due: 0, closedAt: isoTime(now), nextActionAt: null };
};

export const givenUp = (invoice: Invoice, { now }: BillingContext): Invoice => {
  if (invoice.status !== 'open') throw refuse(`An invoice that is ${invoice.status} can't be given up.`);
  return { ...invoice, status: 'uncollectible', closedAt: isoTime(now), nextActionAt: null };
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

/**
 * A credit note for all of an invoice, or for parts of lines, with the tax that was charged then. Fails with
 * `precondition-failed` for more than the invoice has left, and where it is not final.
 */
export const creditNoteOf = (
  id: string,
  invoice: Invoice,
  { reason, lines: wanted }: { readonly reason: string; readonly lines?: readonly Credited[] | undefined },
  { settings, now }: BillingContext,
): Invoice => {
  if (invoice.kind !== 'invoice') throw refuse('A credit note can’t be credited.');
  if (invoice.status === 'draft' || invoice.status === 'void')
    throw refuse(`What is ${invoice.status} needs no credit note.`);
  const { currency } = invoice;
  const lines = wanted === undefined ? invoice.lines : creditedLines(invoice, wanted);
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
    credited: 0,
    due: 0,
    corrects: id,
    reason,
    createdAt: isoTime(now),
    issuedAt: null,
    dueAt: null,
    closedAt: null,
    attempts: 0,
    lastDecline: null,
    nextActionAt: null,
  };
};

/** The invoice after a credit note: less is due, and what was paid of it already is over. */
export const afterCredit = (
  invoice: Invoice,
  total: number,
  { now }: BillingContext,
): { readonly invoice: Invoice; readonly over: number } => {
  const taken = Math.min(invoice.due, total);
  const due = invoice.due - taken;
  const isOpen = invoice.status === 'open' || invoice.status === 'uncollectible';
  const done = isOpen && due === 0 ? ({ status: 'paid', closedAt: isoTime(now), nextActionAt: null } as const) : {};
  return { invoice: { ...invoice, credited: invoice.credited + total, due, ...done }, over: total - taken };
};
