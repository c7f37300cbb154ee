import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { redisIsInstalled, startRedis } from '#tests/support/redis.ts';
import { createMemoryCounter, createRedisCounter, type WindowCounter } from '../cache/counter.ts';
import { createRedisClient } from '../cache/redis-client.ts';
import { type Clock, manualClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import { embeddedDatabase } from '../store/embedded.ts';
import type { Database } from '../store/store.ts';
import { memoryLogger } from '../telemetry/index.ts';
import { leasedRateLimiter } from './leased-rate-limiter.ts';
import { rateWindowCollection, storeWindowCounter } from './store-window-counter.ts';

const instances = 20;
const logger = memoryLogger();

const counting = (counter: WindowCounter) => {
  let calls = 0;
  return {
    calls: () => calls,
    counter: {
      add: (...args: Parameters<WindowCounter['add']>) => {
        calls += 1;
        return counter.add(...args);
      },
    },
  };
};

const limitersOver = (counter: WindowCounter, clock: Clock) =>
  Array.from({ length: instances }, () => leasedRateLimiter({ counter, clock, logger }));

const storeCounter = (database: Database, clock: Clock): WindowCounter =>
  storeWindowCounter({ windows: database.platform(rateWindowCollection), clock });

const clock = manualClock();
const database = testDatabase({ now: clock.now });
/** Each tells how many there are at the time of its own increment, or some time after it. */
const exact: [string, () => WindowCounter][] = [['memory', () => createMemoryCounter({ clock })]];
const trailing: [string, () => WindowCounter][] = [
  ['the embedded store', () => storeCounter(embeddedDatabase({ now: clock.now }), clock)],
  ['Firestore', () => storeCounter(database, clock)],
];
if (redisIsInstalled) {
  const server = await startRedis();
  // Patient: an answer that a busy machine delays would be taken for a counter that is down.
  const client = createRedisClient({ url: server.url, commandTimeout: 30_000, connectTimeout: 30_000 });
  exact.push(['Redis', () => createRedisCounter(client)]);
  afterAll(async () => {
    await client.close();
    await server.stop();
  });
}

const allowedOf = (allowances: readonly { readonly allowed: boolean }[]): number =>
  allowances.filter(({ allowed }) => allowed).length;

describe.each([...exact, ...trailing])(`${instances} instances that count in %s`, (name, open) => {
  it.each([1, 19, 60, 1_000])('let through at most %i of half as many again, all at once', async (limit) => {
    const limiters = limitersOver(open(), clock);
    const each = Math.ceil((limit * 1.5) / instances);
    const requests = Array.from({ length: each }, () =>
      limiters.map((limiter) => limiter.take(`${name}-${limit}`, limit)),
    );
    const allowed = allowedOf(await Promise.all(requests.flat()));
    expect(allowed).toBeLessThanOrEqual(limit);
    // Here and there an instance keeps the rest of its last lease.
    if (exact.some(([other]) => other === name)) expect(allowed).toBeGreaterThanOrEqual(Math.floor(0.9 * limit));
  });

  it.each([1, 19, 60, 1_000])(
    'let through nearly all of %i that come one after the other, for few writes',
    async (limit) => {
      const { counter, calls } = counting(open());
      const limiters = limitersOver(counter, clock);
      const allowances = [];
      for (let i = 0; i < limit * 1.5; i += 1) {
        const next = limiters[i % instances]?.take(`${name}-${limit}-turns`, limit);
        if (next !== undefined) allowances.push(await next);
      }
      expect(allowedOf(allowances)).toBeLessThanOrEqual(limit);
      expect(allowedOf(allowances)).toBeGreaterThanOrEqual(0.9 * limit);
      // A few leases double to what an instance needs; then each asks once more and knows.
      expect(calls()).toBeLessThanOrEqual(8 * instances);
    },
  );

  it('let through as much again in the next window', async () => {
    const limiters = limitersOver(open(), clock);
    const all = async () => {
      const allowances = [];
      for (const limiter of limiters) allowances.push(await limiter.take(`${name}-next`, 10));
      return allowedOf(allowances);
    };
    expect(await all()).toBe(10);
    clock.advance(60_000);
    expect(await all()).toBe(10);
  });
});

/** A counter whose steps and answers come in any order that the scheduler picks. */
const reordered = (scheduler: fc.Scheduler, kind: 'atomic' | 'increment, then read'): WindowCounter => {
  const counts = new Map<string, number>();
  return {
    add: async (key, n) => {
      await scheduler.schedule(Promise.resolve(), 'increment');
      const after = (counts.get(key) ?? 0) + n;
      counts.set(key, after);
      await scheduler.schedule(Promise.resolve(), 'answer');
      return kind === 'atomic' ? after : (counts.get(key) ?? 0);
    },
  };
};

describe('the limit', () => {
  const load = fc.array(fc.tuple(fc.nat(instances - 1), fc.nat({ max: 20 }), fc.boolean()), { maxLength: 40 });

  it.each(['atomic', 'increment, then read'] as const)(
    'is never exceeded in a window, in whatever order an %s counter answers',
    async (kind) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), load, fc.integer({ min: 1, max: 100 }), async (scheduler, steps, limit) => {
          const time = manualClock();
          const limiters = limitersOver(reordered(scheduler, kind), time);
          const taken: { window: number; allowance: ReturnType<(typeof limiters)[number]['take']> }[] = [];
          for (const [instance, requests, windowEnds] of steps) {
            for (let i = 0; i < requests; i += 1) {
              const allowance = limiters[instance]?.take('key', limit);
              if (allowance !== undefined) taken.push({ window: Math.floor(time.now() / 60_000), allowance });
            }
            if (windowEnds) time.advance(60_000);
          }
          await scheduler.waitFor(Promise.all(taken.map(({ allowance }) => allowance)));
          const allowed = new Map<number, number>();
          for (const { window, allowance } of taken) {
            if ((await allowance).allowed) allowed.set(window, (allowed.get(window) ?? 0) + 1);
          }
          for (const count of allowed.values()) expect(count).toBeLessThanOrEqual(limit);
        }),
        { seed: 20_260_101, numRuns: 200 },
      );
    },
  );

  it('is used to the last by one instance alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 500 }), async (limit) => {
        const limiter = leasedRateLimiter({ counter: createMemoryCounter({ clock }), clock, logger });
        const all = await Promise.all(Array.from({ length: limit + 10 }, () => limiter.take('key', limit)));
        expect(all.filter(({ allowed }) => allowed)).toHaveLength(limit);
      }),
      { seed: 20_260_101, numRuns: 30 },
    );
  });
});

describe('an instance', () => {
  it('answers at once while its lease lasts', async () => {
    const limiter = leasedRateLimiter({ counter: createMemoryCounter({ clock }), clock, logger });
    await limiter.take('key', 1_000);
    for (let i = 0; i < 4; i += 1) expect(limiter.take('key', 1_000)).toMatchObject({ allowed: true });
    expect(limiter.take('key', 1_000)).toBeInstanceOf(Promise);
  });

  it('renews once for all who wait', async () => {
    const { counter, calls } = counting(createMemoryCounter({ clock }));
    const limiter = leasedRateLimiter({ counter, clock, logger });
    await Promise.all(Array.from({ length: 10 }, () => limiter.take('key', 2_000)));
    expect(calls()).toBe(1);
  });

  it('tells what is left, and when the window ends', async () => {
    const time = manualClock('2026-01-01T00:00:15.000Z');
    const limiter = leasedRateLimiter({ counter: createMemoryCounter({ clock: time }), clock: time, logger });
    expect(await limiter.take('key', 40)).toEqual({ allowed: true, limit: 40, remaining: 39, reset: 45 });
    time.advance(44_500);
    expect(await limiter.take('key', 40)).toMatchObject({ remaining: 38, reset: 1 });
  });

  it('counts keys apart', async () => {
    const limiter = leasedRateLimiter({ counter: createMemoryCounter({ clock }), clock, logger });
    expect(await limiter.take('a', 1)).toMatchObject({ allowed: true });
    expect(await limiter.take('a', 1)).toMatchObject({ allowed: false, remaining: 0 });
    expect(await limiter.take('b', 1)).toMatchObject({ allowed: true });
  });

  it('asks nobody where there is no limit', () => {
    const { counter, calls } = counting(createMemoryCounter({ clock }));
    const limiter = leasedRateLimiter({ counter, clock, logger });
    expect(limiter.take('key', Number.POSITIVE_INFINITY)).toMatchObject({ allowed: true });
    expect(calls()).toBe(0);
  });

  it('allows the limit by itself while the counter is down, says so, and counts with the others again in the next window', async () => {
    const [time, log] = [manualClock(), memoryLogger()];
    let down = true;
    const shared = createMemoryCounter({ clock: time });
    const counter: WindowCounter = {
      add: async (...args) => {
        if (down) throw new OmniError('unavailable', 'The counter is down.');
        return shared.add(...args);
      },
    };
    const limiter = leasedRateLimiter({ counter, clock: time, logger: log });
    const burst = async () => allowedOf(await Promise.all(Array.from({ length: 30 }, () => limiter.take('key', 20))));
    expect(await burst()).toBe(20);
    expect(log.lines).toMatchObject([{ level: 'warn' }]);
    down = false;
    time.advance(60_000);
    expect(await burst()).toBe(20);
    expect(log.lines).toHaveLength(1);
  });
});
