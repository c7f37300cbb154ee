import { describe, expect, it } from 'vitest';
import { manualClock } from '../kernel/clock.ts';
import { cacheContract, counterContract } from './cache.contract.ts';
import { createMemoryCounter } from './counter.ts';
import { createMemoryCache } from './memory.ts';

const underTest = <T extends object>(make: (clock: ReturnType<typeof manualClock>) => T) => {
  const clock = manualClock();
  const pass = async (milliseconds: number) => clock.advance(milliseconds);
  return { ...make(clock), pass, stop: async () => undefined };
};

cacheContract('memory', async () => underTest((clock) => ({ cache: createMemoryCache({ clock }) })));
counterContract('memory', async () => underTest((clock) => ({ counter: createMemoryCounter({ clock }) })));

describe('memory', () => {
  const text = (value: unknown): string => String(value);

  it('drops what was used least recently when it has too many entries', async () => {
    const cache = createMemoryCache({ maxEntries: 2 });
    await cache.set('a', 'a', 60);
    await cache.set('b', 'b', 60);
    await cache.get('a', text);
    await cache.set('c', 'c', 60);
    expect([await cache.get('a', text), await cache.get('b', text), await cache.get('c', text)]).toEqual([
      'a',
      undefined,
      'c',
    ]);
  });

  it('stays within its bytes, and does not keep what is larger than all of them', async () => {
    const cache = createMemoryCache({ maxBytes: 1_000 });
    for (let i = 0; i < 100; i += 1) await cache.set(`k${i}`, 'x'.repeat(100), 60);
    const kept = await Promise.all(Array.from({ length: 100 }, (_, i) => cache.get(`k${i}`, text)));
    expect(kept.filter((value) => value !== undefined)).toHaveLength(4);
    await cache.set('huge', 'x'.repeat(1_000), 60);
    expect(await cache.get('huge', text)).toBeUndefined();
    expect(await cache.get('k99', text)).toBeDefined();
  });

  it('is not shared', () => {
    expect(createMemoryCache().shared).toBe(false);
  });

  it('bounds the keys that it counts', async () => {
    const counter = createMemoryCounter({ maxKeys: 10 });
    for (let i = 0; i < 100; i += 1) await counter.add(`k${i}`, 1, 60);
    expect(await counter.add('k0', 1, 60)).toBe(1);
    expect(await counter.add('k99', 1, 60)).toBe(2);
  });
});
