import type { Cache, ReadThrough } from './cache.ts';

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

/** A value as it was parsed of a text. */
interface Known<T> {
  readonly text: string;
  readonly value: T;
}

/** Of one reader: so many, none of a longer text. */
const maxKnown = 1_000;
const maxKnownText = 10_000;

const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) frozen(part);
  }
  return value;
};

/** JSON, parsing and coalesced loading over any level. */
export const cacheOver = (level: Level): Cache => {
  const flights = new Map<string, Flight>();

  const remove: Cache['delete'] = async (key) => {
    const flight = flights.get(key);
    if (flight !== undefined) flight.stale = true;
    flights.delete(key);
    await level.remove(key);
  };

  const decoded = async <T>(key: string, text: string, parse: (value: unknown) => T): Promise<T | undefined> => {
    try {
      return parse(JSON.parse(text));
    } catch {
      // Written by another version of the code.
      await level.remove(key);
      return undefined;
    }
  };

  const get: Cache['get'] = async (key, parse) => {
    const text = await level.read(key);
    return text === undefined ? undefined : decoded(key, text, parse);
  };

  const set: Cache['set'] = async (key, value, ttl) => {
    const text = encode(value);
    if (text === undefined || !(ttl > 0)) await level.remove(key);
    else await level.write(key, text, ttl);
  };

  const loaded = async <T>(key: string, ttl: number, parse: (value: unknown) => T, load: () => Promise<T>) => {
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

  const reader = <T>(ttl: number, parse: (value: unknown) => T): ReadThrough<T> => {
    const known = new Map<string, Known<T>>();
    const parsed = async (key: string): Promise<Known<T> | undefined> => {
      const text = await level.read(key);
      const before = known.get(key);
      if (text !== undefined && before?.text === text) return before;
      known.delete(key);
      const value = text === undefined ? undefined : await decoded(key, text, (read) => ({ of: frozen(parse(read)) }));
      if (text === undefined || value === undefined) return undefined;
      const now = { text, value: value.of };
      if (known.size >= maxKnown) known.clear();
      if (text.length <= maxKnownText) known.set(key, now);
      return now;
    };
    return async (key, load) => {
      const found = await parsed(key);
      return found === undefined ? loaded(key, ttl, parse, load) : found.value;
    };
  };

  return { get, set, delete: remove, reader, shared: level.shared, close: () => level.close() };
};
