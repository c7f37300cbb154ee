import type { DocumentSnapshot, Firestore, Query } from '@google-cloud/firestore';
import type { AuthClient } from 'google-auth-library';
import { OmniError } from '../kernel/errors.ts';
import { type AdapterOptions, databaseOn } from './database.ts';
import { expiryField, writeField } from './document.ts';
import type { Driver, RawDocument } from './driver.ts';
import { type FirestoreCalls, firestoreCalls } from './firestore-calls.ts';
import { translated } from './firestore-errors.ts';
import { revisionOf } from './firestore-values.ts';
import { gathered } from './gathered.ts';
import type { Database, Filter } from './store.ts';

export interface FirestoreOptions extends AdapterOptions {
  readonly projectId: string;
  /** `(default)` where absent. */
  readonly databaseId?: string;
  /** `127.0.0.1:8085`. Where FIRESTORE_EMULATOR_HOST is set, it says the same: the SDK goes by it. */
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

/** The SDK, which is asked for what is more than documents by their names. */
const connect = async ({ projectId, databaseId, emulatorHost }: FirestoreOptions): Promise<Connection> => {
  const { default: sdk } = await import('@google-cloud/firestore');
  const client = new sdk.Firestore({
    projectId,
    ...(databaseId === undefined ? {} : { databaseId }),
    ...(emulatorHost === undefined
      ? {}
      : { host: emulatorHost, ssl: false, auth: new (await googleAuth()).GoogleAuth({ authClient: await noAuth() }) }),
  });
  return { client, sdk };
};

const googleAuth = () => import('google-auth-library');

/** The emulator wants no credentials, but without any the SDK looks for those of a machine in Google Cloud. */
const noAuth = async (): Promise<AuthClient> => new (await googleAuth()).PassThroughClient();

/** As the SDK sets them: windows of HTTP/2 that a page of documents fits in, and connections of its own. */
const channelOptions = { 'grpc-node.flow_control_window': 256 * 1024, 'grpc.use_local_subchannel_pool': 1 };

/** Who may do everything. For others the emulator asks its rules about each document, which takes as long again. */
const emulatorOwner = { authorization: 'Bearer owner' } as const;

const connectCalls = async (options: FirestoreOptions): Promise<FirestoreCalls> => {
  const { projectId, databaseId = '(default)', emulatorHost } = options;
  const { default: api } = await import('@google-cloud/firestore-api');
  const database = `projects/${projectId}/databases/${databaseId}`;
  if (emulatorHost === undefined) {
    return firestoreCalls(new api.v1.FirestoreClient({ projectId, ...channelOptions }), database);
  }
  const { credentials } = await import('@grpc/grpc-js');
  const [host = '', port] = emulatorHost.split(':');
  const client = new api.v1.FirestoreClient({
    projectId,
    ...channelOptions,
    servicePath: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    authClient: await noAuth(),
  });
  return firestoreCalls(client, database, { headers: emulatorOwner });
};

/** Opens on first use; a second one finds it open. */
const lazily = <C>(open: () => Promise<C>) => {
  let opening: Promise<C> | undefined;
  return {
    use: (): Promise<C> => {
      opening ??= open();
      return opening;
    },
    ifOpen: (): Promise<C> | undefined => opening,
  };
};

export const firestoreDriver = (options: FirestoreOptions): Driver => {
  const { timeoutMs = 10_000 } = options;
  const sdks = lazily(() => connect(options));
  const calls = lazily(() => connectCalls(options));

  const call = <R>(work: (calls: FirestoreCalls) => Promise<R>, patience = timeoutMs): Promise<R> =>
    within(patience, calls.use().then(work));
  const ask = <R>(work: (connection: Connection) => Promise<R>): Promise<R> =>
    within(
      timeoutMs,
      sdks.use().then((sdk) => translated(() => work(sdk))),
    );

  return {
    get: gathered((keys) => call(({ get }) => get(keys)), maxGathered),
    commit: (writes) => call(({ commit }) => commit(writes)),
    transaction: (work) => call(({ transaction }) => transaction(work), 3 * timeoutMs),
    query: (collection, { where, orderBy, after, limit }) =>
      ask(async ({ client, sdk }) => {
        let query = filtered(sdk, client.collection(collection), where);
        if (orderBy) query = query.orderBy(pathOf(sdk, orderBy.field), orderBy.order);
        query = query.orderBy(sdk.FieldPath.documentId(), orderBy?.order ?? 'asc').limit(limit);
        if (after) query = orderBy ? query.startAfter(...after) : query.startAfter(after[1]);
        const { docs } = await query.get();
        return docs.map((snapshot) => rawOf(sdk, snapshot));
      }),
    aggregate: (collection, { where, liveAfter, field }) =>
      ask(async ({ client, sdk }) => {
        let query = filtered(sdk, client.collection(collection), where);
        if (liveAfter !== undefined) query = query.where(expiryField, '>', sdk.Timestamp.fromMillis(liveAfter));
        if (field === undefined) return { count: (await query.count().get()).data().count, sum: 0, average: null };
        const { AggregateField } = sdk;
        const path = pathOf(sdk, field);
        const asked = { sum: AggregateField.sum(path), average: AggregateField.average(path) };
        return { count: 0, ...(await query.aggregate(asked).get()).data() };
      }),
    nearest: (collection, { where = [], field, vector, distance, limit }) =>
      ask(async ({ client, sdk }) => {
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
      await call(({ get }) => get([{ collection: 'ping', id: 'ping' }]));
    },
    close: async () => {
      await Promise.all([
        sdks.ifOpen()?.then(({ client }) => client.terminate()),
        calls.ifOpen()?.then(({ close }) => close()),
      ]);
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
  return { id: snapshot.id, revision: revisionOf(snapshot.updateTime), data, expireAt };
};
