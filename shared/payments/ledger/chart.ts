import { isCurrency } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';

export const accountTypes = ['asset', 'liability', 'income', 'expense', 'equity'] as const;
export type AccountType = (typeof accountTypes)[number];

interface Root {
  readonly type: AccountType;
  /** Documents that its balance is spread over. Each takes about one sustained write a second. */
  readonly shards: number;
}

/**
 * The chart of accounts. An account's name begins with one of these and goes on as its user likes:
 * `gateway:stripe:pending`, `revenue:subscriptions`. What a name begins with says its type, so that nobody can post to
 * one account as an asset and as an expense.
 */
export const chart: Readonly<Record<string, Root>> = {
  gateway: { type: 'asset', shards: 128 },
  bank: { type: 'asset', shards: 16 },
  receivable: { type: 'asset', shards: 128 },
  disputes: { type: 'asset', shards: 16 },
  suspense: { type: 'asset', shards: 16 },
  customers: { type: 'liability', shards: 128 },
  deferred: { type: 'liability', shards: 64 },
  tax: { type: 'liability', shards: 64 },
  payable: { type: 'liability', shards: 16 },
  /** Of one customer each, so never hot, and in one document, so that an amount can be held. */
  wallet: { type: 'liability', shards: 1 },
  revenue: { type: 'income', shards: 128 },
  fees: { type: 'expense', shards: 128 },
  losses: { type: 'expense', shards: 16 },
  equity: { type: 'equity', shards: 16 },
};

export type Book = 'live' | 'test';

export interface AccountName extends Root {
  /** `gateway:stripe:pending@EUR` */
  readonly id: string;
  readonly name: string;
  readonly currency: string;
  /** What begins with `test:` is of money that does not exist. The two never meet in one transaction. */
  readonly book: Book;
}

export const accountNamePattern = /^(test:)?[a-z]{2,20}(:[\w-]{1,80}){0,4}$/;

/** Fails with `invalid-request` for a name that is not in the chart, and for what is no currency. */
export const accountOf = (name: string, currency: string): AccountName => {
  const [first = '', second = ''] = name.split(':');
  const isTest = first === 'test';
  const root = isTest ? second : first;
  const known = Object.hasOwn(chart, root) ? chart[root] : undefined;
  if (!accountNamePattern.test(name) || known === undefined) {
    throw new OmniError('invalid-request', 'This is no account of the chart of accounts.');
  }
  if (!isCurrency(currency)) throw new OmniError('invalid-request', 'This is no currency.');
  return { ...known, id: `${name}@${currency}`, name, currency, book: isTest ? 'test' : 'live' };
};

/** The reverse of an account's id. Fails with `not-found`: there can be no such account. */
export const accountWithId = (id: string): AccountName => {
  const at = id.lastIndexOf('@');
  try {
    return accountOf(id.slice(0, Math.max(0, at)), id.slice(at + 1));
  } catch {
    throw new OmniError('not-found', 'There is no such account.');
  }
};

/** The same account in the books of a mode. */
export const inBook = (book: Book, name: string): string => (book === 'test' ? `test:${name}` : name);

/** Assets and expenses grow by debits, the others by credits. */
export const naturalSign = (type: AccountType): 1 | -1 => (type === 'asset' || type === 'expense' ? 1 : -1);
