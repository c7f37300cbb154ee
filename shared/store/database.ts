import { isOmniError, OmniError } from '../kernel/errors.ts';
import type { DomainEvent } from '../kernel/event.ts';
import { sha256 } from '../kernel/json.ts';
import type { PlatformCollection, TenantCollection } from './collection.ts';
import { checkId, codecOf, isExpired } from './document.ts';
import type { Content, DocumentKey, Driver, Reader, Write } from './driver.ts';
import { insideOf, keyOf, type OpenCollection, openStore, readOne, refined, type StoreContext } from './open-store.ts';
import { outboxCollection, toOutboxEntry } from './outbox.collection.ts';
import type { Database, DatabaseOptions, Filter, Transaction } from './store.ts';

export interface AdapterOptions extends DatabaseOptions {
  /**
   * Throw when a query needs a composite index that its collection does not declare, as Firestore in the cloud does
   * and its emulator does not.
   */
  readonly requireIndexes?: boolean;
  /** Puts a driver around the adapter's own, such as the one that encrypts fields. */
  readonly wrap?: (driver: Driver) => Driver;
}

/** Everything that a Database does, on top of the little that a driver must be able to do. */
export const databaseOn = (inner: Driver, options: AdapterOptions): Database => {
  const { now = Date.now, onCommitted, onInvalid = () => {}, requireIndexes = true, wrap = (one) => one } = options;
  const driver = wrap(inner);
  const context: StoreContext = { driver, now, onInvalid, requireIndexes };
  const open = <T extends object>(
    definition: TenantCollection<T> | PlatformCollection<T>,
  ): ((parent: string) => OpenCollection<T>) => {
    const codec = codecOf(definition);
    driver.declare?.(definition);
    return (parent) => ({ context, definition, codec, path: `${parent}${definition.name}` });
  };
  const outbox = open(outboxCollection)('');

  return {
    tenants: (definition) => {
      if (definition.name === reservations) throw new Error(`The collection name ${reservations} is taken.`);
      const at = open(definition);
      return { of: (tenant) => openStore(at(parentOf(tenant))) };
    },
    platform: (definition) => openStore(open(definition)('')),
    transaction: async (work) => {
      let recorded: Recording = { writes: [], events: [], hasRead: false };
      const attempt = (readFirst: boolean) =>
        driver.transaction(async (reader) => {
          const recording = record(context, outbox, reader);
          const result = await work(recording.transaction);
          recorded = recording.end();
          const { writes, hasRead } = recorded;
          return { result, writes: hasRead || readFirst ? await overExpired(writes, reader, now()) : writes };
        });
      const result = await attempt(false)
        .catch((error: unknown) => {
          const again = isOmniError(error, 'already-exists') && !recorded.hasRead && recorded.writes.some(mayBeExpired);
          if (again) return attempt(true);
          throw error;
        })
        .catch(async (error: unknown) => {
          throw await refined(driver, recorded.writes, error);
        });
      if (recorded.events.length > 0) await onCommitted?.(recorded.events);
      return result;
    },
    ownerOf: async (tenant, kind, value) => {
      const owner = (await driver.get([reservationKey(tenant, kind, value)]))[0]?.data.owner;
      return typeof owner === 'string' ? owner : undefined;
    },
    erase: (tenant, name, limit) => eraseFrom(driver, `${parentOf(tenant)}${name}`, [], limit),
    eraseWhere: (name, field, value, limit, first) =>
      eraseFrom(driver, name, [{ field, op: '==', value }], limit, first),
    ping: () => driver.ping(),
    close: () => driver.close(),
  };
};

const eraseFrom = async (
  driver: Driver,
  collection: string,
  where: readonly Filter[],
  limit: number,
  first?: (ids: readonly string[]) => Promise<void>,
): Promise<number> => {
  const found = await driver.query(collection, { where, orderBy: undefined, after: undefined, limit });
  if (found.length > 0) await first?.(found.map(({ id }) => id));
  if (found.length > 0) await driver.commit(found.map(({ id }) => ({ kind: 'delete', key: { collection, id } })));
  return found.length;
};

const parentOf = (tenant: string): string => `tenants/${checkId(tenant, 'tenant')}/`;

const reservations = 'unique';

/** The value itself is not stored: it may be an address or a secret. */
const reservationKey = (tenant: string, kind: string, value: string): DocumentKey => ({
  collection: `${parentOf(tenant)}${reservations}`,
  id: sha256(JSON.stringify([kind, value])),
});

const reservationFields = ['kind', 'owner'];

interface Recording {
  readonly writes: readonly Write[];
  readonly events: readonly DomainEvent[];
  readonly hasRead: boolean;
}

/** A transaction that reads through `reader` and keeps its writes and events until `end`. */
const record = (
  context: StoreContext,
  outbox: OpenCollection<{ committedAt: string; event: string }>,
  reader: Reader,
) => {
  const writes = new Map<string, Write>();
  const events: DomainEvent[] = [];
  let hasRead = false;
  let ended = false;

  const add = (write: Write): void => {
    const path = `${write.key.collection}/${write.key.id}`;
    if (ended) throw new Error(`${path} was written after its transaction had ended: a call was not awaited.`);
    if (writes.has(path)) throw new Error(`${path} is written twice in one transaction.`);
    writes.set(path, write);
  };

  const transaction: Transaction = {
    get: async (store, id) => {
      const collection = insideOf(store, context);
      if (writes.size > 0) throw new Error('A transaction must do all its reads before its first write.');
      hasRead = true;
      return readOne(collection, (await reader.get([keyOf(collection, id)]))[0]);
    },
    create: (store, id, value) => {
      const collection = insideOf(store, context);
      add({ kind: 'create', key: keyOf(collection, id), content: collection.codec.encode(id, value).content });
    },
    update: (store, id, value, expected) => {
      const collection = insideOf(store, context);
      const { content } = collection.codec.encode(id, value);
      add({ kind: 'update', key: keyOf(collection, id), content, revision: expected?.revision });
    },
    delete: (store, id, expected) => {
      add({ kind: 'delete', key: keyOf(insideOf(store, context), id), revision: expected?.revision });
    },
    increment: (store, id, by, fields = {}) => {
      const collection = insideOf(store, context);
      const { codec } = collection;
      const content = codec.encodePart(id, by, fields);
      add({ kind: 'increment', key: keyOf(collection, id), by, content });
    },
    reserve: (tenant, kind, value, owner) => {
      const content: Content = { data: { kind, owner }, fieldNames: reservationFields };
      add({ kind: 'create', key: reservationKey(tenant, kind, value), content });
    },
    release: (tenant, kind, value) => add({ kind: 'delete', key: reservationKey(tenant, kind, value) }),
    emit: (event) => {
      const { content } = outbox.codec.encode(event.id, toOutboxEntry(event, context.now()));
      add({ kind: 'create', key: keyOf(outbox, event.id), content });
      events.push(event);
    },
  };

  const end = (): Recording => {
    ended = true;
    return { writes: [...writes.values()], events, hasRead };
  };
  return { transaction, end };
};

const mayBeExpired = (write: Write): boolean => write.kind === 'create' && write.content.expireAt !== undefined;

/** Turns creations over what has expired and is not yet deleted into replacements. */
const overExpired = async (writes: readonly Write[], reader: Reader, now: number): Promise<readonly Write[]> => {
  const suspects = writes.filter(mayBeExpired);
  if (suspects.length === 0) return writes;
  const found = await reader.get(suspects.map(({ key }) => key));
  const there = new Map(suspects.map((write, i) => [write, found[i]]));
  return writes.map((write) => {
    const raw = there.get(write);
    if (write.kind !== 'create' || !raw) return write;
    if (!isExpired(raw, now)) throw new OmniError('already-exists', 'The document already exists.');
    return { kind: 'update', key: write.key, content: write.content, revision: raw.revision };
  });
};
