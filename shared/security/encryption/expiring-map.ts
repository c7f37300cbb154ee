import type { Clock } from '../../kernel/clock.ts';

/**
 * Remembers what `load` gave for a key, for `ttl` milliseconds and at most `max` keys at a time; the oldest go first.
 * Callers who ask at the same time share one load. What failed is not remembered.
 */
export const expiringMap = <V>({ clock, ttl, max }: { clock: Clock; ttl: number; max: number }) => {
  const entries = new Map<string, { readonly value: Promise<V>; readonly until: number }>();
  return {
    get: (key: string, load: () => Promise<V>): Promise<V> => {
      const known = entries.get(key);
      const now = clock.now();
      // A clock that was set back must not make anything live longer.
      if (known !== undefined && now < known.until && now >= known.until - ttl) return known.value;
      entries.delete(key);
      const value = load();
      const entry = { value, until: now + ttl };
      entries.set(key, entry);
      for (const oldest of entries.keys()) {
        if (entries.size <= max) break;
        entries.delete(oldest);
      }
      value.catch(() => {
        if (entries.get(key) === entry) entries.delete(key);
      });
      return value;
    },
    forget: (key: string): void => {
      entries.delete(key);
    },
  };
};
