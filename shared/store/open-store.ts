import { isOmniError, OmniError } from '../kernel/errors.ts';
import type { PlatformCollection, TenantCollection } from './collection.ts';
import { type Codec, checkId, isExpired } from './document.ts';
import type { DocumentKey, Driver, RawDocument, Write } from './driver.ts';
import { aggregate, nearest, page } from './reading.ts';
import type { Store, Stored } from './store.ts';

/** What all stores of one database share. */
export interface StoreContext {
  readonly driver: Driver;
  readonly now: () => number;
  readonly onInvalid: (path: string, issues: readonly string[]) => void;
  readonly requireIndexes: boolean;
}

/** One collection at one path. */
export interface OpenCollection<T extends object> {
  readonly context: StoreContext;
  readonly definition: TenantCollection<T> | PlatformCollection<T>;
  readonly codec: Codec<T>;
  readonly path: string;
}

const opened: unique symbol = Symbol('opened');

interface OpenStore<T extends object> extends Store<T> {
  readonly [opened]: OpenCollection<T>;
}

const isOpen = <T extends object>(store: Store<T>): store is OpenStore<T> => opened in store;

/** The inside of a store, for the transactions of the database that it is of. */
export const insideOf = <T extends object>(store: Store<T>, context: StoreContext): OpenCollection<T> => {
  if (isOpen(store) && store[opened].context === context) return store[opened];
  throw new Error(`The store ${store.path} is of another database than the transaction.`);
};

export const keyOf = ({ path }: { readonly path: string }, id: string): DocumentKey => ({
  collection: path,
  id: checkId(id, 'id'),
});

/** What is there now. Throws `stored-data-invalid`. */
export const readOne = <T extends object>(
  { context, codec, path }: OpenCollection<T>,
  raw: RawDocument | undefined,
): Stored<T> | undefined => {
  const decoded = raw && codec.decode(raw, context.now());
  if (!decoded || 'value' in decoded) return decoded;
  const where = `${path}/${raw.id}`;
  context.onInvalid(where, decoded.issues);
  throw new OmniError('stored-data-invalid', `The stored document ${where} is not what it should be.`);
};

export const openStore = <T extends object>(collection: OpenCollection<T>): Store<T> => {
  const { context, codec, path } = collection;
  const { driver } = context;
  const commit = async (write: Write): Promise<string> => (await commitAll(driver, [write]))[0] ?? '';
  const store: OpenStore<T> = {
    [opened]: collection,
    path,
    get: async (id) => readOne(collection, (await driver.get([keyOf(collection, id)]))[0]),
    getMany: async (ids) => {
      const keys = [...new Set(ids)].map((id) => keyOf(collection, id));
      if (keys.length > 1_000) throw new OmniError('invalid-request', 'At most 1000 documents can be read at once.');
      const raws = keys.length > 0 ? await driver.get(keys) : [];
      const found = new Map(keys.map(({ id }, i) => [id, readOne(collection, raws[i])]));
      return ids.map((id) => found.get(id));
    },
    create: async (id, given) => {
      const { content, value } = codec.encode(id, given);
      return { id, revision: await create(context, { kind: 'create', key: keyOf(collection, id), content }), value };
    },
    update: async (id, given, expected) => {
      const { content, value } = codec.encode(id, given);
      const write: Write = { kind: 'update', key: keyOf(collection, id), content, revision: expected?.revision };
      return { id, revision: await commit(write), value };
    },
    delete: async (id, expected) => {
      await commit({ kind: 'delete', key: keyOf(collection, id), revision: expected?.revision });
    },
    increment: async (id, by, fields = {}) => {
      const content = codec.encodePart(id, by, fields);
      await commit({ kind: 'increment', key: keyOf(collection, id), by, content });
    },
    query: (query) => page(collection, query),
    aggregate: (request) => aggregate(collection, request),
    nearest: (request) => nearest(collection, request),
  };
  return store;
};

/** Commits, and tells a document that is gone from one that changed: Firestore has one answer for both. */
export const commitAll = async (driver: Driver, writes: readonly Write[]): Promise<readonly string[]> => {
  try {
    return await driver.commit(writes);
  } catch (error) {
    throw await refined(driver, writes, error);
  }
};

/** `not-found` in the place of `revision-conflict` where a document that was expected to be there is not. */
export const refined = async (driver: Driver, writes: readonly Write[], error: unknown): Promise<unknown> => {
  if (!isOmniError(error, 'revision-conflict')) return error;
  const expecting = writes.filter((write) => 'revision' in write && write.revision !== undefined);
  const found = await driver.get(expecting.map(({ key }) => key));
  return found.includes(undefined)
    ? new OmniError('not-found', 'The document does not exist.', { cause: error })
    : error;
};

const createAttempts = 3;

/**
 * Creates. What has expired and is not yet deleted is replaced instead, on condition that nobody else replaced it
 * meanwhile, so that there is one winner here too.
 */
const create = async ({ driver, now }: StoreContext, write: Write & { kind: 'create' }): Promise<string> => {
  const { key, content } = write;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await driver.commit([write]))[0] ?? '';
    } catch (error) {
      if (!isOmniError(error, 'already-exists') || content.expireAt === undefined || attempt === createAttempts)
        throw error;
      const [there] = await driver.get([key]);
      if (there && !isExpired(there, now())) throw error;
      const replaced = there && (await replace(driver, { kind: 'update', key, content, revision: there.revision }));
      if (replaced !== undefined) return replaced;
    }
  }
};

/** Undefined when the document is no longer the one that was read. */
const replace = async (driver: Driver, write: Write): Promise<string | undefined> => {
  try {
    return (await driver.commit([write]))[0];
  } catch (error) {
    if (isOmniError(error, 'revision-conflict')) return undefined;
    throw error;
  }
};
