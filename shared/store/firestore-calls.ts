import { setTimeout as sleep } from 'node:timers/promises';
import type { FirestoreClient, protos } from '@google-cloud/firestore-api';
import type { DocumentKey, RawDocument, Reader, Write } from './driver.ts';
import { meaningOf, translated } from './firestore-errors.ts';
import { protoOf, rawOf, revisionOf } from './firestore-values.ts';

type ReadRequest = protos.google.firestore.v1.IBatchGetDocumentsRequest;
type ReadAnswer = protos.google.firestore.v1.IBatchGetDocumentsResponse;
type TransactionId = Uint8Array | string | undefined;

/** How a transaction reads: it begins with the first read, or has begun. */
type Under = Pick<ReadRequest, 'newTransaction' | 'transaction'>;

export interface FirestoreCalls {
  get(keys: readonly DocumentKey[]): Promise<readonly (RawDocument | undefined)[]>;
  /** Returns the revisions, which are empty for what was deleted. */
  commit(writes: readonly Write[]): Promise<readonly string[]>;
  /** Begins no transaction where `work` reads nothing. What it throws is thrown as it is, and ends the transaction. */
  transaction<R>(work: (reader: Reader) => Promise<{ result: R; writes: readonly Write[] }>): Promise<R>;
  close(): Promise<void>;
}

const attempts = 5;

/** By gRPC status: https://grpc.io/docs/guides/status-codes. */
const passing = { read: [4, 13, 14], commit: [10], transaction: [1, 2, 4, 10, 13, 14, 16] } as const;

const isPassing = (error: unknown, codes: readonly number[]): boolean => {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const hasExpired = error.code === 3 && error.message.includes('transaction has expired');
  return hasExpired || codes.some((code) => code === error.code);
};

/**
 * Reads and commits by the client that is generated from Firestore's protocol, with the transactions and retries of the
 * SDK that stands on it, which would take a third more of the processor for each (decision 25). `headers` go with
 * each call, `firstDelay` is the time before a second attempt, in milliseconds.
 */
export const firestoreCalls = (
  client: Pick<FirestoreClient, 'batchGetDocuments' | 'commit' | 'rollback' | 'close'>,
  database: string,
  { headers = {}, firstDelay = 1_000 }: { headers?: Readonly<Record<string, string>>; firstDelay?: number } = {},
): FirestoreCalls => {
  // The client writes into what it is given.
  const options = () => ({ otherArgs: { headers: { ...headers, 'google-cloud-resource-prefix': database } } });
  /** Half as long again after each attempt, or somewhere around it: those who were in each other's way part. */
  const pause = (attempt: number) => sleep(firstDelay * 1.5 ** (attempt - 1) * (0.5 + Math.random()));
  const retried = async <R>(codes: readonly number[], call: () => Promise<R>): Promise<R> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (attempt === attempts || !isPassing(error, codes)) throw error;
        await pause(attempt);
      }
    }
  };
  const nameOf = ({ collection, id }: DocumentKey): string => `${database}/documents/${collection}/${id}`;

  const read = (keys: readonly DocumentKey[], under?: Under) => {
    const names = keys.map(nameOf);
    const found = new Map<string, RawDocument>();
    let id: TransactionId;
    return new Promise<{ documents: (RawDocument | undefined)[]; id: TransactionId }>((resolve, reject) => {
      client
        .batchGetDocuments({ database, documents: [...new Set(names)], ...under }, options())
        .on('data', ({ found: document, transaction }: ReadAnswer) => {
          if (transaction?.length) id = transaction;
          if (document?.name) found.set(document.name, rawOf(document));
        })
        .on('error', reject)
        .on('end', () => resolve({ documents: names.map((name) => found.get(name)), id }));
    });
  };

  const send = async (writes: readonly Write[], transaction?: TransactionId): Promise<readonly string[]> => {
    const request = { database, writes: writes.map((write) => protoOf(write, nameOf(write.key))) };
    const [{ writeResults }] = await client.commit(transaction ? { ...request, transaction } : request, options());
    return (writeResults ?? []).map(({ updateTime }) => revisionOf(updateTime));
  };

  /** One attempt of a transaction. `previous` is the one before, whose place among those who wait it takes. */
  const begin = (previous: TransactionId) => {
    const failed = new WeakSet<object>();
    let begun: Promise<TransactionId> | undefined;

    const answered = async (keys: readonly DocumentKey[]) => {
      if (begun !== undefined) return read(keys, { transaction: (await begun) ?? null });
      const first = read(keys, { newTransaction: { readWrite: previous ? { retryTransaction: previous } : {} } });
      begun = first.then(({ id }) => id);
      begun.catch(() => undefined);
      return first;
    };

    const get: Reader['get'] = async (keys) => {
      if (keys.length === 0) return [];
      try {
        return (await answered(keys)).documents;
      } catch (error) {
        if (error instanceof Error) failed.add(error);
        throw error;
      }
    };

    return {
      get,
      /** Whether a read of this transaction has failed so, rather than what was done with what it read. */
      hasFailed: (error: unknown): boolean => error instanceof Error && failed.has(error),
      commit: async (writes: readonly Write[]): Promise<void> => {
        const id = await begun;
        if (writes.length > 0 || id) await send(writes, id);
      },
      /** Nobody waits for it: the database frees what is left locked after a while. */
      rollBack: async (): Promise<TransactionId> => {
        const transaction = await begun?.catch(() => undefined);
        if (transaction) client.rollback({ database, transaction }, options()).catch(() => undefined);
        return transaction;
      },
    };
  };

  return {
    get: async (keys) => {
      if (keys.length === 0) return [];
      return (await translated(() => retried(passing.read, () => read(keys)))).documents;
    },
    commit: (writes) => translated(() => retried(passing.commit, () => send(writes))),
    transaction: async (work) => {
      let previous: TransactionId;
      for (let attempt = 1; ; attempt += 1) {
        const transaction = begin(previous);
        let isOurs = false;
        try {
          const { result, writes } = await work({ get: transaction.get });
          isOurs = true;
          await transaction.commit(writes);
          return result;
        } catch (error) {
          previous = (await transaction.rollBack()) ?? previous;
          isOurs ||= transaction.hasFailed(error);
          if (!isOurs) throw error;
          if (attempt === attempts || !isPassing(error, passing.transaction)) throw meaningOf(error);
        }
        await pause(attempt);
      }
    },
    close: () => client.close(),
  };
};
