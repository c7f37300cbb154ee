import { describe, expect, it } from 'vitest';
import { newId } from '../../kernel/ids.ts';
import { money } from '../../kernel/money.ts';
import type { BookAccount, BookEntry, Books } from './charges.ts';

export interface BooksUnderTest {
  readonly books: Books;
  readonly tenant: string;
  /** What an account has on its debit side, minor units; negative on the credit side. */
  readonly debitOf: (account: BookAccount, currency: string) => Promise<number> | number;
}

/** The promises of `Books`, for every adapter. */
export const booksContract = (name: string, open: () => Promise<BooksUnderTest> | BooksUnderTest): void => {
  describe(`books kept by ${name}`, () => {
    const setup = async () => {
      const under = await open();
      const entry = (change: Partial<BookEntry> = {}): BookEntry => ({
        tenant: under.tenant,
        key: `invoice:${newId('inv')}:final`,
        description: 'Invoice INV-000001: final',
        source: 'inv_1',
        lines: [
          { account: 'receivables', amount: money(11_900, 'EUR') },
          { account: 'revenue', amount: money(-10_000, 'EUR') },
          { account: 'tax-payable', amount: money(-1_900, 'EUR') },
        ],
        ...change,
      });
      return { ...under, entry };
    };

    it('have an entry once for its key, whoever posts it and however often', async () => {
      const { books, entry, debitOf } = await setup();
      const before = await debitOf('receivables', 'EUR');
      const one = entry();
      await Promise.all(Array.from({ length: 10 }, () => books.post(one)));
      await books.post(one);
      expect((await debitOf('receivables', 'EUR')) - before).toBe(11_900);
    });

    it('know every account that billing has', async () => {
      const { books, entry, debitOf } = await setup();
      const accounts = ['customer-credit', 'credit-given', 'cash', 'unapplied', 'bad-debt'] as const;
      for (const account of accounts) {
        const before = await debitOf(account, 'EUR');
        const lines = [
          { account, amount: money(7, 'EUR') },
          { account: 'receivables' as const, amount: money(-7, 'EUR') },
        ];
        await books.post(entry({ lines }));
        expect((await debitOf(account, 'EUR')) - before).toBe(7);
      }
    });

    it('refuse what does not sum to zero, and another entry under a key', async () => {
      const { books, entry, debitOf } = await setup();
      const before = await debitOf('receivables', 'EUR');
      const lopsided = { lines: entry().lines.slice(0, 2) };
      await expect(books.post(entry(lopsided))).rejects.toMatchObject({ code: 'invalid-request' });
      expect(await debitOf('receivables', 'EUR')).toBe(before);
      const one = entry();
      await books.post(one);
      const lines = one.lines.map(({ account, amount }) => ({
        account,
        amount: { ...amount, amount: amount.amount * 2 },
      }));
      await expect(books.post({ ...one, lines })).rejects.toMatchObject({ code: 'idempotency-mismatch' });
    });

    it('keep currencies apart', async () => {
      const { books, entry, debitOf } = await setup();
      const before = await debitOf('receivables', 'EUR');
      const lines = entry().lines.map(({ account, amount }) => ({ account, amount: { ...amount, currency: 'JPY' } }));
      await books.post(entry({ lines }));
      expect(await debitOf('receivables', 'EUR')).toBe(before);
      const mixed = [
        { account: 'receivables' as const, amount: money(7, 'EUR') },
        { account: 'revenue' as const, amount: money(-7, 'JPY') },
      ];
      await expect(books.post(entry({ lines: mixed }))).rejects.toMatchObject({ code: 'invalid-request' });
    });
  });
};
