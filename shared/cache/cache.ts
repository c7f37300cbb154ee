/** What the cache has of a key, or else what `load` gives, which is then kept. */
export type ReadThrough<T> = (key: string, load: () => Promise<T>) => Promise<T>;

/**
 * A cache of JSON-safe values. It may forget anything at any time, and never fails a caller: when a level is down it
 * answers as if it were empty.
 */
export interface Cache {
  get<T>(key: string, parse: (value: unknown) => T): Promise<T | undefined>;
  /** `ttl` in seconds. */
  set(key: string, value: unknown, ttl: number): Promise<void>;
  delete(key: string): Promise<void>;
  /**
   * Reads through the cache; what is loaded is kept for `ttl` seconds. Concurrent callers of one key in one process
   * load once. What is read again and again is parsed once, so its readers share it, and it is frozen. To be made once
   * for all keys of a kind.
   */
  reader<T>(ttl: number, parse: (value: unknown) => T): ReadThrough<T>;
  /** True when what one instance sets, all others see: there is a second level. */
  readonly shared: boolean;
  close(): Promise<void>;
}
