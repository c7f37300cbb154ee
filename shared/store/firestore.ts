import { randomBytes } from 'node:crypto';
import type {
  DocumentReference,
  DocumentSnapshot,
  FieldPath,
  Firestore,
  Transaction as FirestoreTransaction,
  Precondition,
  Query,
  Timestamp,
} from '@google-cloud/firestore';
import type { GoogleAuth } from 'google-auth-library';
import { type ErrorCode, OmniError } from '../kernel/errors.ts';
import { type AdapterOptions, databaseOn } from './database.ts';
import { expiryField, writeField } from './document.ts';
import type { Content, DocumentKey, Driver, RawDocument, Reader, Write } from './driver.ts';
import { gathered } from './gathered.ts';
import type { Database, Filter } from './store.ts';

export interface FirestoreOptions extends AdapterOptions {
  readonly projectId: string;
  /** `(default)` where absent. */
  readonly databaseId?: string;
  /** `127.0.0.1:8085`. FIRESTORE_EMULATOR_HOST, where set, goes before it. */
  readonly emulatorHost?: string | undefined;
  /** For one call, its retries included; a transaction has three times as long. 10,000 ms where absent. */
  readonly timeoutMs?: number;
}

/** A database in Firestore. It connects on first use. */
export const firestoreDatabase = (options: FirestoreOptions): Database =>
  databaseOn(firestoreDriver(options), { requireIndexes: options.emulatorHost !== undefined, ...options });

type Sdk = typeof import('@google-cloud/firestore');

interface Connection {
  readonly client: Firestore;
  readonly sdk: Sdk;
}

const connect = async ({ projectId, databaseId, emulatorHost }: FirestoreOptions): Promise<Connection> => {
  // The SDK's own spans, which nobody collects: ours say what each call took, and each call pays for several.
  // biome-ignore lint/style/noProcessEnv: the SDK takes this from nowhere else.
  process.env.FIRESTORE_ENABLE_TRACING ??= 'off';
  const { default: sdk } = await import('@google-cloud/firestore');
  const client = new sdk.Firestore({
    projectId,
    ignoreUndefinedProperties: true,
    ...(databaseId === undefined ? {} : { databaseId }),
    ...(emulatorHost === undefined ? {} : { host: emulatorHost, ssl: false, auth: await noAuth() }),
  });
  return { client, sdk };
};

/** The emulator wants no credentials, but without any the SDK looks for those of a machine in Google Cloud. */
const noAuth = async (): Promise<GoogleAuth> => {
  const { GoogleAuth, PassThroughClient } = await import('google-auth-library');
  return new GoogleAuth({ authClient: new PassThroughClient() });
};

export const firestoreDriver = (options: FirestoreOptions): Driver => {
  const { timeoutMs = 10_000 } = options;
  let connecting: Promise<Connection> | undefined;

  const call = <R>(work: (connection: Connection) => Promise<R>, patience = timeoutMs): Promise<R> => {
    connecting ??= connect(options);
    return translated(within(patience, connecting.then(work)));
  };

  const get = gathered(
    (keys: readonly DocumentKey[]) => call((connection) => read(connection, connection.client, keys)),
    maxGathered,
  );

  return {
    get,
    commit: (writes) =>
      call(async ({ client, sdk }) => {
        const batch = client.batch();
        for (const write of writes) add(sdk, client, batch, write);
        return (await batch.commit()).map(({ writeTime }) => revisionOf(writeTime));
      }),
    transaction: async (work) => {
      const failure: Failure = {};
      try {
        return await call((connection) => transact(connection, work, failure), 3 * timeoutMs);
      } catch (error) {
        throw 'error' in failure ? failure.error : error;
      }
    },
    query: (collection, { where, orderBy, after, limit }) =>
      call(async ({ client, sdk }) => {
        let query = filtered(sdk, client.collection(collection), where);
        if (orderBy) query = query.orderBy(pathOf(sdk, orderBy.field), orderBy.order);
        query = query.orderBy(sdk.FieldPath.documentId(), orderBy?.order ?? 'asc').limit(limit);
        if (after) query = orderBy ? query.startAfter(...after) : query.startAfter(after[1]);
        const { docs } = await query.get();
        return docs.map((snapshot) => rawOf(sdk, snapshot));
      }),
    aggregate: (collection, { where, liveAfter, field }) =>
      call(async ({ client, sdk }) => {
        let query = filtered(sdk, client.collection(collection), where);
        if (liveAfter !== undefined) query = query.where(expiryField, '>', sdk.Timestamp.fromMillis(liveAfter));
        if (field === undefined) return { count: (await query.count().get()).data().count, sum: 0, average: null };
        const { AggregateField } = sdk;
        const path = pathOf(sdk, field);
        const asked = { sum: AggregateField.sum(path), average: AggregateField.average(path) };
        return { count: 0, ...(await query.aggregate(asked).get()).data() };
      }),
    nearest: (collection, { where = [], field, vector, distance, limit }) =>
      call(async ({ client, sdk }) => {
        const { docs } = await filtered(sdk, client.collection(collection), where)
          .findNearest({
            vectorField: pathOf(sdk, field),
            queryVector: [...vector],
            limit,
            distanceMeasure: measures[distance],
            distanceResultField: distanceField,
          })
          .get();
        return docs.map((snapshot) => ({ ...rawOf(sdk, snapshot), distance: Number(snapshot.get(distanceField)) }));
      }),
    ping: async () => {
      await call(({ client }) => client.doc('ping/ping').get());
    },
    close: async () => {
      await connecting?.then(({ client }) => client.terminate());
    },
  };
};

/** Documents that reads of one moment ask for together. */
const maxGathered = 300;

const distanceField = '_distance';
const measures = { cosine: 'COSINE', euclidean: 'EUCLIDEAN', 'dot-product': 'DOT_PRODUCT' } as const;

/** A call outlives its deadline only where nobody waits for it: the SDK itself gives up after a minute or more. */
const within = async <R>(milliseconds: number, work: Promise<R>): Promise<R> => {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new OmniError('unavailable', 'The database did not answer in time.')),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
};

/** By gRPC status: https://grpc.io/docs/guides/status-codes. */
const refusals: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  4: ['unavailable', 'The database did not answer in time.'],
  5: ['not-found', 'The document does not exist.'],
  6: ['already-exists', 'The document already exists.'],
  8: ['unavailable', 'The database has too much to do.'],
  9: ['revision-conflict', 'The document has changed since it was read.'],
  10: ['revision-conflict', 'Others kept changing what this needs. Try again.'],
  14: ['unavailable', 'The database cannot be reached.'],
};

const translated = async <R>(work: Promise<R>): Promise<R> => {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error) || error instanceof OmniError || !('code' in error)) throw error;
    // An expected revision that is later than the stored one is answered as an invalid argument (3).
    const status = error.message.includes('base version') ? 9 : Number(error.code);
    const refusal = refusals[status];
    throw refusal ? new OmniError(...refusal, { cause: error }) : error;
  }
};

const read = async (
  { client, sdk }: Connection,
  from: Pick<Firestore, 'getAll'> | Pick<FirestoreTransaction, 'getAll'>,
  keys: readonly DocumentKey[],
): Promise<readonly (RawDocument | undefined)[]> => {
  if (keys.length === 0) return [];
  const snapshots = await from.getAll(...keys.map((key) => refOf(client, key)));
  return snapshots.map((snapshot) => (snapshot.exists ? rawOf(sdk, snapshot) : undefined));
};

const transactionAttempts = 5;

/** Holds what the work threw, if it did. */
interface Failure {
  error?: unknown;
}

/** Without a read, the SDK commits the writes alone and begins no transaction. */
const transact = <R>(
  connection: Connection,
  work: (reader: Reader) => Promise<{ result: R; writes: readonly Write[] }>,
  failure: Failure,
): Promise<R> => {
  const { client, sdk } = connection;
  const attempt = async (transaction: FirestoreTransaction): Promise<R> => {
    const ownErrors = new Set<unknown>();
    const get: Reader['get'] = (keys) =>
      read(connection, transaction, keys).catch((error: unknown) => {
        ownErrors.add(error);
        throw error;
      });
    try {
      const { result, writes } = await work({ get });
      for (const write of writes) add(sdk, client, transaction, write);
      return result;
    } catch (error) {
      if (ownErrors.has(error)) throw error;
      // The SDK would retry an error of any origin that has a gRPC status, so it is not shown this one.
      failure.error = error;
      throw new Error('The work of the transaction failed.', { cause: error });
    }
  };
  return client.runTransaction(attempt, { maxAttempts: transactionAttempts });
};

/** What a batch and a transaction have in common. */
interface Batch {
  create(ref: DocumentReference, fields: Fields): unknown;
  set(ref: DocumentReference, fields: Fields, options: { readonly merge: true }): unknown;
  update(ref: DocumentReference, path: FieldPath, value: unknown, ...more: unknown[]): unknown;
  delete(ref: DocumentReference, precondition?: Precondition): unknown;
}

const add = (sdk: Sdk, client: Firestore, batch: Batch, write: Write): void => {
  const ref = refOf(client, write.key);
  if (write.kind === 'delete') {
    // The SDK does not take an undefined precondition.
    if (write.revision === undefined) batch.delete(ref);
    else batch.delete(ref, { lastUpdateTime: timestampOf(sdk, write.revision) });
    return;
  }
  const fields = fieldsOf(sdk, write.content);
  if (write.kind === 'create') batch.create(ref, fields);
  else if (write.kind === 'increment') batch.set(ref, withIncrements(sdk, fields, write.by), { merge: true });
  else {
    const absent = write.content.fieldNames.filter((name) => !Object.hasOwn(fields, name));
    for (const name of absent) fields[name] = sdk.FieldValue.delete();
    const precondition =
      write.revision === undefined ? { exists: true } : { lastUpdateTime: timestampOf(sdk, write.revision) };
    const [first, ...rest] = Object.entries(fields).map(([name, value]) => [new sdk.FieldPath(name), value] as const);
    // As paths, because a name with a dot in it would reach into another field.
    if (first) batch.update(ref, first[0], first[1], ...rest.flat(), precondition);
  }
};

type Fields = Record<string, unknown>;

/** Of this process, so that its writes are like no other's. */
const writer = randomBytes(9).toString('base64url');
let writes = 0;
const nextWrite = (): string => {
  writes += 1;
  return `${writer}${writes.toString(36)}`;
};

const fieldsOf = (sdk: Sdk, { data, expireAt, vectorField }: Content): Fields => {
  const fields: Fields = { ...data, [writeField]: nextWrite() };
  if (expireAt !== undefined) fields[expiryField] = sdk.Timestamp.fromMillis(expireAt);
  const vector = vectorField && data[vectorField];
  if (vectorField && Array.isArray(vector)) fields[vectorField] = sdk.FieldValue.vector(vector.map(Number));
  return fields;
};

const withIncrements = (sdk: Sdk, fields: Fields, by: Readonly<Record<string, number>>): Fields => {
  for (const [field, amount] of Object.entries(by)) {
    const parts = field.split('.');
    const last = parts.pop() ?? '';
    let into = fields;
    for (const part of parts) {
      const next = { ...(isMap(into[part]) ? into[part] : {}) };
      into[part] = next;
      into = next;
    }
    into[last] = sdk.FieldValue.increment(amount);
  }
  return fields;
};

const isMap = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

const refOf = (client: Firestore, { collection, id }: DocumentKey): DocumentReference =>
  client.collection(collection).doc(id);

const pathOf = (sdk: Sdk, field: string) => new sdk.FieldPath(...field.split('.'));

const operators = {
  '==': '==',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  in: 'in',
  contains: 'array-contains',
} as const;

const filtered = (sdk: Sdk, query: Query, where: readonly Filter[]): Query =>
  where.reduce((all, { field, op, value }) => all.where(pathOf(sdk, field), operators[op], value), query);

/** The document without what only this adapter knows. */
const rawOf = (sdk: Sdk, snapshot: DocumentSnapshot): RawDocument => {
  const { [expiryField]: expiry, [writeField]: _, [distanceField]: __, ...rest } = snapshot.data() ?? {};
  const data = Object.fromEntries(
    Object.entries(rest).map(([name, value]: [string, unknown]) => [
      name,
      value instanceof sdk.VectorValue ? value.toArray() : value,
    ]),
  );
  const expireAt = expiry instanceof sdk.Timestamp ? expiry.toMillis() : undefined;
  return { id: snapshot.id, revision: snapshot.updateTime ? revisionOf(snapshot.updateTime) : '', data, expireAt };
};

const revisionOf = ({ seconds, nanoseconds }: Timestamp): string =>
  `${seconds}.${String(nanoseconds).padStart(9, '0')}`;

/** A revision may come from a client. Firestore's times have microseconds; what is none cannot be the document's. */
const timestampOf = (sdk: Sdk, revision: string): Timestamp => {
  const [, seconds, nanoseconds] = /^(\d{1,11})\.(\d{6}000)$/.exec(revision) ?? [];
  if (seconds === undefined) throw new OmniError('revision-conflict', 'The document has changed since it was read.');
  return new sdk.Timestamp(Number(seconds), Number(nanoseconds));
};
