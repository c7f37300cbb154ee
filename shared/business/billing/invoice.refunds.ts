import { OmniError } from '../../kernel/errors.ts';
import { type Invoice, type InvoiceRefund, maxInvoiceRefunds } from './invoice.schema.ts';

const refuse = (message: string): OmniError => new OmniError('precondition-failed', message);
const sumOf = <T extends { readonly amount: number }>(all: readonly T[], isOne: (one: T) => boolean): number =>
  all.reduce((sum, one) => (isOne(one) ? sum + one.amount : sum), 0);

/**
 * What is to be paid back and nothing is done about yet. What a gateway said that it pays back is taken off already.
 */
export const leftToRefund = ({ toRefund, refunds }: Invoice): number =>
  Math.max(0, toRefund - sumOf(refunds, ({ status }) => status === 'asked'));

/** Charges with what their gateways can still pay back, the newest first. */
const refundable = ({ payments, refunds }: Invoice): readonly (readonly [reference: string, amount: number])[] => {
  const left = new Map<string, number>();
  for (const { reference, amount, refunded } of payments.toReversed()) {
    if (reference !== null) left.set(reference, (left.get(reference) ?? 0) + amount - refunded);
  }
  for (const { reference, amount, status } of refunds) {
    if (reference !== null && status === 'asked') left.set(reference, (left.get(reference) ?? 0) - amount);
  }
  return [...left].filter(([, amount]) => amount > 0);
};

/** What gateways can pay back of it now. */
export const leftWithGateways = (invoice: Invoice): number =>
  refundable(invoice).reduce((sum, [, amount]) => sum + amount, 0);

export interface RefundPlan {
  /** What its parts are called: each adds its number. */
  readonly id: string;
  readonly to: InvoiceRefund['to'];
  readonly amount: number;
  readonly note: string | null;
  readonly at: string;
}

const partsOf = (invoice: Invoice, { id, to, amount, note, at }: RefundPlan): readonly InvoiceRefund[] => {
  if (to !== 'payment-method') return [{ id, to, reference: null, amount, status: 'succeeded', note, at }];
  let left = amount;
  return refundable(invoice).flatMap(([reference, most], i): InvoiceRefund[] => {
    const part = Math.min(left, most);
    left -= part;
    return part === 0 ? [] : [{ id: `${id}_${i}`, to, reference, amount: part, status: 'asked', note, at }];
  });
};

/**
 * The invoice with what is about to be paid back of it: noted before a gateway is asked, done where there is none to be
 * asked. Fails with `precondition-failed` for more than is to be paid back, or than gateways have of it.
 */
export const withRefund = (invoice: Invoice, plan: RefundPlan): Invoice => {
  if (plan.amount <= 0 || plan.amount > leftToRefund(invoice)) {
    throw refuse(`${leftToRefund(invoice)} are left to be paid back, in minor units.`);
  }
  const parts = partsOf(invoice, plan);
  const planned = sumOf(parts, () => true);
  if (planned < plan.amount) throw refuse(`Gateways took only ${planned} of it that is not paid back, in minor units.`);
  if (invoice.refunds.length + parts.length > maxInvoiceRefunds) {
    throw refuse(`It is paid back in at most ${maxInvoiceRefunds} parts.`);
  }
  const toRefund = invoice.toRefund - sumOf(parts, ({ status }) => status === 'succeeded');
  return { ...invoice, refunds: [...invoice.refunds, ...parts], toRefund };
};

/** What is to be told of refunds that an invoice has after a change and had not before. */
export const newRefunds = (before: Invoice, after: Invoice): readonly InvoiceRefund[] =>
  after.refunds.slice(before.refunds.length);

/** Those of a charge of which it is not known yet how they end. */
export const openRefunds = ({ refunds }: Invoice, reference: string): readonly InvoiceRefund[] =>
  refunds.filter((one) => one.reference === reference && (one.status === 'asked' || one.status === 'pending'));

export type RefundStatuses = ReadonlyMap<string, InvoiceRefund['status']>;

/** The same invoice where nothing is new. */
export const withStatuses = (invoice: Invoice, statuses: RefundStatuses): Invoice => {
  const isNew = ({ id, status }: InvoiceRefund): boolean => (statuses.get(id) ?? status) !== status;
  if (!invoice.refunds.some(isNew)) return invoice;
  const refunds = invoice.refunds.map((one) => ({ ...one, status: statuses.get(one.id) ?? one.status }));
  return { ...invoice, refunds };
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
 * The invoice after a gateway has paid something back of a charge, of which `refunded` is the sum. What was to be paid
 * back is settled first, and what was over of the charge; the rest needs a credit note. What even that does not cover
 * was paid back twice, and `toRefund` says so by being negative. Undefined where the sum was known.
 */
export const refundedBy = (invoice: Invoice, reference: string, refunded: number): Refunded | undefined => {
  // A charge may have several parts; what is paid back of it is kept with the first.
  const ordinal = invoice.payments.findIndex((payment) => payment.reference === reference);
  const payment = invoice.payments[ordinal];
  if (payment === undefined || payment.refunded === refunded) return undefined;
  const amount = refunded - payment.refunded;
  const change = payment.changes + 1;
  const payments = invoice.payments.map((one, i) => (i === ordinal ? { ...one, refunded, changes: change } : one));
  const over = invoice.payments.reduce((sum, one) => (one.reference === reference ? sum + one.over : sum), 0);
  const ofOver = Math.max(0, Math.min(over, refunded) - Math.min(over, payment.refunded));
  const settled = Math.min(Math.max(0, invoice.toRefund), Math.max(0, amount));
  const rest = amount - Math.max(settled, ofOver);
  const uncredited = Math.max(0, Math.min(rest, invoice.total - invoice.credited));
  const toRefund = invoice.toRefund - (amount - uncredited);
  return { invoice: { ...invoice, payments, toRefund }, ordinal, change, amount, uncredited };
};
