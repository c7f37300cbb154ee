import { expect } from 'vitest';
import * as z from 'zod';
import { manualClock } from '../kernel/clock.ts';
import type { DomainEvent } from '../kernel/event.ts';
import { platformCollection, tenantCollection } from './collection.ts';
import type { AdapterOptions } from './database.ts';
import { outboxCollection } from './outbox.collection.ts';
import type { Database, Query, Store } from './store.ts';

export type MakeDatabase = (options: AdapterOptions) => Database;

const note = z.object({
  text: z.string(),
  rank: z.number(),
  kind: z.string().optional(),
  tags: z.array(z.string()).optional(),
  counts: z.object({ seen: z.number(), liked: z.number().optional() }).optional(),
});
export type Note = z.infer<typeof note>;

export const notes = tenantCollection<Note>({
  name: 'notes',
  schema: note,
  indexes: [
    {
      fields: [
        { field: 'kind', order: 'asc' },
        { field: 'rank', order: 'asc' },
      ],
    },
    {
      fields: [
        { field: 'kind', order: 'asc' },
        { field: 'rank', order: 'desc' },
      ],
    },
  ],
});
/** The same documents under a laxer schema, to plant what `notes` cannot read. */
export const anyNotes = tenantCollection({
  name: 'notes',
  schema: z.object({ text: z.unknown(), rank: z.unknown(), stranger: z.unknown() }),
});
export const leases = tenantCollection({
  name: 'leases',
  schema: z.object({ holder: z.string(), until: z.iso.datetime().optional(), weight: z.number().optional() }),
  ttl: 'until',
  indexes: [
    {
      fields: [
        { field: '_expireAt', order: 'asc' },
        { field: 'weight', order: 'asc' },
      ],
    },
  ],
});
export const passages = tenantCollection({
  name: 'passages',
  schema: z.object({ topic: z.string(), embedding: z.array(z.number()) }),
  vector: { field: 'embedding', dimension: 3 },
  indexes: [
    {
      fields: [
        { field: 'topic', order: 'asc' },
        { field: 'embedding', order: 'asc' },
      ],
    },
  ],
});
export const owned = platformCollection({ name: 'owned', schema: z.object({ owner: z.string() }) });
export const settings = platformCollection({ name: 'settings', schema: z.object({ on: z.boolean() }) });

export const eventOf = (id: string, tenant: string): DomainEvent => ({
  specversion: '1.0',
  id,
  source: 'omni/test',
  type: 'test.happened',
  subject: 'thing_1',
  time: '2026-01-01T00:00:00.000Z',
  tenant,
  datacontenttype: 'application/json',
  data: { nested: [[1, 2], [3]] },
});

export const at = (clock: { now(): number }, seconds: number): string =>
  new Date(clock.now() + seconds * 1_000).toISOString();

export const outcomes = async (work: readonly Promise<unknown>[]): Promise<{ won: number; codes: string[] }> => {
  const results = await Promise.allSettled(work);
  const failures = results.flatMap((one) => (one.status === 'rejected' ? [String(one.reason?.code)] : []));
  return { won: results.length - failures.length, codes: [...new Set(failures)] };
};

export const walk = async <T extends object>(store: Store<T>, query: Query, between?: () => Promise<unknown>) => {
  const ids: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await store.query({ ...query, cursor });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
    await between?.();
  }
  return ids;
};

export const twenty = Array.from({ length: 20 }, (_, i) => i);

/** One database for a suite, and for each test a tenant of its own. */
export const contractSetup = (makeDatabase: MakeDatabase) => {
  const clock = manualClock();
  const committed: (readonly DomainEvent[])[] = [];
  const invalid: string[] = [];
  const database = makeDatabase({
    now: clock.now,
    onCommitted: async (events) => {
      for (const { id } of events) expect(await outbox.get(id)).toBeDefined();
      committed.push(events);
    },
    onInvalid: (path) => invalid.push(path),
  });
  const outbox = database.platform(outboxCollection);
  let last = 0;
  const newTenant = (): string => {
    last += 1;
    committed.length = 0;
    invalid.length = 0;
    return `tenant-${last}`;
  };
  return { clock, committed, invalid, database, outbox, newTenant };
};
