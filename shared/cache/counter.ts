import { type Clock, systemClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import type { RedisClient } from './redis-client.ts';

/** Counts in windows of time, for rate limits. */
export interface WindowCounter {
  /**
   * Adds `n` (negative to give back) and returns the value after it. A key's window begins with its first `add` and
   * lasts `windowSeconds`; then the key counts from nothing. Fails with `unavailable` when the counter does not answer.
   */
  add(key: string, n: number, windowSeconds: number): Promise<number>;
}

const checkAdd = (n: number, windowSeconds: number): void => {
  if (!Number.isSafeInteger(n) || !(windowSeconds > 0))
    throw new OmniError('invalid-request', 'A window counter adds whole numbers in windows of more than 0 seconds.');
};

export interface MemoryCounterOptions {
  readonly clock?: Clock;
  /** Default 100,000. Beyond that the oldest windows are forgotten. */
  readonly maxKeys?: number;
}

/** Counts for this process alone. */
export const createMemoryCounter = (options: MemoryCounterOptions = {}): WindowCounter => {
  const { clock = systemClock, maxKeys = 100_000 } = options;
  const windows = new Map<string, { value: number; readonly ends: number }>();
  return {
    add: async (key, n, windowSeconds) => {
      checkAdd(n, windowSeconds);
      const now = clock.now();
      const known = windows.get(key);
      if (known !== undefined && known.ends > now) {
        known.value += n;
        return known.value;
      }
      windows.delete(key);
      windows.set(key, { value: n, ends: now + windowSeconds * 1_000 });
      for (const oldest of windows.keys()) {
        if (windows.size <= maxKeys) break;
        windows.delete(oldest);
      }
      return n;
    },
  };
};

/** One step on the server, so that no key is ever left counting without an end. */
const addScript = `
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return value`;

/** Counts over all instances. */
export const createRedisCounter = (client: RedisClient): WindowCounter => ({
  add: async (key, n, windowSeconds) => {
    checkAdd(n, windowSeconds);
    const milliseconds = Math.max(1, Math.round(windowSeconds * 1_000));
    const value = await client.run((redis) => redis.eval(addScript, 1, `counter:${key}`, n, milliseconds));
    return Number(value);
  },
});
