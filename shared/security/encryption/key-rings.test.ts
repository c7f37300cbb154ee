import { describe, expect, it } from 'vitest';
import { countingManagement } from '#tests/support/encryption.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { manualClock } from '../../kernel/clock.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { keyRingCollection } from './data-key.schema.ts';
import { createKeyRings, freshFor, type KeyRings } from './key-rings.ts';

const clock = manualClock();
const { management, calls } = countingManagement();
const process = (database: Database): KeyRings =>
  createKeyRings({ rings: database.tenants(keyRingCollection), management, clock });

const rotate = async (database: Database, keys: KeyRings): Promise<number> => {
  const { version, write } = await keys.prepareRotation('acme', 'fields');
  await database.transaction(write);
  return version;
};
const bytes = async (key: ReturnType<KeyRings['current']>) => (await key).key.export().toString('hex');

describe('the keys of a tenant', () => {
  it('are one, when twenty processes want the first at once, on Firestore', async () => {
    const database = testDatabase();
    const made = await Promise.all(
      Array.from({ length: 20 }, () => bytes(process(database).current('acme', 'fields'))),
    );
    expect(new Set(made).size).toBe(1);
    expect(await bytes(process(database).current('acme', 'fields'))).toBe(made[0]);
  });

  it('differ by tenant, purpose and subject', async () => {
    const keys = process(embeddedDatabase());
    const all = await Promise.all([
      bytes(keys.current('acme', 'fields')),
      bytes(keys.current('rival', 'fields')),
      bytes(keys.current('acme', 'values')),
      bytes(keys.current('acme', { subject: 'ann' })),
      bytes(keys.current('acme', { subject: 'bob' })),
    ]);
    expect(new Set(all).size).toBe(5);
  });

  it('are stored wrapped, and bound to their tenant', async () => {
    const database = embeddedDatabase();
    const rings = database.tenants(keyRingCollection);
    const key = await process(database).current('acme', 'fields');
    const stored = await rings.of('acme').get('fields');
    expect(JSON.stringify(stored)).not.toContain(key.key.export().toString('base64url'));
    if (stored !== undefined) await rings.of('rival').create('fields', stored.value);
    await expect(process(database).current('rival', 'fields')).rejects.toMatchObject({ code: 'stored-data-invalid' });
  });

  it('are unwrapped once, by all who ask at the same time, and again when they were kept long enough', async () => {
    const keys = process(embeddedDatabase());
    await keys.current('acme', 'fields');
    calls.unwrap = 0;
    const other = process(embeddedDatabase());
    await Promise.all(Array.from({ length: 20 }, () => other.current('acme', 'fields')));
    clock.advance(10 * 60_000);
    await other.current('acme', 'fields');
    expect(calls.unwrap).toBe(1);
    clock.advance(5 * 60_000);
    await other.current('acme', 'fields');
    expect(calls.unwrap).toBe(2);
  });
});

describe('a rotation', () => {
  it('makes a key that other processes use within a minute, and can read with at once', async () => {
    const database = embeddedDatabase();
    const [here, there] = [process(database), process(database)];
    const first = await there.current('acme', 'fields');
    expect(await rotate(database, here)).toBe(2);
    const second = await here.current('acme', 'fields');
    expect([first.id, second.id]).toEqual(['fields~1', 'fields~2']);
    expect(await there.find('acme', second.id)).toMatchObject({ id: second.id });
    clock.advance(freshFor);
    expect((await there.live('acme', 'fields')).map(({ id }) => id)).toEqual(['fields~2', 'fields~1']);
  });

  it('has one winner of two at once', async () => {
    const database = embeddedDatabase();
    await process(database).current('acme', 'fields');
    const outcomes = await Promise.allSettled([
      rotate(database, process(database)),
      rotate(database, process(database)),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('can destroy what is older, never what is current', async () => {
    const database = embeddedDatabase();
    const keys = process(database);
    await rotate(database, keys);
    await keys.destroyBelow('acme', 'fields', 2);
    await keys.destroyBelow('acme', 'fields', 2);
    expect(await keys.find('acme', 'fields~1')).toBe('destroyed');
    await expect(keys.destroyBelow('acme', 'fields', 3)).rejects.toThrow('never destroyed');
    expect(await keys.view('acme', 'fields')).toMatchObject({
      versions: [
        { version: 2, state: 'current' },
        { version: 1, state: 'destroyed' },
      ],
    });
    expect(JSON.stringify(await keys.view('acme', 'fields'))).not.toContain('wrapped');
  });
});

describe("a subject's key", () => {
  it('is gone for every process within a minute, and is never made again', async () => {
    const database = embeddedDatabase();
    const [here, there] = [process(database), process(database)];
    const { id } = await there.current('acme', { subject: 'ann' });
    await here.shred('acme', 'ann');
    await here.shred('acme', 'ann');
    await expect(here.current('acme', { subject: 'ann' })).rejects.toMatchObject({ code: 'shredded' });
    clock.advance(freshFor);
    expect(await there.find('acme', id)).toBe('destroyed');
    await expect(there.current('acme', { subject: 'ann' })).rejects.toMatchObject({ code: 'shredded' });
  });

  it('can be destroyed before there was one', async () => {
    const keys = process(embeddedDatabase());
    await keys.shred('acme', 'ann');
    await expect(keys.current('acme', { subject: 'ann' })).rejects.toMatchObject({ code: 'shredded' });
  });

  it('does not say in its name whose it is', async () => {
    const { id } = await process(embeddedDatabase()).current('acme', { subject: 'ann@example.com' });
    expect(id).toMatch(/^subject_[\w]{22}~1$/);
  });
});

it('knows no key that was never made', async () => {
  const keys = process(embeddedDatabase());
  expect(await keys.find('acme', 'fields~1')).toBe('unknown');
  expect(await keys.find('acme', 'fields')).toBe('unknown');
  expect(await keys.view('acme', 'values')).toEqual({ name: 'values', versions: [] });
  expect((await keys.current('acme', 'fields')).id).toBe('fields~1');
});
