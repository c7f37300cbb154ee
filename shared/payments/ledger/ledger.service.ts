import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Filter, Stored, TenantStore, Transaction } from '../../store/store.ts';
import { type AccountName, accountWithId, type Book, naturalSign } from './chart.ts';
import type {
  BalanceShard,
  LedgerAccount,
  LedgerAccountView,
  LedgerEntry,
  LedgerEntryView,
  LedgerTransactionView,
  StatementView,
  TrialBalanceView,
} from './ledger.schema.ts';
import { maxLines } from './ledger.schema.ts';
import { entriesOf, hashOf, incrementsOf, type LedgerTransaction, preparedLines } from './posting.ts';

export interface EntryQuery extends PageRequest {
  readonly transaction?: string | undefined;
  readonly source?: string | undefined;
  readonly account?: string | undefined;
}

export interface TrialBalanceQuery extends PageRequest {
  readonly currency: string;
  readonly book: Book;
  /** ISO 8601; now where absent. */
  readonly at?: string | undefined;
}

export interface StatementQuery extends PageRequest {
  readonly from: string;
  readonly to: string;
}

export interface Ledger {
  /**
   * Posts a transaction once: the same key with the same content finds it posted, with other content it fails with
   * `idempotency-mismatch`. One write-only commit: a document for each line and one for each account.
   */
  post(actor: Actor, transaction: LedgerTransaction): Promise<LedgerTransactionView>;
  /** Posts the opposite under `{key}:reversed`. Fails with `not-found`. What was posted stays. */
  reverse(actor: Actor, key: string, description?: string): Promise<LedgerTransactionView>;
  /**
   * Posts as part of a transaction, which fails with `already-exists` where a key is taken. Call `open` before, outside
   * of it. All that is posted in one transaction has to come in one call.
   */
  postIn(transaction: Transaction, tenant: string, transactions: readonly LedgerTransaction[]): void;
  /** Makes accounts known that are not yet. Costs nothing for those that this instance has seen. */
  open(tenant: string, transactions: readonly LedgerTransaction[]): Promise<void>;
  /** Fails with `not-found`. */
  get(actor: Actor, key: string): Promise<LedgerTransactionView>;
  /** By name. */
  accounts(actor: Actor, page: PageRequest): Promise<Page<LedgerAccountView>>;
  /** Positive on the account's own side; now, or as it was at a time. Fails with `not-found`. */
  balance(actor: Actor, account: string, at?: string): Promise<number>;
  /** The newest first. */
  entries(actor: Actor, query: EntryQuery): Promise<Page<LedgerEntryView>>;
  /** What moved an account between two times (the first belongs to it, the second does not), the oldest first. */
  statement(actor: Actor, account: string, query: StatementQuery): Promise<StatementView>;
  /** Every account of a currency with its balance on its side, and the difference of all, which has to be 0. */
  trialBalance(actor: Actor, query: TrialBalanceQuery): Promise<TrialBalanceView>;
}

export interface LedgerOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly accounts: TenantStore<LedgerAccount>;
  readonly entries: TenantStore<LedgerEntry>;
  readonly balances: TenantStore<BalanceShard>;
  /** Where it is given, what a person or key posts is recorded; what the system posts has a source. */
  readonly audit?: Pick<AuditLog, 'record'>;
  readonly clock: Clock;
}

const maxKnown = 20_000;

const viewOf = ({ id, value: { hash: _h, line: _l, lines: _n, ...entry } }: Stored<LedgerEntry>): LedgerEntryView => ({
  id,
  ...entry,
});

const transactionView = (key: string, entries: readonly (readonly [string, LedgerEntry])[]): LedgerTransactionView => {
  const items = entries.map(([id, value]) => viewOf({ id, revision: '', value }));
  return { key, at: items[0]?.at ?? '', entries: items };
};

const noAccount = () => new OmniError('not-found', 'There is no such account.');

/** Makes accounts known, and remembers which are. */
const accountOpener = (accounts: TenantStore<LedgerAccount>, clock: Clock): Ledger['open'] => {
  const known = new Set<string>();

  const openAccount = async (tenant: string, { id, name, type, currency, book }: AccountName): Promise<void> => {
    const seen = `${tenant}/${id}`;
    if (known.has(seen)) return;
    try {
      await accounts.of(tenant).create(id, { name, type, currency, book, openedAt: isoTime(clock.now()) });
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
    }
    if (known.size >= maxKnown) known.clear();
    known.add(seen);
  };

  return async (tenant, transactions) => {
    const byId = new Map(transactions.flatMap(preparedLines).map((line) => [line.id, line]));
    await Promise.all([...byId.values()].map((account) => openAccount(tenant, account)));
  };
};

export const createLedger = (options: LedgerOptions): Ledger => {
  const { database, accounts, entries, balances, audit, clock } = options;
  const open = accountOpener(accounts, clock);

  const write = (transaction: Transaction, tenant: string, posted: readonly LedgerTransaction[], at: string): void => {
    for (const [id, entry] of posted.flatMap((one) => entriesOf(one, at))) {
      transaction.create(entries.of(tenant), id, entry);
    }
    for (const { id, by, fields } of incrementsOf(posted)) {
      transaction.increment(balances.of(tenant), id, by, fields);
    }
  };
  const postIn: Ledger['postIn'] = (transaction, tenant, posted) =>
    write(transaction, tenant, posted, isoTime(clock.now()));

  const linesOf = async (tenant: string, key: string): Promise<readonly Stored<LedgerEntry>[]> => {
    const where: Filter[] = [{ field: 'transaction', op: '==', value: key }];
    const { items } = await entries.of(tenant).query({ where, limit: maxLines });
    return items.toSorted((a, b) => a.value.line - b.value.line);
  };

  const get: Ledger['get'] = async ({ tenant }, key) => {
    const lines = await linesOf(tenant, key);
    if (lines.length === 0) throw new OmniError('not-found', 'There is no such transaction.');
    return transactionView(
      key,
      lines.map(({ id, value }) => [id, value]),
    );
  };

  const post: Ledger['post'] = async (actor, transaction) => {
    await open(actor.tenant, [transaction]);
    const at = isoTime(clock.now());
    try {
      await database.transaction(async (within) => {
        write(within, actor.tenant, [transaction], at);
        if (actor.kind === 'system' || audit === undefined) return;
        const target = { type: 'ledger-transaction', id: transaction.key };
        await audit.record(within, actor, { action: 'payments.ledger-transaction.posted', target, outcome: 'success' });
      });
      return transactionView(transaction.key, entriesOf(transaction, at));
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
      const [first] = await linesOf(actor.tenant, transaction.key);
      if (first?.value.hash !== hashOf(transaction)) {
        throw new OmniError('idempotency-mismatch', 'Something else was posted under this key.', { cause: error });
      }
    }
    return get(actor, transaction.key);
  };

  const sumOf = async (tenant: string, where: readonly Filter[], at?: string): Promise<number> => {
    const { sum } =
      at === undefined
        ? await balances.of(tenant).aggregate({ where, sum: ['amount'] })
        : await entries.of(tenant).aggregate({
            where: [...where, { field: 'at', op: '<=', value: at }],
            sum: ['amount'],
          });
    // -0 is no balance.
    return (sum.amount ?? 0) + 0;
  };
  const debitOf = (tenant: string, account: string, at?: string) =>
    sumOf(tenant, [{ field: 'account', op: '==', value: account }], at);

  const signed = (type: AccountName['type'], debit: number): number => (debit === 0 ? 0 : naturalSign(type) * debit);

  const balance: Ledger['balance'] = async ({ tenant }, id, at) => {
    const { type } = accountWithId(id);
    if ((await accounts.of(tenant).get(id)) === undefined) throw noAccount();
    return signed(type, await debitOf(tenant, id, at));
  };

  return {
    post,
    postIn,
    open,
    get,
    balance,
    reverse: async (actor, key, description) => {
      const original = await get(actor, key);
      const lines = original.entries.map(({ account, amount, currency }) => ({
        account: accountWithId(account).name,
        amount: { amount: -amount, currency },
      }));
      const source = original.entries[0]?.source ?? undefined;
      return post(actor, { key: `${key}:reversed`, lines, description: description ?? `Reversal of ${key}`, source });
    },
    accounts: async ({ tenant }, { limit, cursor }) => {
      const page = await accounts.of(tenant).query({ limit, cursor });
      const items = await Promise.all(
        page.items.map(async ({ id, value }) => ({
          id,
          ...value,
          balance: signed(value.type, await debitOf(tenant, id)),
        })),
      );
      return { ...page, items };
    },
    entries: async ({ tenant }, { transaction, source, account, limit, cursor }) => {
      const where: Filter[] = [];
      if (transaction !== undefined) where.push({ field: 'transaction', op: '==', value: transaction });
      if (source !== undefined) where.push({ field: 'source', op: '==', value: source });
      if (account !== undefined) where.push({ field: 'account', op: '==', value: account });
      const orderBy = { field: 'at', order: 'desc' } as const;
      const page = await entries.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    statement: async (actor, id, { from, to, limit, cursor }) => {
      const { tenant } = actor;
      const { type, currency } = accountWithId(id);
      if ((await accounts.of(tenant).get(id)) === undefined) throw noAccount();
      const before = (time: string): string => isoTime(Date.parse(time) - 1);
      const where: Filter[] = [
        { field: 'account', op: '==', value: id },
        { field: 'at', op: '>=', value: from },
        { field: 'at', op: '<', value: to },
      ];
      const [opening, closing, page] = await Promise.all([
        debitOf(tenant, id, before(from)),
        debitOf(tenant, id, before(to)),
        entries.of(tenant).query({ where, orderBy: { field: 'at', order: 'asc' }, limit, cursor }),
      ]);
      return {
        account: id,
        currency,
        from,
        to,
        opening: signed(type, opening),
        closing: signed(type, closing),
        items: page.items.map(viewOf),
        nextCursor: page.nextCursor,
      };
    },
    trialBalance: async ({ tenant }, { currency, book, at, limit, cursor }) => {
      const where: Filter[] = [
        { field: 'book', op: '==', value: book },
        { field: 'currency', op: '==', value: currency },
      ];
      const [difference, page] = await Promise.all([
        sumOf(tenant, where, at),
        accounts.of(tenant).query({ where, limit, cursor }),
      ]);
      const items = await Promise.all(
        page.items.map(async ({ id, value: { name, type } }) => {
          const debit = await debitOf(tenant, id, at);
          return { id, account: name, type, debit: Math.max(0, debit), credit: Math.max(0, -debit) };
        }),
      );
      return { currency, book, at: at ?? null, difference, items, nextCursor: page.nextCursor };
    },
  };
};
