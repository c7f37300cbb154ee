import { systemActor } from '../../kernel/actor.ts';
import { inBook, type Ledger } from '../../payments/index.ts';
import type { BookAccount, Books } from './charges.ts';

export interface LedgerBooksOptions {
  readonly ledger: () => Promise<Pick<Ledger, 'post'>>;
  /** Money of a sandbox does not exist, and is in books of its own. */
  readonly isSandbox: (tenant: string) => Promise<boolean>;
}

/** Their names in the chart of accounts. */
export const ledgerNames: Readonly<Record<BookAccount, string>> = {
  receivables: 'receivable:invoices',
  revenue: 'revenue:billing',
  'tax-payable': 'tax:sales',
  'customer-credit': 'customers:credit',
  'credit-given': 'revenue:credit-given',
  cash: 'bank:by-hand',
  // Where payments book what payers have paid.
  unapplied: 'customers:unapplied',
  'bad-debt': 'losses:bad-debt',
};

/** An adapter of `Books`: the ledger that payments keep too, so that both are in one trial balance. */
export const ledgerBooks = ({ ledger, isSandbox }: LedgerBooksOptions): Books => ({
  post: async ({ tenant, key, description, source, lines }) => {
    const book = (await isSandbox(tenant)) ? 'test' : 'live';
    const posted = lines.map(({ account, amount }) => ({ account: inBook(book, ledgerNames[account]), amount }));
    await (await ledger()).post(systemActor(tenant, 'billing'), { key, description, source, lines: posted });
  },
});
