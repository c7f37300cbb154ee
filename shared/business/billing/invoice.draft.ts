import { isoTime } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import type { Stored } from '../../store/store.ts';
import type { Coupon } from './coupon.schema.ts';
import type { Customer } from './customer.schema.ts';
import type { DraftLine, Invoice } from './invoice.schema.ts';
import { reckon } from './invoice.totals.ts';
import type { BillingSettings } from './settings.schema.ts';
import type { BillingContext } from './settings.service.ts';
import type { TaxDecision } from './tax.schema.ts';
import type { TaxCategory } from './vat.ts';
import { type Credit, spend, type Wallet, withCredit } from './wallet.ts';

export interface AppliedDiscount {
  readonly id: string;
  readonly code: string | null;
  readonly coupon: Coupon;
}

export interface DraftInput {
  readonly kind?: Invoice['kind'];
  readonly customer: Stored<Customer>;
  readonly subscription: string | null;
  readonly currency: string;
  readonly lines: readonly DraftLine[];
  readonly discounts: readonly AppliedDiscount[];
  readonly decisions: ReadonlyMap<TaxCategory, TaxDecision>;
  readonly collection: Invoice['collection'];
  readonly corrects?: string;
  readonly reason?: string;
}

const decisionOf = (decisions: DraftInput['decisions'], category: TaxCategory): TaxDecision => {
  const decision = decisions.get(category);
  if (decision === undefined) throw new Error(`Nobody decided on the tax of what is ${category}.`);
  return decision;
};

/** An invoice with all its sums. Pure; fails with `invalid-request` where an amount is 2^53 or more. */
export const draftInvoice = (input: DraftInput, { settings, now }: BillingContext): Invoice => {
  const { customer, currency, lines, discounts, decisions } = input;
  const { value: who } = customer;
  const charges = lines.map(({ product, amount, discountable, taxBehaviour, taxCategory }) => ({
    product,
    discountable,
    amount: money(amount, currency),
    taxBehaviour,
    tax: decisionOf(decisions, taxCategory),
  }));
  const { lines: reckoned, totals } = reckon(charges, {
    discounts: discounts.map(({ coupon }) => coupon),
    rounding: settings.taxRounding,
    currency,
  });
  return {
    kind: input.kind ?? 'invoice',
    status: 'draft',
    number: null,
    customer: customer.id,
    subscription: input.subscription,
    currency,
    seller: settings.seller,
    buyer: { name: who.name, email: who.email, address: who.address, country: who.country, vatId: who.vatId },
    lines: lines.map((line, i) => ({
      ...line,
      discount: reckoned[i]?.discount.amount ?? 0,
      net: reckoned[i]?.net.amount ?? 0,
      tax: decisionOf(decisions, line.taxCategory),
    })),
    discounts: discounts.map(({ id, code, coupon }) => ({ coupon: id, name: coupon.name, code })),
    subtotal: totals.subtotal.amount,
    discount: totals.discount.amount,
    net: totals.net.amount,
    tax: totals.tax.amount,
    total: totals.total.amount,
    taxes: [...totals.groups],
    evidence: who.evidence,
    creditApplied: 0,
    paid: 0,
    payments: [],
    charge: null,
    writtenOff: 0,
    toRefund: 0,
    refunds: [],
    credited: 0,
    due: totals.total.amount,
    collection: input.collection,
    corrects: input.corrects ?? null,
    reason: input.reason ?? null,
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

const dayLength = 86_400_000;

export const numberOf = (series: string, sequence: number): string => `${series}-${String(sequence).padStart(6, '0')}`;

/** When something is first done about an invoice that nobody pays: at once where it is charged, else after it is due. */
const firstAction = (collection: Invoice['collection'], settings: BillingSettings, now: number): number => {
  if (collection === 'automatic') return now;
  const [first = 1] = settings.dunning.retryAfterDays;
  return now + (settings.paymentTermDays + first) * dayLength;
};

/**
 * An invoice with its number, from now on unchangeable in all but its payment. The customer's credit is spent on it; what
 * is owed to the customer (a negative total) becomes their credit, and there is nothing left to pay.
 */
export const finalised = (
  draft: Invoice,
  { number, credit, wallet }: { number: string; credit: Pick<Credit, 'id'>; wallet: Wallet },
  { settings, now }: BillingContext,
): { readonly invoice: Invoice; readonly wallet: Wallet } => {
  const at = isoTime(now);
  const isOwed = draft.total < 0;
  const given: Credit = {
    id: credit.id,
    currency: draft.currency,
    amount: Math.max(0, -draft.total),
    remaining: Math.max(0, -draft.total),
    reason: `Credit of ${number}`,
    expiresAt: null,
    createdAt: at,
  };
  const paid = isOwed
    ? { wallet: withCredit(wallet, given, now), spent: 0 }
    : draft.kind === 'invoice'
      ? spend(wallet, draft.total, draft.currency, now)
      : { wallet, spent: 0 };
  const due = isOwed || draft.kind === 'credit-note' ? 0 : draft.total - paid.spent;
  const isClosed = due === 0;
  return {
    wallet: paid.wallet,
    invoice: {
      ...draft,
      number,
      seller: settings.seller,
      status: isClosed ? 'paid' : 'open',
      creditApplied: paid.spent,
      due,
      issuedAt: at,
      dueAt: isoTime(now + settings.paymentTermDays * dayLength),
      closedAt: isClosed ? at : null,
      nextActionAt: isClosed ? null : isoTime(firstAction(draft.collection, settings, now)),
    },
  };
};
