import type { Driver, RawDocument } from '#shared/store/driver.ts';

/** A driver that can say all that was ever put into it. */
export interface DumpingDriver extends Driver {
  /** Every document by its path, in order of path. */
  dump(): Promise<ReadonlyMap<string, RawDocument['data']>>;
}

/** Counts of requests, which are kept of refused ones too. */
const accounts = new Set(['rateWindows']);

export const dumping = (driver: Driver): DumpingDriver => {
  const collections = new Set<string>();
  const commit: Driver['commit'] = (writes) => {
    for (const { key } of writes) if (!accounts.has(key.collection)) collections.add(key.collection);
    return driver.commit(writes);
  };
  const allOf = (collection: string) =>
    driver.query(collection, { where: [], orderBy: undefined, after: undefined, limit: Number.MAX_SAFE_INTEGER });
  return {
    ...driver,
    commit,
    transaction: (work) =>
      driver.transaction(async (reader) => {
        const { result, writes } = await work(reader);
        for (const { key } of writes) collections.add(key.collection);
        return { result, writes };
      }),
    dump: async () => {
      const documents = new Map<string, RawDocument['data']>();
      for (const collection of [...collections].sort()) {
        for (const { id, data } of await allOf(collection)) documents.set(`${collection}/${id}`, data);
      }
      return documents;
    },
  };
};
