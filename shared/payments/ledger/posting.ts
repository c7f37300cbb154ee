import { randomInt } from 'node:crypto';
import { OmniError } from '../../kernel/errors.ts';
import { canonicalJson, sha256 } from '../../kernel/json.ts';
import type { Money } from '../../kernel/money.ts';
import { type AccountName, accountOf } from './chart.ts';
import { type BalanceShard, type LedgerEntry, maxAmount, maxLines } from './ledger.schema.ts';

export interface LedgerLine {
  /** A name of the chart. */
  readonly account: string;
  /** A debit is positive, a credit negative. */
  readonly amount: Money;
}

/** Lines that sum to zero in every currency. */
export interface LedgerTransaction {
  /** Natural: what is posted under it is posted once. `[\w:.-]`, at most 200 characters. */
  readonly key: string;
  readonly lines: readonly LedgerLine[];
  readonly description?: string | undefined;
  /** What it is posted for, such as a payment's id. */
  readonly source?: string | undefined;
}

export interface PreparedLine extends AccountName {
  readonly amount: number;
}

const refuse = (message: string): OmniError => new OmniError('invalid-request', message);

/** The lines with their accounts. Fails with `invalid-request` for what can't be posted. */
export const preparedLines = ({ key, lines }: LedgerTransaction): readonly PreparedLine[] => {
  if (!/^[\w:.-]{1,200}$/.test(key)) throw refuse('This is no key of a transaction.');
  if (lines.length < 2 || lines.length > maxLines) throw refuse(`A transaction has 2 to ${maxLines} lines.`);
  const prepared = lines.map(({ account, amount: { amount, currency } }) => {
    if (!Number.isSafeInteger(amount) || amount === 0 || Math.abs(amount) > maxAmount) {
      throw refuse(`An amount is an integer between 1 and ${maxAmount} minor units, on either side.`);
    }
    return { ...accountOf(account, currency), amount };
  });
  if (new Set(prepared.map(({ book }) => book)).size > 1) throw refuse('Test and live accounts never meet.');
  const sums = new Map<string, number>();
  for (const { currency, amount } of prepared) sums.set(currency, (sums.get(currency) ?? 0) + amount);
  if ([...sums.values()].some((total) => total !== 0)) throw refuse('The lines do not sum to zero in every currency.');
  return prepared;
};

/** Equal for equal content, whenever it is posted. */
export const hashOf = ({ lines, description, source }: LedgerTransaction): string =>
  sha256(canonicalJson([lines, description ?? null, source ?? null]));

export const entryId = (key: string, line: number): string => `${key}~${line}`;

/** The documents of a transaction's lines, by id. */
export const entriesOf = (transaction: LedgerTransaction, at: string): readonly (readonly [string, LedgerEntry])[] => {
  const { key, description = null, source = null } = transaction;
  const hash = hashOf(transaction);
  const prepared = preparedLines(transaction);
  return prepared.map(({ id, book, currency, amount }, line) => {
    const entry = { transaction: key, line, lines: prepared.length, account: id, book, currency, amount };
    return [entryId(key, line), { ...entry, at, description, source, hash }];
  });
};

export const shardId = (account: string, shard: number): string => `${shard}~${account}`;

interface Increment {
  readonly id: string;
  readonly by: { readonly amount: number };
  readonly fields: Partial<BalanceShard>;
}

/** One write for each account, however many lines it has, to a shard by chance. */
export const incrementsOf = (transactions: readonly LedgerTransaction[]): readonly Increment[] => {
  const byAccount = new Map<string, PreparedLine>();
  for (const line of transactions.flatMap(preparedLines)) {
    const before = byAccount.get(line.id)?.amount ?? 0;
    byAccount.set(line.id, { ...line, amount: before + line.amount });
  }
  return [...byAccount.values()].map(({ id, shards, book, currency, amount }) => ({
    id: shardId(id, randomInt(shards)),
    by: { amount },
    fields: { account: id, book, currency },
  }));
};
