import type Stripe from 'stripe';
import { roundedFromStripe } from '../gateways/stripe.money.ts';
import { invoicePosting, type StripeFact, type StripeMoves } from './stripe-facts.ts';
import { maxLines } from './stripe-invoice.schema.ts';

/** What an invoice does not tell by itself. */
export interface InvoiceParts {
  readonly payments: readonly Stripe.InvoicePayment[];
  readonly notes: readonly Stripe.CreditNote[];
}

/** What a thing is worth with its tax, and the tax of it. Minor units. */
interface Worth {
  readonly gross: number;
  readonly tax: number;
}

type Amounts = readonly { readonly amount: number }[] | null | undefined;

const sumOf = (amounts: Amounts): number => (amounts ?? []).reduce((sum, { amount }) => sum + amount, 0);
const sold = ({ gross, tax }: Worth): StripeMoves => ({ receivable: gross, revenue: tax - gross, tax: -tax });

/**
 * How the facts of an invoice are made. Its claim stands on the receivable; where the invoice was ever marked
 * uncollectible, all that is due is a loss, and what settles the claim is taken from the loss under a key of its own.
 * So it is the same whether it was settled before it was given up, or afterwards.
 */
const factMaker = (invoice: Stripe.Invoice) => {
  const isLost = invoice.status_transitions.marked_uncollectible_at !== null;
  const isVoid = invoice.status === 'void';
  const posting = (key: string, moves: StripeMoves) => invoicePosting(invoice, key, moves);
  const fact = (key: string, moves: StripeMoves): StripeFact => ({ key, postings: posting(key, moves) });
  /** Where the claim stands in the end. */
  const claim = (amount: number): StripeMoves => (isLost ? { losses: amount } : { receivable: amount });
  return {
    isLost,
    isVoid,
    money: (units: number): number => roundedFromStripe(units, invoice.currency).amount,
    posting,
    fact,
    claim,
    /** What takes something from the claim, or gives it back where it is negative. */
    settled: (key: string, amount: number, moves: StripeMoves): readonly StripeFact[] => [
      fact(key, { ...moves, receivable: -amount }),
      ...(isLost ? [fact(`${key}:recovered`, { receivable: amount, losses: -amount })] : []),
    ],
    /** There is no claim on a void invoice: what settled it before does so no more. */
    undone: (key: string, amount: number, moves: StripeMoves): readonly StripeFact[] =>
      isVoid ? [fact(`${key}:undone`, { ...moves, ...claim(amount) })] : [],
  };
};
type Maker = ReturnType<typeof factMaker>;

/** A line's amount is before its discounts; tax that is not in it comes on top. */
const worthOf = ({ money }: Maker, { amount, discount_amounts: discounts, taxes }: Stripe.InvoiceLineItem): Worth => {
  const exclusive = (taxes ?? []).filter(({ tax_behavior: behaviour }) => behaviour === 'exclusive');
  return { gross: money(amount - sumOf(discounts) + sumOf(exclusive)), tax: money(sumOf(taxes)) };
};

/** Line by line, and what they are not: further lines, shipping, roundings. Together they are the total. */
const finalisedFact = (maker: Maker, { lines: { data } }: Stripe.Invoice, whole: Worth): StripeFact => {
  const lines = data.slice(0, maxLines).map((line) => ({ id: line.id, worth: worthOf(maker, line) }));
  const rest = lines.reduce(
    (left, { worth }) => ({ gross: left.gross - worth.gross, tax: left.tax - worth.tax }),
    whole,
  );
  const all = [...lines, { id: 'rest', worth: rest }];
  return { key: 'finalised', postings: all.flatMap(({ id, worth }) => maker.posting(id, sold(worth))) };
};

/**
 * What came through Stripe is booked where it came in; what did not, stands in suspense until somebody knows where it
 * is.
 */
const paymentFacts = (
  { money, settled, undone }: Maker,
  { id, amount_paid: paid, payment }: Stripe.InvoicePayment,
): readonly StripeFact[] => {
  const amount = money(paid ?? 0);
  const from = (sign: 1 | -1): StripeMoves =>
    payment.type === 'payment_intent' ? { unapplied: sign * amount } : { outside: sign * amount };
  return [...settled(`payment:${id}`, amount, from(1)), ...undone(`payment:${id}`, amount, from(-1))];
};

/** First what is still due is less; what goes beyond is refunded, credited to the customer, or given back elsewhere. */
const noteFacts = ({ money, settled, undone }: Maker, note: Stripe.CreditNote): readonly StripeFact[] => {
  const key = `credit-note:${note.id}`;
  const [gross, tax, due] = [money(note.amount), money(sumOf(note.total_taxes)), money(note.pre_payment_amount)];
  const isHere = ({ type }: Stripe.CreditNote.Refund): boolean => type !== 'payment_record_refund';
  const refunded = money(note.refunds.filter(isHere).reduce((sum, one) => sum + one.amount_refunded, 0));
  const recorded = note.refunds.filter((one) => !isHere(one)).reduce((sum, one) => sum + one.amount_refunded, 0);
  const elsewhere = money((note.out_of_band_amount ?? 0) + recorded);
  const left = gross - due - refunded - elsewhere;
  const isCredit = note.customer_balance_transaction !== null;
  const moves = (sign: 1 | -1): StripeMoves => ({
    revenue: sign * (gross - tax),
    tax: sign * tax,
    unapplied: -sign * refunded,
    balance: isCredit ? -sign * left : 0,
    outside: -sign * (isCredit ? elsewhere : elsewhere + left),
  });
  const issued = settled(key, due, moves(1));
  if (note.status === 'void') return [...issued, ...settled(`${key}:voided`, -due, moves(-1))];
  return [...issued, ...undone(key, due, moves(-1))];
};

/**
 * What was paid in a way that Stripe keeps no payment of. While one of its payments is open, it may be that one which
 * is not told of yet.
 */
const unseenFacts = (
  { money, settled }: Maker,
  invoice: Stripe.Invoice,
  due: number,
  payments: InvoiceParts['payments'],
): readonly StripeFact[] => {
  const { paid_at: at } = invoice.status_transitions;
  if (invoice.status !== 'paid' || at === null) return [];
  const isSure = (invoice.amount_paid_off_stripe ?? 0) > 0 || payments.every(({ status }) => status !== 'open');
  const seen = payments
    .filter(({ status, status_transitions: { paid_at: time } }) => status === 'paid' && time !== null && time <= at)
    .reduce((sum, one) => sum + money(one.amount_paid ?? 0), 0);
  const unseen = due - money(invoice.pre_payment_credit_notes_amount) - seen;
  return isSure && unseen > 0 ? settled('outside', unseen, { outside: unseen }) : [];
};

/**
 * Everything of an invoice that is to be booked, from the time when it is finalised. Each amount is one that Stripe
 * changes no more once its fact is so; which facts there are only grows.
 */
export const invoiceFacts = (invoice: Stripe.Invoice, { payments, notes }: InvoiceParts): readonly StripeFact[] => {
  if (invoice.status_transitions.finalized_at === null) return [];
  const maker = factMaker(invoice);
  const { money, fact, claim, isLost, isVoid } = maker;
  const whole: Worth = { gross: money(invoice.total), tax: money(sumOf(invoice.total_taxes)) };
  const balance = money((invoice.ending_balance ?? invoice.starting_balance) - invoice.starting_balance);
  const due = whole.gross - balance;
  const paid = payments.filter(({ status }) => status === 'paid');
  const unsold = { revenue: whole.gross - whole.tax, tax: whole.tax, balance: -balance };
  return [
    finalisedFact(maker, invoice, whole),
    ...(balance === 0 ? [] : [fact('balance', { balance, receivable: -balance })]),
    ...(isLost ? [fact('uncollectible', { losses: due, receivable: -due })] : []),
    ...paid.flatMap((one) => paymentFacts(maker, one)),
    ...notes.flatMap((note) => noteFacts(maker, note)),
    ...unseenFacts(maker, invoice, due, payments),
    ...(isVoid ? [fact('void', { ...unsold, ...claim(-due) })] : []),
  ];
};
