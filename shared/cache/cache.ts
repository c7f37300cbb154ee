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
   * The cached value, or the loaded one, which is then kept for `ttl` seconds. Concurrent callers of one key in one
   * process load once.
   */
  getOrLoad<T>(key: string, ttl: number, parse: (value: unknown) => T, load: () => Promise<T>): Promise<T>;
  /** True when what one instance sets, all others see: there is a second level. */
  readonly shared: boolean;
  close(): Promise<void>;
}
