import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import type { Cache } from './cache.ts';
import type { WindowCounter } from './counter.ts';

export interface CacheUnderTest {
  readonly cache: Cache;
  /** Lets time go by for the cache: stopped clocks are moved, real ones waited for. */
  pass(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

const parse = (value: unknown) => z.object({ n: z.number() }).parse(value);

export const cacheContract = (name: string, start: () => Promise<CacheUnderTest>): void => {
  describe(`cache: ${name}`, () => {
    let under: CacheUnderTest;
    let cache: Cache;
    beforeAll(async () => {
      under = await start();
      cache = under.cache;
    });
    afterAll(() => under.stop());
    const freshKey = () => `key ${randomUUID()} / ü`;

    it('knows nothing that it was not told', async () => {
      expect(await cache.get(freshKey(), parse)).toBeUndefined();
    });

    it('gives back what it was told, replaced and deleted', async () => {
      const key = freshKey();
      await cache.set(key, { n: 1, more: 'is stripped by the schema' }, 60);
      expect(await cache.get(key, parse)).toEqual({ n: 1 });
      await cache.set(key, { n: 2 }, 60);
      expect(await cache.get(key, parse)).toEqual({ n: 2 });
      await cache.delete(key);
      await cache.delete(key);
      expect(await cache.get(key, parse)).toBeUndefined();
    });

    it('gives every reader a value of its own', async () => {
      const key = freshKey();
      const value = { n: 1 };
      await cache.set(key, value, 60);
      value.n = 2;
      const read = await cache.get(key, parse);
      if (read !== undefined) read.n = 3;
      expect(await cache.get(key, parse)).toEqual({ n: 1 });
    });

    it('forgets when the time is over', async () => {
      const key = freshKey();
      await cache.set(key, { n: 1 }, 0.2);
      expect(await cache.get(key, parse)).toEqual({ n: 1 });
      await under.pass(300);
      expect(await cache.get(key, parse)).toBeUndefined();
    });

    it('takes a value that does not parse for absent, and lets it be replaced', async () => {
      const key = freshKey();
      await cache.set(key, { of: 'an older version' }, 60);
      expect(await cache.get(key, parse)).toBeUndefined();
      expect(await cache.reader(60, parse)(key, async () => ({ n: 5 }))).toEqual({ n: 5 });
      expect(await cache.get(key, parse)).toEqual({ n: 5 });
    });

    it.each([[undefined], [() => 1], [10n]])('does not keep what is no JSON (%s)', async (value) => {
      const key = freshKey();
      await cache.set(key, { n: 1 }, 60);
      await cache.set(key, value, 60);
      expect(await cache.get(key, (read) => read)).toBeUndefined();
    });

    it('loads once for all who ask at the same time, and not again', async () => {
      const key = freshKey();
      const load = vi.fn(async () => ({ n: 7 }));
      const values = await Promise.all(Array.from({ length: 20 }, () => cache.reader(60, parse)(key, load)));
      expect(values).toEqual(Array.from({ length: 20 }, () => ({ n: 7 })));
      await cache.reader(60, parse)(key, load);
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('parses what it has once, and gives all readers the same, which nobody can change', async () => {
      const key = freshKey();
      const counted = vi.fn((value: unknown) => z.object({ n: z.array(z.number()) }).parse(value));
      const read = cache.reader(60, counted);
      const load = async () => ({ n: [1] });
      await read(key, load);
      const [one, other] = [await read(key, load), await read(key, load)];
      expect(one).toEqual({ n: [1] });
      expect(other).toBe(one);
      expect(counted).toHaveBeenCalledTimes(1);
      expect(() => one.n.push(2)).toThrow(TypeError);
      await cache.set(key, { n: [3] }, 60);
      expect(await read(key, load)).toEqual({ n: [3] });
      await cache.delete(key);
      expect(await read(key, async () => ({ n: [4] }))).toEqual({ n: [4] });
    });

    it('passes a failed load on to all who wait, and keeps nothing of it', async () => {
      const key = freshKey();
      const failing = () => cache.reader(60, parse)(key, () => Promise.reject(new Error('no')));
      const outcomes = await Promise.allSettled([failing(), failing(), failing()]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(await cache.reader(60, parse)(key, async () => ({ n: 1 }))).toEqual({ n: 1 });
    });

    it('does not keep what was being loaded when the key was deleted', async () => {
      const key = freshKey();
      const { promise, resolve } = Promise.withResolvers<{ n: number }>();
      const started = Promise.withResolvers<void>();
      const loading = cache.reader(60, parse)(key, () => {
        started.resolve();
        return promise;
      });
      await started.promise;
      await cache.delete(key);
      const later = cache.reader(60, parse)(key, async () => ({ n: 2 }));
      expect(await later).toEqual({ n: 2 });
      resolve({ n: 1 });
      expect(await loading).toEqual({ n: 1 });
      expect(await cache.get(key, parse)).not.toEqual({ n: 1 });
    });
  });
};

export interface CounterUnderTest {
  readonly counter: WindowCounter;
  pass(milliseconds: number): Promise<void>;
  stop(): Promise<void>;
}

export const counterContract = (name: string, start: () => Promise<CounterUnderTest>): void => {
  describe(`window counter: ${name}`, () => {
    let under: CounterUnderTest;
    beforeAll(async () => {
      under = await start();
    });
    afterAll(() => under.stop());

    it('adds, takes back and keeps keys apart', async () => {
      const [a, b] = [randomUUID(), randomUUID()];
      expect(await under.counter.add(a, 5, 60)).toBe(5);
      expect(await under.counter.add(a, 3, 60)).toBe(8);
      expect(await under.counter.add(a, -2, 60)).toBe(6);
      expect(await under.counter.add(b, 1, 60)).toBe(1);
    });

    it('loses nothing of 200 at the same time, and tells each a value of its own', async () => {
      const key = randomUUID();
      const values = await Promise.all(Array.from({ length: 200 }, () => under.counter.add(key, 1, 60)));
      expect(new Set(values).size).toBe(200);
      expect(Math.max(...values)).toBe(200);
    });

    it('counts from nothing after the window, which later adds do not prolong', async () => {
      const key = randomUUID();
      await under.counter.add(key, 1, 0.4);
      await under.pass(250);
      expect(await under.counter.add(key, 1, 0.4)).toBe(2);
      await under.pass(250);
      expect(await under.counter.add(key, 1, 0.4)).toBe(1);
    });

    it.each([
      [0.5, 60],
      [Number.NaN, 60],
      [1, 0],
      [1, -1],
    ])('refuses to add %d in %d seconds', async (n, seconds) => {
      await expect(under.counter.add('k', n, seconds)).rejects.toMatchObject({ code: 'invalid-request' });
    });
  });
};
