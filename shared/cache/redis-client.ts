import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';

export interface RedisClientOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string;
  /** Milliseconds until a command is given up. Default 100. */
  readonly commandTimeout?: number;
  /** Milliseconds that the first command waits for a connection. Default 500. */
  readonly connectTimeout?: number;
  readonly clock?: Clock;
  /** Told of every failure that the breaker lets through. */
  readonly onError?: (error: unknown) => void;
}

/** A Redis that may be away. */
export interface RedisClient {
  /**
   * Fails with `unavailable` when Redis does not answer in time. After three failures in a row it fails at once for a
   * second; then one call tries again.
   */
  run<T>(command: (redis: Redis) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const failuresUntilOpen = 3;
const openFor = 1_000;
const maxReconnectDelay = 1_000;

const unavailable = (cause?: unknown): OmniError => new OmniError('unavailable', 'Redis does not answer.', { cause });

/** Says whether a call may go through, and learns from how it went. */
const createBreaker = (clock: Clock) => {
  let failures = 0;
  let closedAgainAt = 0;
  return {
    admits: (): boolean => {
      if (failures < failuresUntilOpen) return true;
      if (clock.now() < closedAgainAt) return false;
      // This call is the one that tries; the others go on failing until it is known how it went.
      closedAgainAt = clock.now() + openFor;
      return true;
    },
    succeeded: (): void => {
      failures = 0;
    },
    failed: (): void => {
      failures += 1;
      closedAgainAt = clock.now() + openFor;
    },
  };
};

/** The client library (about 80 ms) is imported and the connection made at the first command. */
export const createRedisClient = (options: RedisClientOptions): RedisClient => {
  const { url, commandTimeout = 100, connectTimeout = 500, clock = systemClock, onError = () => undefined } = options;
  const breaker = createBreaker(clock);
  let opening: Promise<Redis> | undefined;

  const open = async (): Promise<Redis> => {
    const { Redis } = await import('ioredis');
    const redis = new Redis(url, {
      lazyConnect: true,
      connectTimeout,
      commandTimeout,
      // Nothing waits for a connection to come back: the caller has a database to ask.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => Math.min(attempt * 100, maxReconnectDelay) * (0.5 + Math.random() / 2),
    });
    // Every failed command reports itself; without a listener the library would print to the console.
    redis.on('error', () => undefined);
    // The library's own timeout ends with the TCP connection; a server that accepts and says nothing needs this one.
    const patience = new AbortController();
    await Promise.race([
      redis.connect().catch(() => undefined),
      sleep(connectTimeout, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
    return redis;
  };

  return {
    run: async (command) => {
      if (!breaker.admits()) throw unavailable();
      try {
        opening ??= open();
        const result = await command(await opening);
        breaker.succeeded();
        return result;
      } catch (error) {
        breaker.failed();
        onError(error);
        throw unavailable(error);
      }
    },
    close: async () => {
      const redis = await opening;
      redis?.disconnect();
    },
  };
};
