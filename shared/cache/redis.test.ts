import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RedisServer, redisIsInstalled, startRedis } from '#tests/support/redis.ts';
import { manualClock } from '../kernel/clock.ts';
import { cacheContract, counterContract } from './cache.contract.ts';
import { createRedisCounter } from './counter.ts';
import { memoryLevel } from './memory.ts';
import { createRedisCache, redisLevel } from './redis.ts';
import { createRedisClient, type RedisClient } from './redis-client.ts';
import { createTwoLevelCache } from './two-level.ts';

const text = (value: unknown): string => String(value);

describe.skipIf(!redisIsInstalled)('on a real Redis (skipped where redis-server is not on the PATH)', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  const clients: RedisClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close();
  });
  const connect = (options: { commandTimeout?: number } = {}) => {
    const client = createRedisClient({ url: server.url, ...options });
    clients.push(client);
    return client;
  };

  /** For the contracts, which keep their client for all of their cases. */
  const underTest = <T extends object>(make: (client: RedisClient) => T) => {
    const client = createRedisClient({ url: server.url, commandTimeout: 2_000, connectTimeout: 2_000 });
    return {
      ...make(client),
      pass: async (milliseconds: number) => {
        await sleep(milliseconds);
      },
      stop: () => client.close(),
    };
  };
  cacheContract('Redis', async () => underTest((client) => ({ cache: createRedisCache(client) })));
  cacheContract('memory, then Redis', async () =>
    underTest((client) => ({ cache: createTwoLevelCache(memoryLevel(), redisLevel(client)) })),
  );
  counterContract('Redis', async () => underTest((client) => ({ counter: createRedisCounter(client) })));

  it('is shared: what one instance sets or deletes, another sees', async () => {
    const [one, two] = [createRedisCache(connect()), createRedisCache(connect())];
    expect(one.shared).toBe(true);
    await one.set('shared', 'x', 60);
    expect(await two.get('shared', text)).toBe('x');
    await two.delete('shared');
    expect(await one.get('shared', text)).toBeUndefined();
  });

  it('counts over instances', async () => {
    const [one, two] = [createRedisCounter(connect()), createRedisCounter(connect())];
    await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? one : two).add('over instances', 2, 60)));
    expect(await one.add('over instances', 0, 60)).toBe(100);
  });

  it('leaves no counter without an end', async () => {
    const client = connect();
    await createRedisCounter(client).add('ends', 1, 60);
    await client.run((redis) => redis.persist('counter:ends'));
    await createRedisCounter(client).add('ends', 1, 60);
    expect(await client.run((redis) => redis.pttl('counter:ends'))).toBeGreaterThan(50_000);
  });

  it('with two levels, serves what another instance deleted no longer than localTtl', async () => {
    const clock = manualClock();
    const instance = () =>
      createTwoLevelCache(memoryLevel({ clock }), redisLevel(connect({ commandTimeout: 2_000 })), { localTtl: 5 });
    const [one, two] = [instance(), instance()];
    await one.set('two levels', 'old', 60);
    expect(await two.get('two levels', text)).toBe('old');
    await one.set('two levels', 'new', 60);
    clock.advance(4_999);
    expect(await two.get('two levels', text)).toBe('old');
    clock.advance(1);
    expect(await two.get('two levels', text)).toBe('new');
  });

  it('answers as empty while Redis is gone, and recovers by itself', async () => {
    const client = connect();
    const cache = createRedisCache(client);
    await cache.set('gone', 'x', 60);
    await server.stop();
    expect(await cache.get('gone', text)).toBeUndefined();
    await cache.set('gone', 'y', 60);
    expect(await cache.reader(60, text)('gone', async () => 'loaded')).toBe('loaded');
    await expect(createRedisCounter(client).add('k', 1, 60)).rejects.toMatchObject({ code: 'unavailable' });
    await server.start();
    await vi.waitFor(
      async () => {
        await cache.set('gone', 'back', 60);
        expect(await cache.get('gone', text)).toBe('back');
      },
      { timeout: 8_000, interval: 50 },
    );
  });

  it('does not slow requests down when Redis hangs, and recovers by itself', async () => {
    const cache = createRedisCache(connect({ commandTimeout: 100 }));
    await cache.set('hangs', 'x', 60);
    server.pause();
    try {
      const started = performance.now();
      for (let i = 0; i < 100; i += 1) expect(await cache.get('hangs', text)).toBeUndefined();
      // Three commands that time out, and no more until the breaker tries again.
      expect(performance.now() - started).toBeLessThan(800);
    } finally {
      server.resume();
    }
    await vi.waitFor(async () => expect(await cache.get('hangs', text)).toBe('x'), { timeout: 8_000, interval: 50 });
  });
});

describe('without any Redis', () => {
  it('answers as empty from the first call on, and soon', async () => {
    const failures: unknown[] = [];
    const client = createRedisClient({ url: 'redis://127.0.0.1:1', onError: (error) => failures.push(error) });
    const cache = createRedisCache(client);
    const started = performance.now();
    const read = cache.reader(60, text);
    for (let i = 0; i < 100; i += 1) expect(await read('k', async () => 'loaded')).toBe('loaded');
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(failures.length).toBeLessThanOrEqual(4);
    await client.close();
  });

  it('gives up on an address that accepts and says nothing', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const client = createRedisClient({ url: `redis://127.0.0.1:${port}`, commandTimeout: 100, connectTimeout: 200 });
    const started = performance.now();
    expect(await createRedisCache(client).get('k', text)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(1_500);
    await client.close();
    silent.close();
  });
});
