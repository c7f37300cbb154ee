import { type Clock, systemClock } from '../kernel/clock.ts';
import type { Cache } from './cache.ts';
import { cacheOver, type Level } from './level.ts';

export interface MemoryCacheOptions {
  /** Default 10,000. */
  readonly maxEntries?: number;
  /** Of keys and values, at two bytes a character. Default 32 MiB. */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

interface Entry {
  readonly text: string;
  readonly bytes: number;
  /** Milliseconds since the Unix epoch. */
  readonly expires: number;
}

/** Least recently used goes first: a Map keeps the order of insertion, and a read inserts again. */
export const memoryLevel = (options: MemoryCacheOptions = {}): Level => {
  const { maxEntries = 10_000, maxBytes = 32 * 1024 * 1024, clock = systemClock } = options;
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const drop = (key: string): void => {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };

  return {
    read: async (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.expires <= clock.now()) {
        drop(key);
        return undefined;
      }
      entries.delete(key);
      entries.set(key, entry);
      return entry.text;
    },
    write: async (key, text, ttl) => {
      drop(key);
      const entry = { text, bytes: 2 * (key.length + text.length), expires: clock.now() + ttl * 1_000 };
      if (entry.bytes > maxBytes) return;
      entries.set(key, entry);
      bytes += entry.bytes;
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytes <= maxBytes) break;
        drop(oldest);
      }
    },
    remove: async (key) => drop(key),
    shared: false,
    close: async () => {
      entries.clear();
      bytes = 0;
    },
  };
};

export const createMemoryCache = (options: MemoryCacheOptions = {}): Cache => cacheOver(memoryLevel(options));
