import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import { type AccountName, accountOf, naturalSign } from './chart.ts';
import type { BalanceShard, LedgerHold, LedgerHoldWatch } from './ledger.schema.ts';
import type { Ledger } from './ledger.service.ts';
import { type LedgerTransaction, shardId } from './posting.ts';

export interface HoldRequest {
  /** Natural: one hold for each. `[\w:.-]`, at most 150 characters. */
  readonly key: string;
  /** A `wallet:…` of at most four parts. */
  readonly account: string;
  readonly amount: Money;
  /** ISO 8601, at most 90 days on. Seven days on where absent. */
  readonly expiresAt?: string | undefined;
}

export type LedgerHoldView = LedgerHold & { readonly key: string };

export interface LedgerHolds {
  /**
   * Sets an amount of an account aside, until it is settled or expires. Fails with `precondition-failed` where there is not enough, and with
   * `idempotency-mismatch` where the key is another hold's.
   */
  place(actor: Actor, request: HoldRequest): Promise<LedgerHoldView>;
  /** Gives it back. Fails with `not-found`, and with `precondition-failed` where it was captured. */
  release(actor: Actor, key: string): Promise<LedgerHoldView>;
  /** Moves all of it, or a part, to another account, and gives the rest back. Fails likewise, and where it has expired. */
  capture(actor: Actor, key: string, to: string, amount?: number): Promise<LedgerHoldView>;
}

export interface LedgerHoldOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly ledger: Pick<Ledger, 'open' | 'postIn'>;
  readonly holds: TenantStore<LedgerHold>;
  readonly watches: Store<LedgerHoldWatch>;
  readonly balances: TenantStore<BalanceShard>;
  readonly clock: Clock;
}

const dayLength = 86_400_000;
const usualTerm = 7 * dayLength;
const longestTerm = 90 * dayLength;

export const holdWatchId = (tenant: string, hold: string): string => derivedId('lhw', tenant, hold);

const heldOf = (account: string): string => `${account}:held`;

/** A hold is a transfer to `{account}:held`, so the books show it, and the trial balance counts it. */
export const createLedgerHolds = (options: LedgerHoldOptions): LedgerHolds => {
  const { database, ledger, holds, watches, balances, clock } = options;

  const transfer = (key: string, from: string, to: readonly (readonly [string, Money])[]): LedgerTransaction => {
    const total = to.reduce((sum, [, { amount }]) => sum + amount, 0);
    const currency = to[0]?.[1].currency ?? '';
    // Out of a liability is a debit, into another a credit.
    return {
      key,
      lines: [
        { account: from, amount: { amount: total, currency } },
        ...to.map(([account, { amount }]) => ({ account, amount: { amount: -amount, currency } })),
      ],
      description: 'Hold',
    };
  };

  const requireHoldable = ({ shards, type }: AccountName): void => {
    if (shards !== 1 || naturalSign(type) !== -1) {
      throw new OmniError('invalid-request', 'Only of a wallet can an amount be held.');
    }
  };

  const find = async (tenant: string, key: string): Promise<Stored<LedgerHold>> => {
    const hold = await holds.of(tenant).get(key);
    if (hold === undefined) throw new OmniError('not-found', 'There is no such hold.');
    return hold;
  };

  const settle = async (
    { tenant }: Actor,
    { id, value, revision }: Stored<LedgerHold>,
    taken: readonly [to: string, amount: number] | undefined,
  ): Promise<LedgerHoldView> => {
    const { account, amount, currency } = value;
    const captured = taken?.[1] ?? 0;
    const parts: (readonly [string, Money])[] = [];
    if (taken !== undefined) parts.push([taken[0], { amount: captured, currency }]);
    if (captured < amount) parts.push([account, { amount: amount - captured, currency }]);
    const posting = transfer(`hold:${id}:settled`, heldOf(account), parts);
    const status = taken === undefined ? 'released' : 'captured';
    const next: LedgerHold = { ...value, status, captured, settledAt: isoTime(clock.now()) };
    await ledger.open(tenant, [posting]);
    await database.transaction((transaction) => {
      transaction.update(holds.of(tenant), id, next, { revision });
      transaction.delete(watches, holdWatchId(tenant, id));
      ledger.postIn(transaction, tenant, [posting]);
    });
    return { key: id, ...next };
  };

  const expiryOf = (asked: string | undefined): string => {
    const now = clock.now();
    const at = asked === undefined ? now + usualTerm : Date.parse(asked);
    if (at > now && at <= now + longestTerm) return isoTime(at);
    throw new OmniError('invalid-request', 'A hold expires within 90 days from now.');
  };

  return {
    place: async ({ tenant }, { key, account, amount: { amount, currency }, expiresAt: asked }) => {
      const name = accountOf(account, currency);
      requireHoldable(name);
      const posting = transfer(`hold:${key}:placed`, account, [[heldOf(account), { amount, currency }]]);
      if (amount <= 0) throw new OmniError('invalid-request', 'A hold is of a positive amount.');
      const placedAt = isoTime(clock.now());
      const expiresAt = expiryOf(asked);
      const terms = { account, currency, amount, placedAt, expiresAt };
      const hold: LedgerHold = { ...terms, status: 'held', captured: 0, settledAt: null };
      await ledger.open(tenant, [posting]);
      const store = holds.of(tenant);
      try {
        await database.transaction(async (transaction) => {
          // Reading it makes this wait for whoever else is about to take of it.
          const shard = await transaction.get(balances.of(tenant), shardId(name.id, 0));
          const available = -(shard?.value.amount ?? 0);
          const there = await transaction.get(store, key);
          if (there !== undefined) throw new OmniError('already-exists', 'This hold is placed.');
          if (available < amount) throw new OmniError('precondition-failed', 'There is not enough to hold.');
          transaction.create(store, key, hold);
          transaction.create(watches, holdWatchId(tenant, key), { tenant, hold: key, dueAt: expiresAt });
          ledger.postIn(transaction, tenant, [posting]);
        });
        return { key, ...hold };
      } catch (error) {
        if (!isOmniError(error, 'already-exists')) throw error;
        const { value } = await find(tenant, key);
        if (value.account === account && value.currency === currency && value.amount === amount)
          return { key, ...value };
        throw new OmniError('idempotency-mismatch', 'This key is another hold’s.', { cause: error });
      }
    },
    release: async (actor, key) => {
      const hold = await find(actor.tenant, key);
      if (hold.value.status === 'released') return { key, ...hold.value };
      if (hold.value.status === 'captured') throw new OmniError('precondition-failed', 'The hold was captured.');
      return settle(actor, hold, undefined);
    },
    capture: async (actor, key, to, amount) => {
      const hold = await find(actor.tenant, key);
      const wanted = amount ?? hold.value.amount;
      if (hold.value.status === 'captured' && hold.value.captured === wanted) return { key, ...hold.value };
      if (hold.value.status !== 'held') throw new OmniError('precondition-failed', 'The hold is settled.');
      if (Date.parse(hold.value.expiresAt) <= clock.now()) {
        throw new OmniError('precondition-failed', 'The hold has expired.');
      }
      if (!Number.isSafeInteger(wanted) || wanted <= 0 || wanted > hold.value.amount) {
        throw new OmniError('invalid-request', 'A part of a hold is positive, and no more than it.');
      }
      return settle(actor, hold, [to, wanted]);
    },
  };
};
