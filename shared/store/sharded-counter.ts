import { randomInt } from 'node:crypto';
import { valueAt } from './query.ts';
import type { Store, Transaction } from './store.ts';

export interface ShardedCounterOptions {
  /** 1 to 1,000. Each takes about one sustained write a second. */
  readonly shards: number;
}

/** Counts that many writers raise at once: each count is spread over several documents, `{shard}~{id}`. */
export interface ShardedCounter<T extends object> {
  /** Never loses an increment. `fields` as for the store's own increment. */
  add(id: string, by: Readonly<Record<string, number>>, fields?: Partial<T>): Promise<void>;
  /** The same as part of a transaction. */
  addIn(transaction: Transaction, id: string, by: Readonly<Record<string, number>>, fields?: Partial<T>): void;
  /** By field (`a.b` reaches into an object): the sum over all shards, 0 where nothing was added. */
  read(id: string, fields: readonly string[]): Promise<Readonly<Record<string, number>>>;
}

/** The method is Firestore's own: https://cloud.google.com/firestore/docs/solutions/counters. */
export const shardedCounter = <T extends object>(
  store: Store<T>,
  { shards }: ShardedCounterOptions,
): ShardedCounter<T> => {
  // The shard first: ids that begin alike would make one hot range of keys.
  const shardOf = (id: string, shard: number): string => `${shard}~${id}`;
  return {
    add: (id, by, fields) => store.increment(shardOf(id, randomInt(shards)), by, fields),
    addIn: (transaction, id, by, fields) => transaction.increment(store, shardOf(id, randomInt(shards)), by, fields),
    read: async (id, fields) => {
      const found = await store.getMany(Array.from({ length: shards }, (_, shard) => shardOf(id, shard)));
      const total = (field: string): number =>
        found
          .map((shard) => valueAt(shard?.value, field))
          .reduce<number>((sum, value) => sum + (typeof value === 'number' ? value : 0), 0);
      return Object.fromEntries(fields.map((field) => [field, total(field)]));
    },
  };
};
