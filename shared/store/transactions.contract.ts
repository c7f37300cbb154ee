import { beforeEach, describe, expect, it } from 'vitest';
import { at, contractSetup, eventOf, type MakeDatabase, type Note, notes, settings } from './contract-setup.ts';
import type { Store } from './store.ts';

/** What transactions, events and reservations must do on every adapter of the store port. */
export const transactionsContract = (name: string, makeDatabase: MakeDatabase): void => {
  describe(`transactions on ${name}`, () => {
    const { clock, committed, database, outbox, newTenant } = contractSetup(makeDatabase);
    let tenant = '';
    let store: Store<Note>;

    beforeEach(() => {
      tenant = newTenant();
      store = database.tenants(notes).of(tenant);
    });

    it('write to several stores, with their events, all together', async () => {
      const flags = database.platform(settings);
      const { revision } = await store.create('old', { text: 'old', rank: 1 });
      const [first, second] = [eventOf(`evt_1_${tenant}`, tenant), eventOf(`evt_2_${tenant}`, tenant)];
      const result = await database.transaction(async (transaction) => {
        const old = await transaction.get(store, 'old');
        transaction.update(store, 'old', { text: 'changed', rank: (old?.value.rank ?? 0) + 1 }, { revision });
        transaction.create(store, 'new', { text: 'new', rank: 0 });
        transaction.increment(store, 'count', { rank: 3 }, { text: 'count' });
        transaction.create(flags, tenant, { on: true });
        transaction.reserve(tenant, 'email', 'a@b.c', 'usr_1');
        transaction.emit(first);
        transaction.emit(second);
        return 'done';
      });
      expect(result).toBe('done');
      expect((await store.getMany(['old', 'new', 'count'])).map((one) => one?.value)).toEqual([
        { text: 'changed', rank: 2 },
        { text: 'new', rank: 0 },
        { text: 'count', rank: 3 },
      ]);
      expect(await flags.get(tenant)).toMatchObject({ value: { on: true } });
      expect(await database.ownerOf(tenant, 'email', 'a@b.c')).toBe('usr_1');
      expect(committed).toEqual([[first, second]]);
      const entry = (await outbox.get(first.id))?.value;
      expect(entry).toEqual({ committedAt: at(clock, 0), event: JSON.stringify(first) });
    });

    it.each([
      ['already-exists', 'create'],
      ['not-found', 'update'],
      ['revision-conflict', 'expect'],
    ] as const)('write nothing and tell nobody when one part fails: %s', async (code, part) => {
      await store.create('there', { text: 'there', rank: 1 });
      const event = eventOf(`evt_${tenant}`, tenant);
      for (const reads of [false, true]) {
        const failing = database.transaction(async (transaction) => {
          if (reads) await transaction.get(store, 'there');
          const value = { text: 'new', rank: 2 };
          transaction.create(store, 'new', value);
          transaction.emit(event);
          if (part === 'create') transaction.create(store, 'there', value);
          else if (part === 'update') transaction.update(store, 'missing', value);
          else transaction.update(store, 'there', value, { revision: '1.000001000' });
        });
        await expect(failing).rejects.toMatchObject({ code });
      }
      expect(await store.get('new')).toBeUndefined();
      expect((await store.get('there'))?.value.rank).toBe(1);
      expect(await outbox.get(event.id)).toBeUndefined();
      expect(committed).toEqual([]);
    });

    it('give the work its own error back, whatever it looks like, and write nothing', async () => {
      const error = Object.assign(new Error('not ours'), { code: 14 });
      let runs = 0;
      const failing = database.transaction((transaction) => {
        runs += 1;
        transaction.create(store, 'new', { text: 'new', rank: 2 });
        throw error;
      });
      await expect(failing).rejects.toBe(error);
      expect(runs).toBe(1);
      expect(await store.get('new')).toBeUndefined();
    });

    it('lose no change when they read and write the same document', async () => {
      await store.create('a', { text: 'a', rank: 0 });
      const raise = () =>
        database.transaction(async (transaction) => {
          const rank = (await transaction.get(store, 'a'))?.value.rank ?? 0;
          transaction.update(store, 'a', { text: 'a', rank: rank + 1 });
        });
      await Promise.all([raise(), raise(), raise()]);
      expect((await store.get('a'))?.value.rank).toBe(3);
    });

    it('read before they write, write a document once, and take stores of their own database', async () => {
      const value = { text: 'a', rank: 0 };
      const late = database.transaction(async (transaction) => {
        transaction.create(store, 'a', value);
        await transaction.get(store, 'b');
      });
      await expect(late).rejects.toThrow('all its reads before');
      const twice = database.transaction((transaction) => {
        transaction.create(store, 'a', value);
        transaction.delete(store, 'a');
      });
      await expect(twice).rejects.toThrow('written twice');
      const other = makeDatabase({}).tenants(notes).of(tenant);
      const foreign = database.transaction((transaction) => transaction.create(other, 'a', value));
      await expect(foreign).rejects.toThrow('another database');
      expect(await store.get('a')).toBeUndefined();
    });

    it('give a reservation back', async () => {
      const reserve = (owner: string) =>
        database.transaction((transaction) => transaction.reserve(tenant, 'email', 'a@b.c', owner));
      await reserve('usr_1');
      await expect(reserve('usr_1')).rejects.toMatchObject({ code: 'already-exists' });
      await database.transaction((transaction) => transaction.release(tenant, 'email', 'a@b.c'));
      await reserve('usr_2');
      expect(await database.ownerOf(tenant, 'email', 'a@b.c')).toBe('usr_2');
      expect(await database.ownerOf(tenant, 'phone', 'a@b.c')).toBeUndefined();
      expect(await database.ownerOf(`${tenant}-x`, 'email', 'a@b.c')).toBeUndefined();
    });
  });
};
