import type { Bus } from '#shared/events/bus.ts';
import type { Driver } from '#shared/store/driver.ts';

/** What a dead process does from then on: nothing. */
const dead = () => new Error('This process was killed.');

export interface Killer {
  /** Calls made so far. A run that ends below `at` was not killed: every await has been tried. */
  readonly calls: () => number;
  /** Kills it now. */
  readonly kill: () => void;
  readonly driver: (driver: Driver) => Driver;
  readonly bus: (bus: Bus) => Bus;
  /** Any other call to the outside. */
  readonly step: <R>(call: () => Promise<R>) => Promise<R>;
}

/**
 * Kills a process at its nth call to the outside: just before the call takes effect, or just after, when the effect
 * stands but the process never learns of it. From then on its every call fails.
 */
export const killAt = (nth: number, when: 'before' | 'after'): Killer => {
  let at = nth;
  let calls = 0;
  const step = async <R>(call: () => Promise<R>): Promise<R> => {
    calls += 1;
    if (calls > at || (calls === at && when === 'before')) throw dead();
    const result = await call();
    if (calls >= at) throw dead();
    return result;
  };
  return {
    calls: () => calls,
    step,
    kill: () => {
      at = 0;
    },
    bus: (bus) => ({ publish: (events) => step(() => bus.publish(events)), close: bus.close }),
    driver: (driver) => ({
      get: (keys) => step(() => driver.get(keys)),
      commit: (writes) => step(() => driver.commit(writes)),
      transaction: (work) => step(() => driver.transaction(work)),
      query: (collection, query) => step(() => driver.query(collection, query)),
      aggregate: (collection, request) => step(() => driver.aggregate(collection, request)),
      nearest: (collection, request) => step(() => driver.nearest(collection, request)),
      ping: () => step(driver.ping),
      close: driver.close,
    }),
  };
};
