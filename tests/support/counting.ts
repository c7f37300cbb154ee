import type { Driver, Reader } from '#shared/store/driver.ts';

/** A driver that counts the documents and queries that were asked for, by collection. */
export interface CountingDriver extends Driver {
  /** Since the last call. `tenants/acme/users` counts as `users`. */
  taken(): Readonly<Record<string, number>>;
}

export const counting = (driver: Driver): CountingDriver => {
  let reads: Record<string, number> = {};
  const count = (collection: string): void => {
    const name = collection.split('/').at(-1) ?? collection;
    reads[name] = (reads[name] ?? 0) + 1;
  };
  const counted =
    (get: Reader['get']): Reader['get'] =>
    (keys) => {
      for (const { collection } of keys) count(collection);
      return get(keys);
    };
  return {
    ...driver,
    get: counted(driver.get),
    transaction: (work) => driver.transaction(({ get }) => work({ get: counted(get) })),
    query: (collection, query) => {
      count(collection);
      return driver.query(collection, query);
    },
    aggregate: (collection, request) => {
      count(collection);
      return driver.aggregate(collection, request);
    },
    taken: () => {
      const taken = reads;
      reads = {};
      return taken;
    },
  };
};
