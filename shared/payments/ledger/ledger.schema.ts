import * as z from 'zod';
import { platformCollection, tenantCollection } from '../../store/collection.ts';
import { accountNamePattern, accountTypes } from './chart.ts';

/** Units of 10^13 and more are no payment but a mistake. */
export const maxAmount = 9_999_999_999_999;
export const maxLines = 20;

const bookSchema = z.enum(['live', 'test']);
const accountNameSchema = z
  .string()
  .max(200)
  .regex(accountNamePattern)
  .meta({ description: 'Begins as the chart of accounts has it.', examples: ['gateway:stripe:pending'] });

const accountSchema = z.object({
  name: z.string(),
  type: z.enum(accountTypes),
  currency: z.string(),
  book: bookSchema,
  openedAt: z.iso.datetime(),
});
export type LedgerAccount = z.infer<typeof accountSchema>;

export const ledgerAccountCollection = tenantCollection<LedgerAccount>({
  name: 'ledgerAccounts',
  schema: accountSchema,
  unindexed: ['openedAt'],
});

const entrySchema = z.object({
  /** The natural key of the transaction that it is a line of. */
  transaction: z.string(),
  line: z.int().min(0),
  /** Lines of the transaction. */
  lines: z.int(),
  /** Id of the account. */
  account: z.string(),
  book: bookSchema,
  currency: z.string(),
  /** Minor units; a debit is positive, a credit negative. */
  amount: z.int(),
  /** The same in all lines of a transaction, so that no point in time parts them. */
  at: z.iso.datetime(),
  description: z.string().nullable(),
  /** What it is posted for, such as a payment's id. */
  source: z.string().nullable(),
  /** Of what was posted, to tell a repetition from another transaction with the same key. */
  hash: z.string(),
});
export type LedgerEntry = z.infer<typeof entrySchema>;

const desc = { field: 'at', order: 'desc' } as const;
const asc = (field: string) => ({ field, order: 'asc' }) as const;

/** A line of a transaction, which is never changed. Its id is the transaction's key and its number. */
export const ledgerEntryCollection = tenantCollection<LedgerEntry>({
  name: 'ledgerEntries',
  schema: entrySchema,
  unindexed: ['description', 'hash', 'line', 'lines'],
  indexes: [
    { fields: [asc('account'), desc] },
    { fields: [asc('source'), desc] },
    { fields: [asc('transaction'), desc] },
    { fields: [asc('book'), desc] },
    { fields: [asc('account'), asc('at')] },
    { fields: [asc('account'), asc('at'), asc('amount')] },
    { fields: [asc('book'), asc('currency'), asc('at')] },
    { fields: [asc('book'), asc('currency'), asc('at'), asc('amount')] },
  ],
});

const shardSchema = z.object({ account: z.string(), book: bookSchema, currency: z.string(), amount: z.number() });
export type BalanceShard = z.infer<typeof shardSchema>;

/** A part of an account's balance: `{shard}~{account}`. */
export const ledgerBalanceCollection = tenantCollection<BalanceShard>({
  name: 'ledgerBalances',
  schema: shardSchema,
  indexes: [{ fields: [asc('account'), asc('amount')] }, { fields: [asc('book'), asc('currency'), asc('amount')] }],
});

const holdSchema = z.object({
  account: z.string(),
  currency: z.string(),
  amount: z.int(),
  status: z.enum(['held', 'released', 'captured']),
  /** What was taken of it; the rest went back. */
  captured: z.int(),
  placedAt: z.iso.datetime(),
  /** From then on it can't be captured, and is given back. */
  expiresAt: z.iso.datetime(),
  settledAt: z.iso.datetime().nullable(),
});
export type LedgerHold = z.infer<typeof holdSchema>;

/** By its natural key. */
export const ledgerHoldCollection = tenantCollection<LedgerHold>({ name: 'ledgerHolds', schema: holdSchema });

const holdWatchSchema = z.object({ tenant: z.string(), hold: z.string(), dueAt: z.iso.datetime() });
export type LedgerHoldWatch = z.infer<typeof holdWatchSchema>;

/** Holds that are not settled, over all tenants, by when they expire. */
export const ledgerHoldWatchCollection = platformCollection<LedgerHoldWatch>({
  name: 'ledgerHoldWatches',
  schema: holdWatchSchema,
});

const keySchema = z
  .string()
  .regex(/^[\w:.-]{1,200}$/)
  .meta({ description: 'Its natural key: the same key is posted once.', examples: ['payout:2026-01-31'] });
const currencySchema = z.string().regex(/^[A-Z]{3}$/);

export const transactionInputSchema = z
  .strictObject({
    key: keySchema,
    lines: z
      .array(
        z.strictObject({
          account: accountNameSchema,
          currency: currencySchema,
          amount: z
            .int()
            .min(-maxAmount)
            .max(maxAmount)
            .refine((amount) => amount !== 0, 'Must not be 0')
            .meta({ description: 'Minor units; a debit is positive, a credit negative.' }),
        }),
      )
      .min(2)
      .max(maxLines),
    description: z.string().min(1).max(500).optional(),
    source: z.string().min(1).max(200).optional(),
  })
  .meta({
    id: 'LedgerTransactionInput',
    examples: [
      {
        key: 'payout:2026-01-31',
        lines: [
          { account: 'bank:main', currency: 'EUR', amount: 100_000 },
          { account: 'gateway:stripe:pending', currency: 'EUR', amount: -100_000 },
        ],
      },
    ],
  });

export const entryViewSchema = entrySchema
  .omit({ hash: true, lines: true, line: true })
  .extend({ id: z.string() })
  .meta({ id: 'LedgerEntry' });
export type LedgerEntryView = z.infer<typeof entryViewSchema>;

export const transactionViewSchema = z
  .object({ key: z.string(), at: z.iso.datetime(), entries: z.array(entryViewSchema).readonly() })
  .meta({ id: 'LedgerTransaction' });
export type LedgerTransactionView = z.infer<typeof transactionViewSchema>;

export const ledgerAccountViewSchema = accountSchema
  .extend({ id: z.string(), balance: z.number().meta({ description: "Positive on the account's own side." }) })
  .meta({ id: 'LedgerAccount' });
export type LedgerAccountView = z.infer<typeof ledgerAccountViewSchema>;

export const statementViewSchema = z
  .object({
    account: z.string(),
    currency: z.string(),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    opening: z.number().meta({ description: "Just before `from`, positive on the account's own side." }),
    closing: z.number(),
    items: z.array(entryViewSchema).readonly(),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'LedgerStatement' });
export type StatementView = z.infer<typeof statementViewSchema>;

export const trialBalanceViewSchema = z
  .object({
    currency: z.string(),
    book: bookSchema,
    at: z.iso.datetime().nullable().meta({ description: 'Null for now.' }),
    /** Over all accounts, not only this page's: it is 0, or the books are broken. */
    difference: z.number(),
    items: z.array(
      z.object({
        id: z.string(),
        account: z.string(),
        type: z.enum(accountTypes),
        debit: z.number(),
        credit: z.number(),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'TrialBalance' });
export type TrialBalanceView = z.infer<typeof trialBalanceViewSchema>;
