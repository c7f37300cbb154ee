import { createServer } from 'node:net';
import { expect, inject, it } from 'vitest';
import * as z from 'zod';
import { newProjectId, rawFirestore, testDatabase } from '#tests/support/firestore.ts';
import { tenantCollection } from './collection.ts';
import { firestoreDatabase } from './firestore.ts';
import { storeContract } from './store.contract.ts';
import { transactionsContract } from './transactions.contract.ts';

storeContract('Firestore', testDatabase);
transactionsContract('Firestore', testDatabase);

const cards = tenantCollection({
  name: 'cards',
  schema: z.object({ name: z.string(), until: z.iso.datetime(), embedding: z.array(z.number()) }),
  ttl: 'until',
  vector: { field: 'embedding', dimension: 2 },
});

const projectId = newProjectId();
const database = testDatabase({ projectId });
const raw = rawFirestore(projectId);

it('stores values flat, with the timestamp and the vector that Firestore wants', async () => {
  const until = '2999-01-01T00:00:00.000Z';
  await database
    .tenants(cards)
    .of('acme')
    .create('c', { name: 'n', until, embedding: [1, 2] });
  const data = (await raw.doc('tenants/acme/cards/c').get()).data();
  expect(data).toMatchObject({ name: 'n', until, _write: expect.any(String) });
  expect(data?._expireAt.toDate().toISOString()).toBe(until);
  expect(data?.embedding.toArray()).toEqual([1, 2]);
});

it('stores the hash of a unique value, not the value', async () => {
  await database.transaction((transaction) => transaction.reserve('acme', 'email', 'ann@example.com', 'usr_1'));
  const { docs } = await raw.collection('tenants/acme/unique').get();
  expect(docs.map((one) => one.data())).toMatchObject([{ kind: 'email', owner: 'usr_1' }]);
  expect(JSON.stringify(docs.map((one) => [one.id, one.data()]))).not.toContain('ann');
});

it('leaves out what others wrote and cannot be parsed, such as a timestamp', async () => {
  const lists = tenantCollection({ name: 'lists', schema: z.object({ title: z.string() }) });
  await raw.doc('tenants/acme/lists/b').set({ title: new Date() });
  await raw.doc('tenants/acme/lists/a').set({ title: 'fine', extra: 1 });
  const page = await database.tenants(lists).of('acme').query({ limit: 5 });
  expect(page.items.map(({ value }) => value)).toEqual([{ title: 'fine' }]);
});

it('is unavailable, in time, when the database is silent', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const emulatorHost = `127.0.0.1:${port}`;
  process.env.FIRESTORE_EMULATOR_HOST = emulatorHost;
  const silent = firestoreDatabase({ projectId, emulatorHost, timeoutMs: 300 });
  const store = silent.tenants(cards).of('acme');
  try {
    await expect(silent.ping()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    const transaction = silent.transaction((t) => t.get(store, 'a'));
    await expect(transaction).rejects.toMatchObject({ code: 'unavailable' });
  } finally {
    process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
    server.close();
  }
});
