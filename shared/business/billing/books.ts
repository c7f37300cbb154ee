import { isZero, money } from '../../kernel/money.ts';
import type { CreditMoved, InvoicePaidBack, InvoicePaymentReceived, InvoicePaymentRefunded } from './billing.events.ts';
import { type BookAccount, type BookEntry, type BookLine, bookAccounts } from './charges.ts';
import type { Invoice } from './invoice.schema.ts';

type Amounts = Readonly<Partial<Record<BookAccount, number>>>;

const linesOf = (amounts: Amounts, currency: string): readonly BookLine[] =>
  bookAccounts
    .map((account): BookLine => ({ account, amount: money(amounts[account] ?? 0, currency) }))
    .filter(({ amount }) => !isZero(amount));

/** What making it final does: it is owed, or paid from credit, or becomes credit; against revenue and tax. */
const finalAmounts = ({ kind, total, net, tax, creditApplied, writtenOff }: Invoice): Amounts => {
  const sign = kind === 'credit-note' ? -1 : 1;
  // Of a credit note it is what became credit, negative already.
  const credit = kind === 'invoice' && total < 0 ? total : creditApplied;
  const lost = kind === 'credit-note' ? writtenOff : 0;
  return {
    receivables: sign * total - credit + lost,
    'customer-credit': credit,
    'bad-debt': -lost,
    revenue: -sign * net,
    'tax-payable': -sign * tax,
  };
};

/** Declared void: as if it had never been final, and never been given up. */
const voidAmounts = (invoice: Invoice): Amounts => {
  const { writtenOff } = invoice;
  const reversed = Object.entries(finalAmounts(invoice)).map(([account, amount]) => [account, -(amount ?? 0)] as const);
  const back = new Map<string, number>(reversed);
  return {
    ...Object.fromEntries(back),
    receivables: (back.get('receivables') ?? 0) + writtenOff,
    'bad-debt': (back.get('bad-debt') ?? 0) - writtenOff,
  };
};

export type Occasion = 'final' | 'void' | 'uncollectible';

const entry = (
  tenant: string,
  source: string,
  key: string,
  description: string,
  lines: readonly BookLine[],
): BookEntry | undefined => (lines.length === 0 ? undefined : { tenant, source, key, description, lines });

/**
 * What an occasion of an invoice is in the books; undefined where it moves nothing. It is reckoned from what never changes
 * any more, so that it is the same whenever it is booked, and the key is natural, so that it is booked once.
 */
export const entryOf = (tenant: string, id: string, invoice: Invoice, occasion: Occasion): BookEntry | undefined => {
  const { currency, writtenOff, number } = invoice;
  const amounts: Amounts = {
    final: finalAmounts(invoice),
    void: voidAmounts(invoice),
    uncollectible: { 'bad-debt': writtenOff, receivables: -writtenOff },
  }[occasion];
  const name = invoice.kind === 'credit-note' ? 'Credit note' : 'Invoice';
  return entry(tenant, id, `invoice:${id}:${occasion}`, `${name} ${number}: ${occasion}`, linesOf(amounts, currency));
};

/**
 * A payment settles what was owed. Money that a gateway took is on the books already, as nobody's: here it is applied. What
 * comes after an invoice was given up makes the loss smaller. What was not due any more is owed to who paid it.
 */
export const paymentEntryOf = (tenant: string, payment: InvoicePaymentReceived): BookEntry | undefined => {
  const { invoiceId, number, ordinal, amount, currency, reference, recovered, over } = payment;
  const from = reference === null ? 'cash' : 'unapplied';
  const lost = recovered ? amount - over : 0;
  const amounts = { [from]: amount, 'bad-debt': -lost, receivables: lost - amount };
  const key = `invoice:${invoiceId}:payment:${ordinal}`;
  return entry(tenant, invoiceId, key, `Invoice ${number}: paid`, linesOf(amounts, currency));
};

/** What a gateway paid back is nobody's any more, and owed again until a credit note says otherwise. */
export const refundEntryOf = (tenant: string, refund: InvoicePaymentRefunded): BookEntry | undefined => {
  const { invoiceId, number, ordinal, change, amount, currency } = refund;
  const key = `invoice:${invoiceId}:refund:${ordinal}.${change}`;
  const lines = linesOf({ receivables: amount, unapplied: -amount }, currency);
  return entry(tenant, invoiceId, key, `Invoice ${number}: paid back`, lines);
};

/** What was owed to the customer became credit, or was paid back by hand. */
export const paidBackEntryOf = (tenant: string, paidBack: InvoicePaidBack): BookEntry | undefined => {
  const { invoiceId, number, refund, amount, currency, to } = paidBack;
  const amounts = { receivables: amount, [to === 'wallet' ? 'customer-credit' : 'cash']: -amount };
  const key = `invoice:${invoiceId}:back:${refund}`;
  return entry(tenant, invoiceId, key, `Invoice ${number}: paid back (${to})`, linesOf(amounts, currency));
};

/** Credit that comes from no invoice, or goes to none. */
export const creditEntryOf = (tenant: string, moved: CreditMoved): BookEntry | undefined => {
  const { customer, credit, what, amount, currency } = moved;
  const amounts: Amounts = {
    granted: { 'credit-given': amount, 'customer-credit': -amount },
    spent: { 'customer-credit': amount, revenue: -amount },
    expired: { 'customer-credit': amount, 'credit-given': -amount },
  }[what];
  return entry(tenant, customer, `credit:${credit}:${what}`, `Credit ${what}`, linesOf(amounts, currency));
};
