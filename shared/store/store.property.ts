import * as fc from 'fast-check';
import { expect } from 'vitest';
import * as z from 'zod';
import { type ManualClock, manualClock } from '../kernel/clock.ts';
import { isOmniError } from '../kernel/errors.ts';
import { tenantCollection } from './collection.ts';
import type { AdapterOptions } from './database.ts';
import type { Database, Filter, Query, Store, Stored, Transaction } from './store.ts';

const schema = z.object({
  text: z.string(),
  rank: z.number(),
  label: z.union([z.string(), z.number(), z.boolean(), z.null()]).optional(),
  tags: z.array(z.string()).optional(),
  counts: z.object({ seen: z.number().optional(), liked: z.number().optional() }).optional(),
  embedding: z.array(z.number()).optional(),
  until: z.iso.datetime().optional(),
});
type Thing = z.infer<typeof schema>;

const things = tenantCollection({ name: 'things', schema, ttl: 'until', vector: { field: 'embedding', dimension: 2 } });

const start = Date.parse('2026-01-01T00:00:00.000Z');
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const anId = fc.constantFrom('a', 'b', 'c', 'é', '｡', '😀', 'x.y', 'Z 1');
const text = fc.constantFrom('', 'a', 'A', 'aa', 'é', '｡', '😀', '\u0000', '10', '9');
// Halves, so that sums come out the same in whatever order they are made.
const number = fc.integer({ min: -6, max: 6 }).map((n) => n / 2);
const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null));
const until = fc.integer({ min: -1, max: 4 }).map((minutes) => new Date(start + minutes * 60_000).toISOString());
const counts = fc.record({ seen: number, liked: number }, { requiredKeys: [] });

const thing: fc.Arbitrary<Thing> = fc.record(
  {
    text,
    rank: number,
    label: scalar,
    tags: fc.array(text, { maxLength: 3 }),
    counts,
    embedding: fc.tuple(number, fc.constantFrom(0.5, 1, 2)),
    until,
  },
  { requiredKeys: ['text', 'rank'], noNullPrototype: true },
);

const field = fc.constantFrom('text', 'rank', 'label', 'counts.seen', 'counts', 'tags');
const equality: fc.Arbitrary<Filter> = fc.oneof(
  fc.record({ field, op: fc.constant('==' as const), value: scalar }),
  fc.record({ field, op: fc.constant('in' as const), value: fc.array(fc.oneof(text, number), { maxLength: 3 }) }),
  fc.record({ field: fc.constant('tags'), op: fc.constant('contains' as const), value: text }),
);
const rangeOn = (of: string): fc.Arbitrary<Filter> =>
  fc.record({
    field: fc.constant(of),
    op: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const),
    value: fc.oneof(text, number, fc.boolean()),
  });
const oneField = fc.constantFrom('text', 'rank', 'label', 'counts.seen');
const ordered = fc.tuple(oneField, fc.constantFrom('asc' as const, 'desc' as const)).chain(([by, order]) =>
  fc.record({
    where: fc.oneof(fc.constant([]), fc.array(equality, { maxLength: 1 }), fc.array(rangeOn(by), { maxLength: 2 })),
    orderBy: fc.constant({ field: by, order }),
    limit: fc.integer({ min: 1, max: 4 }),
  }),
);
const unordered = fc.record({ where: fc.array(equality, { maxLength: 2 }), limit: fc.integer({ min: 1, max: 4 }) });
const aQuery: fc.Arbitrary<Query> = fc.oneof(ordered, unordered).filter(({ where }) => contained(where) <= 1);
const contained = (where: readonly Filter[]): number => where.filter(({ op }) => op === 'contains').length;

/** Which revision a write expects: none, or that of its document which was seen so many revisions ago. */
const expectation = optional(fc.nat({ max: 3 }));
const by = fc
  .record({ rank: number, 'counts.seen': number, 'counts.liked': number }, { requiredKeys: [], noNullPrototype: true })
  .filter((fields) => Object.keys(fields).length > 0);
const fields = fc.record(
  { text, until, tags: fc.array(text, { maxLength: 1 }), counts },
  { requiredKeys: ['until'], noNullPrototype: true },
);

const aWrite = fc.oneof(
  fc.record({ do: fc.constant('create' as const), id: anId, value: thing }),
  fc.record({ do: fc.constant('update' as const), id: anId, value: thing, expect: expectation }),
  fc.record({ do: fc.constant('delete' as const), id: anId, expect: expectation }),
  fc.record({ do: fc.constant('increment' as const), id: anId, by, fields }),
);
type AWrite = typeof aWrite extends fc.Arbitrary<infer W> ? W : never;

const anOperation = fc.oneof(
  { weight: 6, arbitrary: aWrite },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('get' as const), id: anId }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('getMany' as const), ids: fc.array(anId, { maxLength: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('walk' as const), query: aQuery }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('aggregate' as const),
      where: fc.oneof(fc.array(equality, { maxLength: 1 }), fc.array(rangeOn('rank'), { maxLength: 2 })),
      over: fc.uniqueArray(fc.constantFrom('rank', 'label', 'counts.seen', 'text'), { maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('nearest' as const),
      vector: fc.tuple(number, fc.constantFrom(0.5, 1)),
      distance: fc.constantFrom('cosine' as const, 'euclidean' as const, 'dot-product' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('transaction' as const),
      reads: fc.array(anId, { maxLength: 2 }),
      writes: fc.array(aWrite, { maxLength: 3 }),
      reserve: optional(fc.constantFrom('x', 'y')),
      release: optional(fc.constantFrom('x', 'y')),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 2 }) }) },
);
type Operation = typeof anOperation extends fc.Arbitrary<infer O> ? O : never;

/** One adapter, and what its caller remembers. */
interface Subject {
  readonly clock: ManualClock;
  readonly database: Database;
  readonly tenant: string;
  readonly store: Store<Thing>;
  /** The revisions seen, oldest first. Adapters write them differently, so they are compared by position. */
  readonly seen: string[];
}

const show = (subject: Subject, one: Stored<Thing> | undefined): unknown => {
  if (!one) return null;
  const mark = `${one.id}@${one.revision}`;
  if (!subject.seen.includes(mark)) subject.seen.push(mark);
  return { ...one, revision: subject.seen.indexOf(mark) };
};

const expected = ({ seen }: Subject, id: string, back: number | undefined) => {
  if (back === undefined) return undefined;
  const ofId = seen.flatMap((mark) => (mark.startsWith(`${id}@`) ? [mark.slice(id.length + 1)] : []));
  return { revision: ofId.at(-1 - back) ?? '1.000001000' };
};

const write = (subject: Subject, transaction: Transaction, one: AWrite): void => {
  const { store } = subject;
  if (one.do === 'create') transaction.create(store, one.id, one.value);
  else if (one.do === 'update') transaction.update(store, one.id, one.value, expected(subject, one.id, one.expect));
  else if (one.do === 'delete') transaction.delete(store, one.id, expected(subject, one.id, one.expect));
  else transaction.increment(store, one.id, one.by, one.fields);
};

const perform = async (subject: Subject, one: Operation): Promise<unknown> => {
  const { clock, database, store, tenant } = subject;
  switch (one.do) {
    case 'get':
      return show(subject, await store.get(one.id));
    case 'getMany':
      return (await store.getMany(one.ids)).map((found) => show(subject, found));
    case 'create':
      return show(subject, await store.create(one.id, one.value));
    case 'update':
      return show(subject, await store.update(one.id, one.value, expected(subject, one.id, one.expect)));
    case 'delete':
      return store.delete(one.id, expected(subject, one.id, one.expect));
    case 'increment':
      return store.increment(one.id, one.by, one.fields);
    case 'walk': {
      const pages: unknown[] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = await store.query({ ...one.query, cursor });
        pages.push(page.items.map((item) => show(subject, item)));
        cursor = page.nextCursor;
      }
      return pages;
    }
    case 'aggregate':
      return store.aggregate({ where: one.where, sum: one.over, average: one.over });
    case 'nearest': {
      const found = await store.nearest({ vector: one.vector, distance: one.distance, limit: 10 });
      const near = found.map(({ id, distance }) => [distance.toFixed(6).replace('-0.000000', '0.000000'), id] as const);
      return near.sort((a, b) => (a.join() < b.join() ? -1 : 1));
    }
    case 'transaction': {
      const result = await database.transaction(async (transaction) => {
        const reads = await Promise.all(one.reads.map((id) => transaction.get(store, id)));
        for (const item of one.writes) write(subject, transaction, item);
        if (one.reserve) transaction.reserve(tenant, 'letter', one.reserve, 'someone');
        if (one.release) transaction.release(tenant, 'letter', one.release);
        return reads;
      });
      return [result.map((item) => show(subject, item)), await database.ownerOf(tenant, 'letter', 'x')];
    }
    case 'wait':
      return clock.advance(one.minutes * 60_000);
  }
};

const answer = async (subject: Subject, operation: Operation): Promise<unknown> => {
  try {
    return (await perform(subject, operation)) ?? null;
  } catch (error) {
    return isOmniError(error) ? { refused: error.code } : { threw: String(error) };
  }
};

const everything = (limit: number): Operation => ({ do: 'walk', query: { limit, where: [] } });

/** Does the same random things to both adapters, and expects the same answer to each. */
export const compareAdapters = async (
  makers: readonly [(options: AdapterOptions) => Database, (options: AdapterOptions) => Database],
  parameters: { readonly runs: number; readonly seed: number; readonly length: number },
): Promise<void> => {
  const sides = makers.map((make) => {
    const clock = manualClock(start);
    return { clock, database: make({ now: clock.now, requireIndexes: false }) };
  });
  let runs = 0;
  const property = fc.asyncProperty(
    fc.array(anOperation, { minLength: 1, maxLength: parameters.length, size: 'max' }),
    async (operations) => {
      runs += 1;
      const tenant = `tenant-${runs}`;
      const subjects = sides.map(({ clock, database }): Subject => {
        clock.set(start);
        return { clock, database, tenant, store: database.tenants(things).of(tenant), seen: [] };
      });
      for (const operation of [...operations, everything(50)]) {
        const [one, other] = await Promise.all(subjects.map((subject) => answer(subject, operation)));
        expect(one, JSON.stringify(operation)).toEqual(other);
      }
    },
  );
  await fc.assert(property, { numRuns: parameters.runs, seed: parameters.seed, endOnFailure: false });
};
