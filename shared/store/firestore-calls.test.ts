import { PassThrough } from 'node:stream';
import api, { type FirestoreClient } from '@google-cloud/firestore-api';
import { credentials } from '@grpc/grpc-js';
import { PassThroughClient } from 'google-auth-library';
import { afterAll, expect, inject, it } from 'vitest';
import { newProjectId } from '#tests/support/firestore.ts';
import type { Write } from './driver.ts';
import { firestoreCalls } from './firestore-calls.ts';

/** Firestore's own client on the emulator, which fails as told, and tells what it was asked. */
const failing = () => {
  const projectId = newProjectId();
  const [servicePath = '', port] = inject('firestoreHost').split(':');
  const client = new api.v1.FirestoreClient({
    ...{ projectId, servicePath, port: Number(port) },
    sslCreds: credentials.createInsecure(),
    authClient: new PassThroughClient(),
  });
  const database = `projects/${projectId}/databases/(default)`;
  const owner = 'Bearer owner';
  const sent: unknown[] = [];
  const asked: { readonly call: string; readonly transaction: boolean; readonly retried: boolean }[] = [];
  const errors: { call: 'read' | 'commit'; code: number; message?: string; afterwards?: boolean }[] = [];
  const next = (call: 'read' | 'commit') => (errors[0]?.call === call ? errors.shift() : undefined);
  const errorOf = ({ code, message = 'told to' }: { readonly code: number; readonly message?: string }) =>
    Object.assign(new Error(message), { code });

  const faulty: Parameters<typeof firestoreCalls>[0] = {
    batchGetDocuments: (request = {}, options) => {
      const { newTransaction, transaction } = request;
      const retried = Boolean(newTransaction?.readWrite?.retryTransaction?.length);
      sent.push(options);
      asked.push({ call: 'read', transaction: Boolean(newTransaction ?? transaction), retried });
      const error = next('read');
      if (error === undefined) return client.batchGetDocuments(request, options);
      return Object.assign(new PassThrough().destroy(errorOf(error)), { cancel: () => undefined });
    },
    commit: async (request: Parameters<FirestoreClient['commit']>[0] = {}, options?: object) => {
      sent.push(options);
      asked.push({ call: 'commit', transaction: Boolean(request.transaction), retried: false });
      const error = next('commit');
      if (error !== undefined && error.afterwards !== true) throw errorOf(error);
      const answer = await client.commit(request, options);
      if (error !== undefined) throw errorOf(error);
      return answer;
    },
    rollback: async (request: Parameters<FirestoreClient['rollback']>[0] = {}, options?: object) => {
      sent.push(options);
      asked.push({ call: 'rollback', transaction: Boolean(request.transaction), retried: false });
      return client.rollback(request, options);
    },
    close: () => client.close(),
  };
  const calls = firestoreCalls(faulty, database, { headers: { authorization: owner }, firstDelay: 1 });
  afterAll(() => calls.close());
  return { calls, asked, errors, sent, owner, names: () => asked.map(({ call }) => call) };
};

const key = (id: string) => ({ collection: 'tenants/acme/things', id });
const create = (id: string, data = { n: 1 }): Write => ({
  kind: 'create',
  key: key(id),
  content: { data, fieldNames: ['n'] },
});
const reading = (id: string) => async (reader: { get: ReturnType<typeof firestoreCalls>['get'] }) => {
  const [found] = await reader.get([key(id)]);
  return { result: found?.data.n, writes: [create(`${id}-copy`)] };
};

it('says with each call who asks', async () => {
  const { calls, names, sent, owner } = failing();
  await calls.commit([create('a')]);
  await calls.get([key('a')]);
  await calls.transaction(reading('a'));
  await expect(calls.transaction(async ({ get }) => Promise.reject(await get([key('a')])))).rejects.toBeDefined();
  expect(new Set(names())).toEqual(new Set(['read', 'commit', 'rollback']));
  const headers: unknown = expect.objectContaining({ authorization: owner });
  expect(sent).toEqual(sent.map(() => ({ otherArgs: { headers } })));
});

it('begins no transaction for one that only writes', async () => {
  const { calls, asked } = failing();
  await calls.transaction(async () => ({ result: 1, writes: [create('a')] }));
  expect(asked).toEqual([{ call: 'commit', transaction: false, retried: false }]);
  await calls.transaction(async () => ({ result: 1, writes: [] }));
  expect(asked).toHaveLength(1);
});

it('begins one with the first read, which the reads beside it wait for, and ends it though nothing is written', async () => {
  const { calls, asked } = failing();
  await calls.commit([create('a'), create('b', { n: 2 })]);
  asked.length = 0;
  const result = await calls.transaction(async ({ get }) => {
    const [[a], [b], none] = await Promise.all([get([key('a')]), get([key('b')]), get([])]);
    return { result: [a?.data, b?.data, none], writes: [] };
  });
  expect(result).toEqual([{ n: 1 }, { n: 2 }, []]);
  expect(asked.map(({ call, transaction }) => `${call} ${transaction}`)).toEqual([
    ...['read true', 'read true', 'commit true'],
  ]);
});

it('runs a transaction anew that others were in the way of, in the place of the one before', async () => {
  const { calls, asked, errors, names } = failing();
  await calls.commit([create('a')]);
  asked.length = 0;
  errors.push(
    { call: 'commit', code: 10 },
    { call: 'commit', code: 3, message: 'The referenced transaction has expired or is no longer valid.' },
  );
  expect(await calls.transaction(reading('a'))).toBe(1);
  const round = ['read', 'commit', 'rollback'];
  expect(names()).toEqual([...round, ...round, 'read', 'commit']);
  expect(asked.filter(({ call }) => call === 'read').map(({ retried }) => retried)).toEqual([false, true, true]);
});

it('gives up after five attempts, with what stood in the way', async () => {
  const { calls, errors, names } = failing();
  errors.push(...Array.from({ length: 5 }, () => ({ call: 'commit', code: 10 }) as const));
  await expect(calls.transaction(reading('a'))).rejects.toMatchObject({ code: 'revision-conflict' });
  expect(names().filter((name) => name === 'commit')).toHaveLength(5);
  expect(await calls.get([key('a-copy')])).toEqual([undefined]);
});

it('runs no transaction anew for what its work throws, though it looks like an error of the database', async () => {
  const { calls, names } = failing();
  const own = Object.assign(new Error('of another system'), { code: 14 });
  const work = calls.transaction(async ({ get }) => {
    await get([key('a')]);
    throw own;
  });
  await expect(work).rejects.toBe(own);
  expect(names()).toEqual(['read', 'rollback']);
});

it('runs a transaction anew whose read failed in passing', async () => {
  const { calls, errors, names } = failing();
  errors.push({ call: 'read', code: 14 });
  expect(await calls.transaction(reading('a'))).toBeUndefined();
  expect(names()).toEqual(['read', 'read', 'commit']);
});

it('writes once though the answer of a transaction is lost', async () => {
  const { calls, errors } = failing();
  await calls.commit([create('a')]);
  errors.push({ call: 'commit', code: 14, afterwards: true });
  // The second attempt finds what the first has written.
  await expect(calls.transaction(reading('a'))).rejects.toMatchObject({ code: 'already-exists' });
  expect((await calls.get([key('a-copy')]))[0]?.data).toEqual({ n: 1 });
});

it('reads again what could not be read in passing, and no more often than five times', async () => {
  const { calls, errors, names } = failing();
  await calls.commit([create('a')]);
  errors.push({ call: 'read', code: 14 }, { call: 'read', code: 13 });
  expect((await calls.get([key('a'), key('none'), key('a')])).map((one) => one?.data)).toEqual([
    { n: 1 },
    undefined,
    { n: 1 },
  ]);
  expect(names()).toEqual(['commit', 'read', 'read', 'read']);
  errors.push(...Array.from({ length: 5 }, () => ({ call: 'read', code: 14 }) as const));
  await expect(calls.get([key('a')])).rejects.toMatchObject({ code: 'unavailable' });
  errors.length = 0;
  errors.push({ call: 'read', code: 7 });
  await expect(calls.get([key('a')])).rejects.toMatchObject({ code: 7 });
});

it('commits again what others were in the way of', async () => {
  const { calls, errors, names } = failing();
  errors.push({ call: 'commit', code: 10 });
  await calls.commit([create('a')]);
  expect(names()).toEqual(['commit', 'commit']);
});
