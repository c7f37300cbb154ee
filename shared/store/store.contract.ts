import { beforeEach, describe, expect, it } from 'vitest';
import { OmniError } from '../kernel/errors.ts';
import {
  anyNotes,
  at,
  contractSetup,
  leases,
  type MakeDatabase,
  type Note,
  notes,
  outcomes,
  owned,
  passages,
  twenty,
  walk,
} from './contract-setup.ts';
import type { Query, Store } from './store.ts';

/** What every adapter of the store port must do; transactions.contract.ts has the rest. */
export const storeContract = (name: string, makeDatabase: MakeDatabase): void => {
  describe(`the store port on ${name}`, () => {
    const { clock, database, invalid, newTenant } = contractSetup(makeDatabase);
    let tenant = '';
    let store: Store<Note>;

    beforeEach(() => {
      tenant = newTenant();
      store = database.tenants(notes).of(tenant);
    });

    const fill = (values: Readonly<Record<string, Note>>) =>
      Promise.all(Object.entries(values).map(([id, value]) => store.create(id, value)));

    describe('one document', () => {
      it('is read as it was written, and absent when it is not there', async () => {
        const created = await store.create('a', { text: 'ä😀', rank: -0.5, tags: ['x'], counts: { seen: 1 } });
        expect(await store.get('a')).toEqual(created);
        expect(await store.get('b')).toBeUndefined();
        expect(await store.getMany(['b', 'a', 'a'])).toEqual([undefined, created, created]);
        expect(await store.getMany([])).toEqual([]);
      });

      it('is replaced whole, under a new revision', async () => {
        const first = await store.create('a', { text: 'one', rank: 1, kind: 'k', counts: { seen: 1, liked: 2 } });
        const second = await store.update('a', { text: 'two', rank: 2, counts: { seen: 3 } });
        expect(second.revision).not.toBe(first.revision);
        expect(await store.get('a')).toEqual(second);
      });

      it('gets a new revision even from a write that changes nothing', async () => {
        const first = await store.create('a', { text: 'one', rank: 1 });
        const second = await store.update('a', first.value, { revision: first.revision });
        await expect(store.update('a', first.value, first)).rejects.toMatchObject({ code: 'revision-conflict' });
        await store.increment('a', { rank: 0 });
        expect((await store.get('a'))?.revision).not.toBe(second.revision);
      });

      it('refuses what does not fit its state', async () => {
        const { revision } = await store.create('a', { text: 'one', rank: 1 });
        const value = { text: 'two', rank: 2 };
        await expect(store.create('a', value)).rejects.toMatchObject({ code: 'already-exists' });
        await expect(store.update('b', value)).rejects.toMatchObject({ code: 'not-found' });
        await expect(store.update('b', value, { revision })).rejects.toMatchObject({ code: 'not-found' });
        await expect(store.delete('b', { revision })).rejects.toMatchObject({ code: 'not-found' });
        await expect(store.update('a', value, { revision: '1.000000001' })).rejects.toMatchObject({
          code: 'revision-conflict',
        });
        await expect(store.delete('a', { revision: '1.000001000' })).rejects.toMatchObject({
          code: 'revision-conflict',
        });
        const later = await store.create('c', value);
        await expect(store.update('a', value, later)).rejects.toMatchObject({ code: 'revision-conflict' });
        expect((await store.get('a'))?.value.text).toBe('one');
      });

      it('is deleted, once or again', async () => {
        const { revision } = await store.create('a', { text: 'one', rank: 1 });
        await store.delete('a', { revision });
        await store.delete('a');
        expect(await store.get('a')).toBeUndefined();
      });

      it('is not written when the schema or the database could not give it back', async () => {
        // @ts-expect-error a number is no text
        await expect(store.create('a', { text: 1, rank: 1 })).rejects.toThrow(
          'notes/a cannot be stored: text invalid_type',
        );
        const lax = database.tenants(anyNotes).of(tenant);
        await expect(lax.create('a', { text: [[1]], rank: 1, stranger: 1 })).rejects.toThrow('no array directly');
        await expect(lax.create('a', { text: new Date(), rank: 1, stranger: 1 })).rejects.toThrow('plain object');
        const bad = lax.create('a', { text: { ['__proto__']: 1 }, rank: 1, stranger: 1 });
        await expect(bad).rejects.toMatchObject({ code: 'invalid-request' });
        expect(await store.get('a')).toBeUndefined();
      });

      it('has one winner of twenty who create, change or take it at once', async () => {
        const creations = twenty.map((i) => store.create('a', { text: 'same', rank: i }));
        expect(await outcomes(creations)).toEqual({ won: 1, codes: ['already-exists'] });
        const { revision, value } = (await store.get('a')) ?? (await store.create('a', { text: 'never', rank: 0 }));
        const changes = twenty.map(() => store.update('a', value, { revision }));
        expect(await outcomes(changes)).toEqual({ won: 1, codes: ['revision-conflict'] });
        const takings = twenty.map((i) =>
          database.transaction((transaction) => transaction.reserve(tenant, 'email', 'a@b.c', `usr_${i}`)),
        );
        expect(await outcomes(takings)).toEqual({ won: 1, codes: ['already-exists'] });
      });
    });

    describe('increments', () => {
      it('make the document, keep its other fields, and lose nothing when they meet', async () => {
        await Promise.all(twenty.map(() => store.increment('a', { rank: 1, 'counts.seen': 2 }, { text: 'day' })));
        expect((await store.get('a'))?.value).toEqual({ text: 'day', rank: 20, counts: { seen: 40 } });
        await store.increment('a', { 'counts.liked': -1.5 });
        expect((await store.get('a'))?.value.counts).toEqual({ seen: 40, liked: -1.5 });
      });

      it('merge objects field by field, but for an empty one', async () => {
        const lax = database.tenants(anyNotes).of(tenant);
        await lax.create('a', { text: { one: 1, in: { two: 2 } }, rank: 1, stranger: [] });
        await lax.increment('a', { rank: 1 }, { text: { in: { three: 3 } }, stranger: ['new'] });
        const merged = { text: { one: 1, in: { two: 2, three: 3 } }, rank: 2, stranger: ['new'] };
        expect((await lax.get('a'))?.value).toEqual(merged);
        await lax.increment('a', { rank: 1 }, { text: { in: {} } });
        expect((await lax.get('a'))?.value).toEqual({ ...merged, text: { one: 1, in: {} }, rank: 3 });
      });

      it('touch only fields that there are, each in one way', async () => {
        await expect(store.increment('a', { nowhere: 1 })).rejects.toThrow('There is no field nowhere');
        const both = [{ counts: { seen: 1 } }, { counts: {} }].map((fields) =>
          // @ts-expect-error an empty object lacks a required field
          store.increment('a', { 'counts.seen': 1 }, fields),
        );
        for (const one of both) await expect(one).rejects.toThrow('counts.seen is written twice');
        expect(await store.get('a')).toBeUndefined();
      });
    });

    describe('queries', () => {
      it('filter strictly by type, and order by value and then id', async () => {
        await fill({
          a: { text: 'a', rank: 2, kind: 'x', tags: ['red', 'blue'] },
          b: { text: 'b', rank: 1, kind: 'x' },
          c: { text: '｡', rank: 2, kind: 'y', tags: ['blue'] },
          d: { text: '😀', rank: 3 },
        });
        const ids = (query: Partial<Query>) => walk(store, { limit: 10, ...query });
        expect(await ids({})).toEqual(['a', 'b', 'c', 'd']);
        expect(await ids({ orderBy: { field: 'rank', order: 'asc' } })).toEqual(['b', 'a', 'c', 'd']);
        expect(await ids({ orderBy: { field: 'rank', order: 'desc' } })).toEqual(['d', 'c', 'a', 'b']);
        expect(await ids({ orderBy: { field: 'kind', order: 'asc' } })).toEqual(['a', 'b', 'c']);
        expect(await ids({ orderBy: { field: 'text', order: 'desc' } })).toEqual(['d', 'c', 'b', 'a']);
        expect(await ids({ where: [{ field: 'rank', op: '==', value: '2' }] })).toEqual([]);
        expect(await ids({ where: [{ field: 'tags', op: 'contains', value: 'blue' }] })).toEqual(['a', 'c']);
        expect(await ids({ where: [{ field: 'kind', op: 'in', value: ['y', 'z'] }] })).toEqual(['c']);
        expect(await ids({ where: [{ field: 'kind', op: 'in', value: [] }] })).toEqual([]);
        const range = [
          { field: 'rank', op: '>=', value: 2 } as const,
          { field: 'kind', op: '==', value: 'x' } as const,
        ];
        expect(await ids({ where: range, orderBy: { field: 'rank', order: 'desc' } })).toEqual(['a']);
      });

      it('refuse what the database could not answer from an index', async () => {
        const ask = (query: Partial<Query>) => store.query({ limit: 1, ...query });
        await expect(ask({ where: [{ field: 'rank', op: '>', value: 1 }] })).rejects.toThrow('only on the field');
        await expect(ask({ where: [{ field: 'nowhere', op: '==', value: 1 }] })).rejects.toThrow('no field nowhere');
        const undeclared = ask({
          where: [{ field: 'text', op: '==', value: 'a' }],
          orderBy: { field: 'rank', order: 'asc' },
        });
        await expect(undeclared).rejects.toThrow('must declare the index');
        const broken = ask({ where: [{ field: 'text', op: '==', value: '\ud800' }] });
        await expect(broken).rejects.toMatchObject({ code: 'invalid-request' });
        await expect(store.create('a', { text: '\ud800', rank: 1 })).rejects.toMatchObject({ code: 'invalid-request' });
        await expect(ask({ limit: 0 })).rejects.toMatchObject({ code: 'invalid-request' });
        await expect(ask({ limit: 1_001 })).rejects.toMatchObject({ code: 'invalid-request' });
        const forged = [
          [null, 'a/../b'],
          ['\ud800', 'a'],
          [1, '__a__'],
        ];
        const cursors = ['%%%', ...forged.map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))];
        for (const cursor of cursors) await expect(ask({ cursor })).rejects.toMatchObject({ code: 'invalid-cursor' });
      });

      it('page through everything once, also while others insert', async () => {
        await Promise.all(twenty.map((i) => store.create(`n${i}`, { text: 't', rank: i % 4 })));
        for (const order of ['asc', 'desc'] as const) {
          let inserted = 0;
          const ids = await walk(store, { limit: 3, orderBy: { field: 'rank', order } }, async () => {
            inserted += 1;
            if (inserted <= 8) await store.create(`new-${order}-${inserted}`, { text: 't', rank: inserted % 4 });
          });
          expect(new Set(ids).size).toBe(ids.length);
          expect(ids).toEqual(expect.arrayContaining(twenty.map((i) => `n${i}`)));
        }
        expect(await walk(store, { limit: 7 })).toHaveLength(36);
      });

      it('end with a page that says so', async () => {
        await fill({ a: { text: 'a', rank: 1 }, b: { text: 'b', rank: 2 } });
        expect((await store.query({ limit: 2 })).nextCursor).toBeNull();
        expect((await store.query({ limit: 1 })).nextCursor).not.toBeNull();
      });
    });

    it('counts, sums and averages', async () => {
      const numbers = { a: 1, b: 2, c: 4 };
      await Promise.all(Object.entries(numbers).map(([id, rank]) => store.create(id, { text: 't', rank, kind: 'x' })));
      await store.create('d', { text: 't', rank: 100, counts: { seen: 5 } });
      const where = [{ field: 'kind', op: '==', value: 'x' }] as const;
      const some = await store.aggregate({ where, sum: ['rank'], average: ['rank'] });
      expect(some).toEqual({ count: 3, sum: { rank: 7 }, average: { rank: 7 / 3 } });
      const all = await store.aggregate({
        sum: ['counts.seen', 'counts.liked', 'text'],
        average: ['counts.seen', 'kind'],
      });
      expect(all).toEqual({
        count: 4,
        sum: { 'counts.seen': 5, 'counts.liked': 0, text: 0 },
        average: { 'counts.seen': 5, kind: null },
      });
    });

    describe('documents that do not parse', () => {
      it('are an error for who asks for them, and are skipped and reported by queries', async () => {
        const lax = database.tenants(anyNotes).of(tenant);
        await lax.create('bad-1', { text: 'secret', rank: 'no number', stranger: 1 });
        await lax.create('bad-2', { text: { secret: true }, rank: 1, stranger: 1 });
        await lax.create('good', { text: 'fine', rank: 2, stranger: 'not in the schema' });
        const path = `tenants/${tenant}/notes/bad-1`;
        const error = await store.get('bad-1').catch((caught: unknown) => caught);
        expect(error).toMatchObject({ code: 'stored-data-invalid' });
        expect(String(error)).toContain(path);
        expect(String(error)).not.toContain('secret');
        expect((await store.get('good'))?.value).toEqual({ text: 'fine', rank: 2 });
        invalid.length = 0;
        const page = await store.query({ limit: 1 });
        expect(page.items.map(({ id }) => id)).toEqual(['good']);
        expect(invalid).toEqual([path, `tenants/${tenant}/notes/bad-2`]);
      });
    });

    describe('time-to-live', () => {
      const open = () => database.tenants(leases).of(tenant);

      it('hides a document from every read from its time on', async () => {
        const store = open();
        await store.create('short', { holder: 'a', until: at(clock, 60), weight: 1 });
        await store.create('long', { holder: 'b', until: at(clock, 600), weight: 2 });
        await store.create('ever', { holder: 'c', weight: 4 });
        expect(await store.aggregate({ sum: ['weight'] })).toMatchObject({ count: 3, sum: { weight: 7 } });
        clock.advance(60_000);
        expect(await store.get('short')).toBeUndefined();
        expect(await store.getMany(['short', 'long'])).toMatchObject([undefined, { id: 'long' }]);
        expect(await walk(store, { limit: 1 })).toEqual(['ever', 'long']);
        expect(await store.aggregate({ sum: ['weight'] })).toMatchObject({ count: 2, sum: { weight: 6 } });
        expect(await database.transaction((transaction) => transaction.get(store, 'short'))).toBeUndefined();
      });

      it('gives an expired id to one of twenty who want it', async () => {
        const store = open();
        await store.create('a', { holder: 'old', until: at(clock, 1), weight: 1 });
        await expect(store.create('a', { holder: 'new' })).rejects.toMatchObject({ code: 'already-exists' });
        clock.advance(1_000);
        const taken = twenty.map((i) => store.create('a', { holder: `new-${i}`, until: at(clock, 60) }));
        expect(await outcomes(taken)).toEqual({ won: 1, codes: ['already-exists'] });
        expect((await store.get('a'))?.value).not.toHaveProperty('weight');
      });

      it('lets a transaction take an expired id, but not a live one', async () => {
        const store = open();
        await store.create('a', { holder: 'old', until: at(clock, 1) });
        const take = (until: string) =>
          database.transaction((transaction) => transaction.create(store, 'a', { holder: 'new', until }));
        await expect(take(at(clock, 60))).rejects.toMatchObject({ code: 'already-exists' });
        clock.advance(1_000);
        await take(at(clock, 60));
        expect((await store.get('a'))?.value.holder).toBe('new');
      });

      it('wants to know the time with every increment', async () => {
        await expect(open().increment('a', { weight: 1 }, { holder: 'a' })).rejects.toThrow('when it expires');
        await open().increment('a', { weight: 1 }, { holder: 'a', until: at(clock, 1) });
        clock.advance(1_000);
        expect(await open().get('a')).toBeUndefined();
      });
    });

    it('finds the nearest vectors', async () => {
      const store = database.tenants(passages).of(tenant);
      await store.create('x', { topic: 't', embedding: [1, 0, 0] });
      await store.create('xy', { topic: 't', embedding: [2, 2, 0] });
      await store.create('z', { topic: 'u', embedding: [0, 0, 3] });
      const near = async (distance: 'cosine' | 'euclidean' | 'dot-product', topic?: string) => {
        const where = topic ? [{ field: 'topic', op: '==', value: topic } as const] : [];
        const found = await store.nearest({ vector: [1, 0.1, 0], limit: 2, distance, where });
        return found.map((one) => [one.id, Number(one.distance.toFixed(4))]);
      };
      expect(await near('cosine')).toEqual([
        ['x', 0.005],
        ['xy', 0.226],
      ]);
      expect(await near('euclidean')).toEqual([
        ['x', 0.1],
        ['xy', 2.1471],
      ]);
      expect(await near('dot-product')).toEqual([
        ['xy', 2.2],
        ['x', 1],
      ]);
      expect(await near('cosine', 'u')).toEqual([['z', 1]]);
      expect((await store.get('xy'))?.value.embedding).toEqual([2, 2, 0]);
      const short = store.nearest({ vector: [1], limit: 1, distance: 'cosine' });
      await expect(short).rejects.toMatchObject({ code: 'invalid-request' });
      await expect(store.create('bad', { topic: 't', embedding: [1] })).rejects.toThrow('a vector of 3');
    });

    describe('tenants', () => {
      it('see nothing of each other', async () => {
        const other = database.tenants(notes).of(`${tenant}-other`);
        await fill({ a: { text: 'mine', rank: 1 }, b: { text: 'mine', rank: 2 }, c: { text: 'mine', rank: 3 } });
        await other.create('z', { text: 'theirs', rank: 9 });
        expect(await other.get('a')).toBeUndefined();
        expect(await walk(other, { limit: 1 })).toEqual(['z']);
        const { nextCursor } = await store.query({ limit: 1, orderBy: { field: 'rank', order: 'asc' } });
        const page = await other.query({
          limit: 5,
          orderBy: { field: 'rank', order: 'asc' },
          cursor: nextCursor ?? '',
        });
        expect(page.items.map(({ id }) => id)).toEqual(['z']);
        expect(await other.aggregate({})).toMatchObject({ count: 1 });
        await expect(other.update('a', { text: 'x', rank: 0 })).rejects.toMatchObject({ code: 'not-found' });
        await other.delete('a');
        expect((await store.get('a'))?.value.text).toBe('mine');
      });

      it.each(['', '.', '..', 'a/b', '../x', 'a/notes/b', '__a__', 'x'.repeat(257), '\ud800', 'a\0'])(
        'cannot be reached through the id %j',
        async (attack) => {
          const value = { text: 'x', rank: 0 };
          expect(() => database.tenants(notes).of(attack)).toThrow('no valid tenant');
          const refusal = { code: 'invalid-request' };
          await expect(store.get(attack)).rejects.toMatchObject(refusal);
          await expect(store.getMany(['a', attack])).rejects.toMatchObject(refusal);
          await expect(store.create(attack, value)).rejects.toMatchObject(refusal);
          await expect(store.update(attack, value)).rejects.toMatchObject(refusal);
          await expect(store.delete(attack)).rejects.toMatchObject(refusal);
          await expect(store.increment(attack, { rank: 1 })).rejects.toMatchObject(refusal);
          const transaction = database.transaction((t) => t.create(store, attack, value));
          await expect(transaction).rejects.toMatchObject(refusal);
          await expect(database.ownerOf(attack, 'email', 'x')).rejects.toMatchObject(refusal);
        },
      );
    });

    describe('erasure', () => {
      it('deletes what is stored in turns, and tells by a short one that it was the last', async () => {
        await fill(Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`n${i}`, { text: 'x', rank: i }])));
        expect(await database.erase(tenant, notes.name, 3)).toBe(3);
        expect(await store.aggregate({})).toMatchObject({ count: 4 });
        expect(await database.erase(tenant, notes.name, 3)).toBe(3);
        expect(await database.erase(tenant, notes.name, 3)).toBe(1);
        expect(await database.erase(tenant, notes.name, 3)).toBe(0);
        expect((await store.query({ limit: 10 })).items).toEqual([]);
      });

      it('takes what has expired, what does not parse, and unique values as well', async () => {
        await database
          .tenants(leases)
          .of(tenant)
          .create('lease', { holder: 'a', until: at(clock, 1) });
        await database.tenants(anyNotes).of(tenant).create('odd', { text: 1, rank: 'none', stranger: true });
        await database.transaction((transaction) => transaction.reserve(tenant, 'email', 'a@b.example', 'usr_1'));
        clock.advance(2_000);
        expect(await database.erase(tenant, leases.name, 10)).toBe(1);
        expect(await database.erase(tenant, notes.name, 10)).toBe(1);
        expect(await database.erase(tenant, 'unique', 10)).toBe(1);
        expect(await database.ownerOf(tenant, 'email', 'a@b.example')).toBeUndefined();
        expect(await store.get('odd')).toBeUndefined();
      });

      it('leaves other tenants and other collections as they are', async () => {
        const other = newTenant();
        await fill({ a: { text: 'x', rank: 1 } });
        await database.tenants(notes).of(other).create('a', { text: 'x', rank: 1 });
        await database
          .tenants(leases)
          .of(tenant)
          .create('lease', { holder: 'a', until: at(clock, 1) });
        expect(await database.erase(tenant, notes.name, 100)).toBe(1);
        expect(await database.tenants(notes).of(other).get('a')).toBeDefined();
        expect(await database.tenants(leases).of(tenant).get('lease')).toBeDefined();
      });

      it('of a platform collection takes what has the value, and nothing else', async () => {
        const all = database.platform(owned);
        for (const [id, owner] of Object.entries({ a: tenant, b: tenant, c: `${tenant}-other` })) {
          await all.create(id + tenant, { owner });
        }
        expect(await database.eraseWhere(owned.name, 'owner', tenant, 1)).toBe(1);
        expect(await database.eraseWhere(owned.name, 'owner', tenant, 10)).toBe(1);
        expect(await all.get(`c${tenant}`)).toBeDefined();
      });

      it('does first what is to be done before they go, and deletes nothing where that fails', async () => {
        const all = database.platform(owned);
        const id = `d${tenant}`;
        await all.create(id, { owner: tenant });
        const fails = () => Promise.reject(new OmniError('unavailable', 'down'));
        await expect(database.eraseWhere(owned.name, 'owner', tenant, 10, fails)).rejects.toThrow('down');
        const seen: unknown[] = [];
        const look = async (ids: readonly string[]) => void seen.push(ids, (await all.get(id)) !== undefined);
        expect(await database.eraseWhere(owned.name, 'owner', tenant, 10, look)).toBe(1);
        expect(await database.eraseWhere(owned.name, 'owner', tenant, 10, look)).toBe(0);
        expect(seen).toEqual([[id], true]);
        expect(await all.get(id)).toBeUndefined();
      });
    });

    it('answers a ping', async () => {
      await database.ping();
    });
  });
};
