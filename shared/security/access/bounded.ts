import { OmniError } from '../../kernel/errors.ts';
import { tenantCollection } from '../../store/collection.ts';
import { type Gate, gateSchema, openGate } from '../../store/gate.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, Store, TenantStore, Transaction } from '../../store/store.ts';

/** What has passed of each kind that a tenant has a bounded number of: one document a kind. */
export const countGateCollection = tenantCollection<Gate>({ name: 'countGates', schema: gateSchema });

export interface Bound {
  /** Names the gate, and what there is too much of: `roles`. */
  readonly what: string;
  readonly limit: number;
}

/** Commits `write`, which makes one more. Fails with `precondition-failed` where a tenant has as many as it may. */
export type AddOne = <T extends object>(
  tenant: string,
  store: Store<T>,
  bound: Bound,
  write: (transaction: Transaction) => Promise<void> | void,
) => Promise<void>;

/** Of n callers at once one gets through in each round. */
const maxAttempts = 40;

/** For what a tenant may have a fixed number of, whatever its plan. */
export const bounded =
  (database: Pick<Database, 'transaction'>, gates: TenantStore<Gate>): AddOne =>
  (tenant, store, { what, limit }, write) =>
    retrying(maxAttempts, async () => {
      const pass = await openGate(gates.of(tenant), what);
      const { count } = await store.aggregate({});
      if (count >= limit) throw new OmniError('precondition-failed', `A tenant has at most ${limit} ${what}.`);
      await database.transaction(async (transaction) => {
        await write(transaction);
        pass(transaction);
      });
    });
