import type { BookEntry, Books } from '#shared/business/index.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import { canonicalJson } from '#shared/kernel/json.ts';

const linesOf = ({ lines }: BookEntry): string => canonicalJson(lines.map((line) => ({ ...line })));

/** Books with a memory: an entry sums to zero, and a key is one entry. They pass books.contract.ts. */
export const openBooks = () => {
  const entries = new Map<string, BookEntry>();
  const books: Books = {
    post: async (entry) => {
      if (entry.lines.reduce((sum, { amount }) => sum + amount.amount, 0) !== 0) {
        throw new OmniError('invalid-request', 'An entry must sum to zero.');
      }
      const before = entries.get(entry.key);
      if (before !== undefined && linesOf(before) !== linesOf(entry)) {
        throw new OmniError('idempotency-mismatch', `This key is another entry: ${entry.key}.`);
      }
      entries.set(entry.key, entry);
    },
  };
  /** Of each account, minor units, debits positive. Those at zero are left out. */
  const balance = (): Readonly<Record<string, number>> => {
    const sums = new Map<string, number>();
    for (const { account, amount } of [...entries.values()].flatMap(({ lines }) => lines)) {
      sums.set(account, (sums.get(account) ?? 0) + amount.amount);
    }
    return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0));
  };
  return { books, entries, balance };
};
