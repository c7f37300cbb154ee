import type { Cache } from './cache.ts';
import { cacheOver, type Level } from './level.ts';
import type { RedisClient } from './redis-client.ts';

/** Before every key, so that other uses of the same Redis keep out of the way. */
const prefix = 'cache:';

/**
 * A delete that Redis was too dead to hear leaves the old value until its time is over: what must not be stale for long
 * gets a short ttl.
 */
export const redisLevel = (client: RedisClient): Level => {
  const orNothing = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined);
  return {
    read: async (key) => (await orNothing(client.run((redis) => redis.get(prefix + key)))) ?? undefined,
    write: async (key, text, ttl) => {
      await orNothing(client.run((redis) => redis.set(prefix + key, text, 'PX', Math.max(1, Math.round(ttl * 1_000)))));
    },
    remove: async (key) => {
      await orNothing(client.run((redis) => redis.del(prefix + key)));
    },
    shared: true,
    /** The client's connection, which window counters may share. */
    close: () => client.close(),
  };
};

export const createRedisCache = (client: RedisClient): Cache => cacheOver(redisLevel(client));
