import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { testDatabase } from '#tests/support/firestore.ts';
import { tenantCollection } from './collection.ts';
import { embeddedDatabase } from './embedded.ts';
import { shardedCounter } from './sharded-counter.ts';

const days = tenantCollection({
  name: 'days',
  schema: z.object({ day: z.string(), made: z.number(), byRisk: z.object({ high: z.number() }).partial().optional() }),
});

describe.each([
  ['Firestore', testDatabase],
  ['the embedded store', embeddedDatabase],
])('a sharded counter on %s', (_, makeDatabase) => {
  const database = makeDatabase();
  const store = database.tenants(days).of('acme');
  const counter = shardedCounter(store, { shards: 4 });

  it('adds up what many wrote at once, over several documents', async () => {
    const day = '2026-01-01';
    await Promise.all(Array.from({ length: 60 }, () => counter.add(day, { made: 1, 'byRisk.high': 2 }, { day })));
    expect(await counter.read(day, ['made', 'byRisk.high'])).toEqual({ made: 60, 'byRisk.high': 120 });
    expect((await store.query({ limit: 10 })).items.length).toBeGreaterThan(1);
  });

  it('takes part in a transaction', async () => {
    const day = '2026-01-03';
    await database.transaction((transaction) => counter.addIn(transaction, day, { made: 3 }, { day }));
    const failing = database.transaction((transaction) => {
      counter.addIn(transaction, day, { made: 3 }, { day });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await counter.read(day, ['made'])).toEqual({ made: 3 });
  });

  it('is 0 before anything was added', async () => {
    expect(await counter.read('2026-01-02', ['made'])).toEqual({ made: 0 });
  });
});
