import type { Cache } from './cache.ts';

/** Where a cache keeps its texts. Reads and writes never throw: what does not answer is empty. */
export interface Level {
  read(key: string): Promise<string | undefined>;
  /** `ttl` in seconds. */
  write(key: string, text: string, ttl: number): Promise<void>;
  remove(key: string): Promise<void>;
  readonly shared: boolean;
  close(): Promise<void>;
}

const encode = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value);
  } catch {
    // A cycle: such a value is simply not kept.
    return undefined;
  }
};

interface Flight {
  readonly value: Promise<unknown>;
  /** The key was deleted meanwhile: what is being loaded may be what the delete was about. */
  stale: boolean;
}

/** JSON, parsing and coalesced loading over any level. */
export const cacheOver = (level: Level): Cache => {
  const flights = new Map<string, Flight>();

  const remove: Cache['delete'] = async (key) => {
    const flight = flights.get(key);
    if (flight !== undefined) flight.stale = true;
    flights.delete(key);
    await level.remove(key);
  };

  const get: Cache['get'] = async (key, parse) => {
    const text = await level.read(key);
    if (text === undefined) return undefined;
    try {
      return parse(JSON.parse(text));
    } catch {
      // Written by another version of the code.
      await level.remove(key);
      return undefined;
    }
  };

  const set: Cache['set'] = async (key, value, ttl) => {
    const text = encode(value);
    if (text === undefined || !(ttl > 0)) await level.remove(key);
    else await level.write(key, text, ttl);
  };

  const getOrLoad: Cache['getOrLoad'] = async (key, ttl, parse, load) => {
    const cached = await get(key, parse);
    if (cached !== undefined) return cached;
    const running = flights.get(key);
    if (running !== undefined) return parse(await running.value);

    const loading = load();
    const flight: Flight = { value: loading, stale: false };
    flights.set(key, flight);
    try {
      const value = await loading;
      if (!flight.stale) await set(key, value, ttl);
      // A delete while the value was being written may have come before it.
      if (flight.stale) await level.remove(key);
      return value;
    } finally {
      if (flights.get(key) === flight) flights.delete(key);
    }
  };

  return { get, set, delete: remove, getOrLoad, shared: level.shared, close: () => level.close() };
};
