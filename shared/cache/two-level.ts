import type { Cache } from './cache.ts';
import { cacheOver, type Level } from './level.ts';

export interface TwoLevelOptions {
  /** Seconds that an instance may go on serving what another one has replaced or deleted. Default 5. */
  readonly localTtl?: number;
}

/**
 * Memory before Redis. Other instances' memory is not told of a change, it just forgets soon: a subscription would cost
 * every instance a second connection, would miss messages whenever that breaks, and would hear nothing between requests,
 * when an instance has no CPU. So staleness is bounded by `localTtl` instead, in every case.
 */
const twoLevels = (memory: Level, redis: Level, localTtl: number): Level => ({
  read: async (key) => {
    const local = await memory.read(key);
    if (local !== undefined) return local;
    const text = await redis.read(key);
    if (text !== undefined) await memory.write(key, text, localTtl);
    return text;
  },
  write: async (key, text, ttl) => {
    await memory.write(key, text, Math.min(ttl, localTtl));
    await redis.write(key, text, ttl);
  },
  remove: async (key) => {
    await redis.remove(key);
    await memory.remove(key);
  },
  shared: redis.shared,
  close: async () => {
    await memory.close();
    await redis.close();
  },
});

export const createTwoLevelCache = (memory: Level, redis: Level, { localTtl = 5 }: TwoLevelOptions = {}): Cache =>
  cacheOver(twoLevels(memory, redis, localTtl));
