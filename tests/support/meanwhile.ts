import type { Driver } from '#shared/store/driver.ts';

type Run = () => Promise<unknown>;

export interface Meanwhile {
  readonly driver: Driver;
  /**
   * Holds the next read of a collection, by id or by query, back until `run` is over: whatever is read at the same time
   * is read before. What `run` itself does is not held back.
   */
  beforeRead(collection: string, run: Run): void;
  /** Holds the next transaction back: what it was decided on was read before. */
  beforeTransaction(run: Run): void;
  /** Whether it came to that. */
  readonly happened: () => boolean;
}

const transaction = Symbol('transaction');

/** Lets others do something between two calls of one process, always at the same point. */
export const meanwhile = (driver: Driver): Meanwhile => {
  let planned: { readonly at: string | symbol; readonly run: Run } | undefined;
  const hold = async (at: readonly (string | symbol)[]): Promise<void> => {
    const due = planned;
    if (due === undefined || !at.includes(due.at)) return;
    planned = undefined;
    await due.run();
  };
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  return {
    driver: {
      ...driver,
      get: async (keys) => {
        await hold(keys.map(({ collection }) => nameOf(collection)));
        return driver.get(keys);
      },
      query: async (collection, query) => {
        await hold([nameOf(collection)]);
        return driver.query(collection, query);
      },
      transaction: async (work) => {
        await hold([transaction]);
        return driver.transaction(work);
      },
    },
    beforeRead: (at, run) => {
      planned = { at, run };
    },
    beforeTransaction: (run) => {
      planned = { at: transaction, run };
    },
    happened: () => planned === undefined,
  };
};
