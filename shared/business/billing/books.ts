import { isZero, type Money, money } from '../../kernel/money.ts';
import type { BookEntry, BookLine } from './charges.ts';
import type { Invoice } from './invoice.schema.ts';

type Account = BookLine['account'];

const linesOf = (amounts: Readonly<Partial<Record<Account, number>>>, currency: string): readonly BookLine[] => {
  const accounts: readonly Account[] = ['receivables', 'revenue', 'tax-payable', 'customer-credit', 'cash', 'bad-debt'];
  return accounts
    .map((account): { account: Account; amount: Money } => ({
      account,
      amount: money(amounts[account] ?? 0, currency),
    }))
    .filter(({ amount }) => !isZero(amount));
};

/** What making it final does: it is owed, or paid from credit, or becomes credit; against revenue and tax. */
const finalAmounts = ({ kind, total, net, tax, creditApplied }: Invoice) => {
  const sign = kind === 'credit-note' ? -1 : 1;
  // Of a credit note it is what became credit, negative already.
  const credit = kind === 'invoice' && total < 0 ? total : creditApplied;
  return {
    receivables: sign * total - credit,
    'customer-credit': credit,
    revenue: -sign * net,
    'tax-payable': -sign * tax,
  };
};

const reversed = (amounts: Readonly<Partial<Record<Account, number>>>) =>
  Object.fromEntries(Object.entries(amounts).map(([account, amount]) => [account, -amount]));

export type Occasion = 'final' | 'paid' | 'void' | 'uncollectible';

/**
 * What an occasion of an invoice is in the books; undefined where it moves nothing. The key is natural, so that posting it
 * again changes nothing. What a gateway took is booked by whoever took it: here only what was noted by hand.
 */
export const entryOf = (
  tenant: string,
  id: string,
  invoice: Invoice,
  occasion: Occasion,
  at: string,
): BookEntry | undefined => {
  const { currency, due, paid, collection } = invoice;
  const amounts = {
    final: finalAmounts(invoice),
    void: reversed(finalAmounts(invoice)),
    paid: collection === 'manual' ? { cash: paid, receivables: -paid } : {},
    uncollectible: { 'bad-debt': due, receivables: -due },
  }[occasion];
  const lines = linesOf(amounts, currency);
  if (lines.length === 0) return undefined;
  const name = invoice.kind === 'credit-note' ? 'Credit note' : 'Invoice';
  return { tenant, key: `invoice:${id}:${occasion}`, at, description: `${name} ${invoice.number}: ${occasion}`, lines };
};
