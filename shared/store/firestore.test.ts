import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { expect, inject, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { newProjectId, rawFirestore, testDatabase } from '#tests/support/firestore.ts';
import { tenantCollection } from './collection.ts';
import { firestoreDatabase, firestoreDriver } from './firestore.ts';
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

/** Puts `server` in the emulator's place, for the SDK too, until the test ends. */
const inItsPlace = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const emulatorHost = `127.0.0.1:${port}`;
  process.env.FIRESTORE_EMULATOR_HOST = emulatorHost;
  onTestFinished(() => {
    process.env.FIRESTORE_EMULATOR_HOST = inject('firestoreHost');
    server.close();
  });
  return emulatorHost;
};

it('tells the emulator that it is the owner, whichever client asks', async () => {
  const asked = new Map<string | undefined, string | undefined>();
  const server = createHttp2Server().on('stream', (stream, { ':path': path = '', authorization }) => {
    asked.set(path.split('/').at(-1), authorization);
    stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    // One answer with nothing in it.
    stream.end(Buffer.alloc(5));
  });
  const driver = firestoreDriver({ projectId, emulatorHost: await inItsPlace(server) });
  const key = { collection: 'things', id: 'a' };
  expect(await driver.get([key])).toEqual([undefined]);
  expect(await driver.commit([{ kind: 'delete', key }])).toEqual([]);
  const query = driver.query('things', { where: [], orderBy: undefined, after: undefined, limit: 1 });
  // The SDK misses the time of the read.
  await expect(query).rejects.toThrow();
  await driver.close();
  const owner = 'Bearer owner';
  expect(Object.fromEntries(asked)).toEqual({ BatchGetDocuments: owner, Commit: owner, RunQuery: owner });
});

it('is unavailable, in time, when the database is silent', async () => {
  const silent = firestoreDatabase({ projectId, emulatorHost: await inItsPlace(createServer()), timeoutMs: 300 });
  const store = silent.tenants(cards).of('acme');
  await expect(silent.ping()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
  const transaction = silent.transaction((t) => t.get(store, 'a'));
  await expect(transaction).rejects.toMatchObject({ code: 'unavailable' });
});
