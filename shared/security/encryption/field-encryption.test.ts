import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { dumping } from '#tests/support/dump.ts';
import { countingManagement, encryptedDatabase } from '#tests/support/encryption.ts';
import { newProjectId, rawFirestore, testDatabase } from '#tests/support/firestore.ts';
import { manualClock, systemClock } from '../../kernel/clock.ts';
import { type AnyCollection, platformCollection, tenantCollection } from '../../store/collection.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import { type EncryptedField, encrypted, shreddable } from '../../store/encrypted-field.ts';
import { firestoreIndexes } from '../../store/indexes.ts';
import { storeContract } from '../../store/store.contract.ts';
import type { Database } from '../../store/store.ts';
import { transactionsContract } from '../../store/transactions.contract.ts';
import { freshFor } from './key-rings.ts';

const { management } = countingManagement();

/** What of the contracts' own collections no query orders or counts by. */
const inContracts: Readonly<Record<string, readonly EncryptedField[]>> = {
  leases: [{ path: ['holder'] }],
  passages: [{ path: ['topic'], index: 'exact' }],
};
const fieldsOf = ({ name }: AnyCollection) => inContracts[name] ?? [];
storeContract(
  'an encrypted embedded store',
  (options) =>
    encryptedDatabase((wrap) => embeddedDatabase({ ...options, wrap }), { management, clock: systemClock, fieldsOf })
      .database,
);
transactionsContract(
  'an encrypted embedded store',
  (options) =>
    encryptedDatabase((wrap) => embeddedDatabase({ ...options, wrap }), { management, clock: systemClock, fieldsOf })
      .database,
);
storeContract(
  'an encrypted Firestore',
  (options) =>
    encryptedDatabase((wrap) => testDatabase({ ...options, wrap }), { management, clock: systemClock, fieldsOf })
      .database,
);

const personSchema = z.object({
  user: z.string(),
  rank: z.number(),
  email: encrypted(z.email().max(200), { index: 'caseless' }).optional(),
  address: z.object({ city: encrypted(z.string(), { index: 'exact' }), country: z.string() }).optional(),
  phones: z.array(z.object({ kind: z.string(), number: encrypted(z.string()) })).optional(),
  notes: encrypted(z.object({ text: z.string(), stars: z.number() })).optional(),
  diary: shreddable('user', z.string()).optional(),
});
const people = tenantCollection({
  name: 'people',
  schema: personSchema,
  indexes: [
    {
      fields: [
        { field: 'email', order: 'asc' },
        { field: 'rank', order: 'asc' },
      ],
    },
  ],
});
const ann = {
  user: 'ann',
  rank: 1,
  email: 'Ann.Plain@example.com',
  address: { city: 'Plainville', country: 'NL' },
  phones: [
    { kind: 'home', number: '+31plain1' },
    { kind: 'work', number: '+31plain2' },
  ],
  notes: { text: 'plain words', stars: 5 },
  diary: 'dear plain diary',
};

const clock = manualClock();
const setup = () => {
  const driver = dumping(embeddedDriver());
  const parts = encryptedDatabase((wrap) => databaseOn(driver, { wrap, onInvalid: (path) => invalid.push(path) }), {
    management,
    clock,
  });
  const invalid: string[] = [];
  return { ...parts, driver, invalid, people: parts.database.tenants(people).of('acme') };
};

describe('encrypted fields', () => {
  it('are read as they were written, in documents, pages and transactions', async () => {
    const { database, people } = setup();
    await people.create('a', ann);
    await people.create('b', { user: 'bob', rank: 2 });
    expect((await people.get('a'))?.value).toEqual(ann);
    expect((await people.getMany(['b', 'a'])).map((one) => one?.value.email)).toEqual([undefined, ann.email]);
    expect((await people.query({ limit: 5 })).items.map(({ value }) => value)).toEqual([ann, { user: 'bob', rank: 2 }]);
    await database.transaction(async (transaction) => {
      const stored = await transaction.get(people, 'a');
      expect(stored?.value).toEqual(ann);
      transaction.update(people, 'a', { ...ann, email: 'other@example.com' });
      transaction.create(people, 'c', ann);
      transaction.increment(people, 'd', { rank: 1 }, { user: 'dan', notes: { text: 'x', stars: 1 } });
    });
    expect((await people.get('a'))?.value.email).toBe('other@example.com');
    expect((await people.get('d'))?.value).toEqual({ user: 'dan', rank: 1, notes: { text: 'x', stars: 1 } });
  });

  it('are still parsed by their schema', async () => {
    const { people } = setup();
    await expect(people.create('a', { ...ann, email: 'no address' })).rejects.toThrow('email invalid_format');
  });

  it('are nowhere in plain text in the embedded store', async () => {
    const { people, driver } = setup();
    await people.create('a', ann);
    const dump = JSON.stringify([...(await driver.dump())]);
    expect(dump).not.toMatch(/plain/i);
    expect(dump).toMatch(/enc1\.fields~1\./);
    expect(dump).toMatch(/enc1\.subject_\w{22}~1\./);
    expect(dump).toContain('"country":"NL"');
  });

  it('are nowhere in plain text in Firestore', async () => {
    const projectId = newProjectId();
    const { database } = encryptedDatabase((wrap) => testDatabase({ projectId, wrap }), { management, clock });
    const store = database.tenants(people).of('acme');
    await store.create('a', ann);
    await store.update('a', { ...ann, rank: 2 });
    expect((await store.get('a'))?.value).toEqual({ ...ann, rank: 2 });
    const found = await store.query({
      where: [{ field: 'email', op: '==', value: 'ann.plain@EXAMPLE.com' }],
      limit: 1,
    });
    expect(found.items.map(({ id }) => id)).toEqual(['a']);
    const raw = (await rawFirestore(projectId).doc('tenants/acme/people/a').get()).data();
    expect(raw).toMatchObject({ rank: 2, email: expect.stringMatching(/^enc1\./) });
    expect(JSON.stringify(raw)).not.toMatch(/plain/i);
    await store.update('a', { user: 'ann', rank: 3 });
    expect(Object.keys((await rawFirestore(projectId).doc('tenants/acme/people/a').get()).data() ?? {}).sort()).toEqual(
      ['_write', 'rank', 'user'],
    );
  });

  it('fail to open in the place of another document, field or tenant', async () => {
    const { people, driver, database, invalid } = setup();
    await people.create('a', ann);
    await people.create('b', { ...ann, user: 'bob' });
    const [raw] = await driver.get([{ collection: 'tenants/acme/people', id: 'a' }]);
    const { email, notes } = z.object({ email: z.string(), notes: z.string() }).parse(raw?.data);
    const plant = async (path: string, id: string, data: Readonly<Record<string, string | number>>) => {
      const content = { data: { user: 'x', rank: 1, ...data }, fieldNames: [] };
      await driver.commit([{ kind: 'create', key: { collection: path, id }, content }]);
    };
    await plant('tenants/acme/people', 'moved', { email });
    await plant('tenants/acme/people', 'swapped', { email: notes });
    await plant('tenants/acme/people', 'unencrypted', { email: 'mallory@example.com' });
    await plant('tenants/rival/people', 'a', { email });
    for (const id of ['moved', 'swapped', 'unencrypted']) {
      await expect(people.get(id)).rejects.toMatchObject({ code: 'stored-data-invalid' });
    }
    await expect(database.tenants(people_()).of('rival').get('a')).rejects.toMatchObject({
      code: 'stored-data-invalid',
    });
    invalid.length = 0;
    expect((await people.query({ limit: 10 })).items.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(invalid).toHaveLength(3);
  });
  const people_ = () => people;
});

describe('a blind index', () => {
  it('finds equal texts, with other conditions and an order', async () => {
    const { people } = setup();
    for (const rank of [3, 1, 2]) await people.create(`a${rank}`, { ...ann, rank });
    await people.create('b', { ...ann, rank: 0, email: 'bob@example.com' });
    const where = [{ field: 'email', op: '==', value: 'ann.plain@example.com' } as const];
    const found = await people.query({ where, orderBy: { field: 'rank', order: 'asc' }, limit: 10 });
    expect(found.items.map(({ id }) => id)).toEqual(['a1', 'a2', 'a3']);
    expect(await people.aggregate({ where })).toMatchObject({ count: 3 });
    const city = (value: string) => people.query({ where: [{ field: 'address.city', op: '==', value }], limit: 10 });
    expect((await city('Plainville')).items).toHaveLength(4);
    expect((await city('plainville')).items).toHaveLength(0);
  });

  it('follows a change, and goes with its field', async () => {
    const { people } = setup();
    await people.create('a', ann);
    await people.update('a', { ...ann, email: 'new@example.com' });
    const by = async (value: string) =>
      (await people.query({ where: [{ field: 'email', op: '==', value }], limit: 10 })).items.map(({ id }) => id);
    expect([await by('new@example.com'), await by(ann.email)]).toEqual([['a'], []]);
    await people.update('a', { user: 'ann', rank: 1 });
    expect(await by('new@example.com')).toEqual([]);
  });

  it('answers nothing but equality', async () => {
    const { people } = setup();
    const ask = (query: object) => people.query({ limit: 1, ...query });
    const refused = [
      { where: [{ field: 'email', op: '>', value: 'a' }], orderBy: { field: 'email', order: 'asc' } },
      { where: [{ field: 'email', op: 'in', value: ['a'] }] },
      { where: [{ field: 'email', op: '==', value: null }] },
      { where: [{ field: 'notes', op: '==', value: 'a' }] },
      { where: [{ field: 'notes.text', op: '==', value: 'a' }] },
      { where: [{ field: 'diary', op: '==', value: 'a' }] },
      { orderBy: { field: 'email', order: 'asc' } },
    ];
    for (const query of refused) await expect(ask(query)).rejects.toThrow('is encrypted');
    await expect(people.aggregate({ sum: ['notes.stars'] })).rejects.toThrow('is encrypted');
    await expect(people.increment('a', { 'notes.stars': 1 })).rejects.toThrow('is encrypted');
  });

  it('is what the database is told to index', () => {
    const { indexes, fieldOverrides } = firestoreIndexes([people]);
    expect(indexes[0]?.fields.map(({ fieldPath }) => fieldPath)).toEqual(['_index.email', 'rank']);
    expect(fieldOverrides.map(({ fieldPath }) => fieldPath)).toEqual(
      expect.arrayContaining(['email', 'address.city', 'phones', 'notes', 'diary']),
    );
  });
});

describe('a subject whose key was destroyed', () => {
  it('leaves fields that say so, in documents that otherwise still read', async () => {
    const { people, keys, driver } = setup();
    await people.create('a', ann);
    await people.create('b', { ...ann, user: 'bob' });
    const before = await driver.dump();
    await keys.shred('acme', 'ann');
    clock.advance(freshFor);
    expect((await people.get('a'))?.value).toEqual({ ...ann, diary: { shredded: true } });
    expect((await people.query({ limit: 2 })).items.map(({ value }) => value.diary)).toEqual([
      { shredded: true },
      ann.diary,
    ]);
    const path = 'tenants/acme/people/a';
    expect((await driver.dump()).get(path)).toEqual(before.get(path));
  });

  it('can have documents changed, but no new personal data', async () => {
    const { people, keys } = setup();
    await people.create('a', ann);
    await keys.shred('acme', 'ann');
    clock.advance(freshFor);
    const { value } = (await people.get('a')) ?? { value: ann };
    await people.update('a', { ...value, rank: 9 });
    expect((await people.get('a'))?.value).toMatchObject({ rank: 9, diary: { shredded: true } });
    await expect(people.update('a', ann)).rejects.toMatchObject({ code: 'shredded' });
  });
});

describe('a declaration', () => {
  const open = (schema: z.ZodType<object>) => setup().database.tenants(tenantCollection({ name: 'things', schema }));

  it('holds for schemas that are derived from it', async () => {
    const secret = encrypted(z.string());
    const schema = z.object({
      a: secret.max(9),
      b: secret.refine(() => true),
      c: z.record(z.string(), secret.nullable()),
    });
    const { database, driver } = setup();
    const store = database
      .tenants(tenantCollection({ name: 'derived', schema: schema.extend({ d: secret }) }))
      .of('acme');
    const value = { a: 'plain', b: 'plain', c: { x: 'plain', y: null }, d: 'plain' };
    await store.create('1', value);
    expect((await store.get('1'))?.value).toEqual(value);
    expect(JSON.stringify([...(await driver.dump())])).not.toMatch(/plain|null/);
  });

  it('leaves the schema alone that it is made from, and the JSON Schema of what it makes', () => {
    const text = z.string();
    const secret = encrypted(text);
    expect(z.toJSONSchema(z.object({ secret }))).toEqual(z.toJSONSchema(z.object({ secret: text })));
    expect(() => open(z.object({ at: z.tuple([text]) }))).not.toThrow();
  });

  it('is refused where it could not be kept', () => {
    const secret = encrypted(z.string());
    expect(() => open(z.object({ a: z.tuple([secret]) }))).toThrow('cannot encrypt inside a');
    expect(() => open(z.object({ a: z.lazy(() => secret) }))).toThrow('cannot encrypt inside a');
    expect(() => open(z.object({ a: z.array(encrypted(z.string(), { index: 'exact' })) }))).toThrow(
      'cannot be indexed',
    );
    const schema = z.object({ until: secret, user: z.string() });
    const { database } = setup();
    expect(() => database.tenants(tenantCollection({ name: 'x', schema, ttl: 'until' }))).toThrow('must be readable');
    const owned = z.object({ user: secret, diary: shreddable('user', z.string()) });
    expect(() => database.tenants(tenantCollection({ name: 'x', schema: owned }))).toThrow('must be readable');
    expect(() => database.platform(platformCollection({ name: 'x', schema }))).toThrow('is of no tenant');
  });
});

it('costs a fraction of a millisecond a field', async () => {
  const plain = tenantCollection({
    name: 'people',
    schema: z.object({ user: z.string(), rank: z.number(), email: z.string().optional() }),
  });
  const time = async (database: Database, collection: typeof plain): Promise<number> => {
    const store = database.tenants(collection).of('acme');
    await store.create('warm', { user: 'u', rank: 1, email: 'a@example.com' });
    for (let i = 0; i < 500; i += 1) await store.get('warm');
    const started = performance.now();
    for (let i = 0; i < 2_000; i += 1) await store.update('warm', { user: 'u', rank: i, email: `a${i}@example.com` });
    for (let i = 0; i < 2_000; i += 1) await store.get('warm');
    return ((performance.now() - started) * 1_000) / 4_000;
  };
  const bare = await time(embeddedDatabase(), plain);
  const sealed = await time(
    setup().database,
    tenantCollection({ name: 'people', schema: personSchema.pick({ user: true, rank: true, email: true }) }),
  );
  console.log(
    `an encrypted and indexed field costs ${(sealed - bare).toFixed(1)} µs an operation over ${bare.toFixed(1)} µs`,
  );
  expect(sealed - bare).toBeLessThan(500);
});
