import { OmniError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from '../kernel/json.ts';
import { type AdapterOptions, databaseOn } from './database.ts';
import type { Content, DocumentKey, Driver, RawDocument, Write } from './driver.ts';
import { compareValues, distanceBetween, matches } from './embedded-query.ts';
import { valueAt } from './query.ts';
import type { Database } from './store.ts';

const attempts = 100;

/** A database in this process's memory, for development without an emulator and for fast tests. */
export const embeddedDatabase = (options: AdapterOptions = {}): Database => databaseOn(embeddedDriver(), options);

export const embeddedDriver = (): Driver => {
  const collections = new Map<string, Map<string, RawDocument>>();
  let writes = 0;

  const rowsOf = (collection: string): Map<string, RawDocument> => {
    const rows = collections.get(collection) ?? new Map<string, RawDocument>();
    collections.set(collection, rows);
    return rows;
  };
  const find = ({ collection, id }: DocumentKey): RawDocument | undefined => collections.get(collection)?.get(id);
  const copy = (raw: RawDocument): RawDocument => ({ ...raw, data: structuredClone(raw.data) });

  const apply = (write: Write): string => {
    const { key } = write;
    writes += 1;
    const revision = String(writes);
    if (write.kind === 'delete') rowsOf(key.collection).delete(key.id);
    else rowsOf(key.collection).set(key.id, rowAfter(write, find(key), revision));
    return revision;
  };
  // Nothing here waits, so nobody else gets in between the checks and the writes.
  const commit = (all: readonly Write[]): string[] => {
    for (const write of all) checkPrecondition(write, find(write.key));
    return all.map(apply);
  };

  return {
    get: async (keys) => keys.map(find).map((raw) => raw && copy(raw)),
    commit: async (all) => commit(all),
    transaction: async (work) => {
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        const seen: { readonly key: DocumentKey; readonly raw: RawDocument | undefined }[] = [];
        const { result, writes: all } = await work({
          get: async (keys) => {
            const found = keys.map((key) => ({ key, raw: find(key) }));
            seen.push(...found);
            return found.map(({ raw }) => raw && copy(raw));
          },
        });
        if (seen.every(({ key, raw }) => find(key) === raw)) {
          commit(all);
          return result;
        }
      }
      throw new OmniError('revision-conflict', 'Others kept changing what this needs. Try again.');
    },
    query: async (collection, { where, orderBy, after, limit }) => {
      const sign = orderBy?.order === 'desc' ? -1 : 1;
      const keyed = [...rowsOf(collection).values()]
        .map((raw) => ({ raw, value: orderBy ? valueAt(raw.data, orderBy.field) : null }))
        .filter(({ raw, value }) => value !== undefined && where.every((filter) => matches(raw.data, filter)));
      const compare = (a: unknown, aId: string, b: unknown, bId: string): number =>
        sign * (compareValues(a, b) || compareValues(aId, bId));
      return keyed
        .filter(({ raw, value }) => !after || compare(value, raw.id, orderBy ? after[0] : null, after[1]) > 0)
        .sort((a, b) => compare(a.value, a.raw.id, b.value, b.raw.id))
        .slice(0, limit)
        .map(({ raw }) => copy(raw));
    },
    aggregate: async (collection, { where, liveAfter, field }) => {
      const rows = [...rowsOf(collection).values()].filter(
        ({ data, expireAt }) =>
          (liveAfter === undefined || (expireAt !== undefined && expireAt > liveAfter)) &&
          where.every((filter) => matches(data, filter)),
      );
      const numbers = rows.map(({ data }) => field && valueAt(data, field)).filter((one) => typeof one === 'number');
      const sum = numbers.reduce((total, one) => total + one, 0);
      return { count: rows.length, sum, average: numbers.length > 0 ? sum / numbers.length : null };
    },
    nearest: async (collection, { where = [], field, vector, distance, limit }) => {
      const sign = distance === 'dot-product' ? -1 : 1;
      return [...rowsOf(collection).values()]
        .filter(({ data }) => where.every((filter) => matches(data, filter)))
        .flatMap((raw) => {
          const other = valueAt(raw.data, field);
          const isVector = Array.isArray(other) && other.length === vector.length;
          return isVector ? [{ ...copy(raw), distance: distanceBetween(distance, vector, other.map(Number)) }] : [];
        })
        .sort((a, b) => sign * (a.distance - b.distance) || compareValues(a.id, b.id))
        .slice(0, limit);
    },
    ping: async () => {},
    close: async () => collections.clear(),
  };
};

const checkPrecondition = (write: Write, there: RawDocument | undefined): void => {
  if (write.kind === 'create' && there) throw new OmniError('already-exists', 'The document already exists.');
  if (write.kind !== 'update' && write.kind !== 'delete') return;
  if (write.revision !== undefined && write.revision !== there?.revision) {
    throw new OmniError('revision-conflict', 'The document has changed since it was read.');
  }
  if (write.kind === 'update' && !there) throw new OmniError('not-found', 'The document does not exist.');
};

const rowAfter = (
  write: Exclude<Write, { kind: 'delete' }>,
  there: RawDocument | undefined,
  revision: string,
): RawDocument => {
  const { content, key } = write;
  const data =
    write.kind === 'increment' ? incremented(there?.data ?? {}, write.by, content) : structuredClone(content.data);
  return { id: key.id, revision, data, expireAt: content.expireAt ?? there?.expireAt };
};

const incremented = (
  there: RawDocument['data'],
  by: Readonly<Record<string, number>>,
  content: Content,
): RawDocument['data'] => {
  const data: Record<string, unknown> = structuredClone(there);
  merge(data, content.data);
  for (const [field, amount] of Object.entries(by)) {
    const now = valueAt(data, field);
    merge(data, nested(field.split('.'), (typeof now === 'number' ? now : 0) + amount));
  }
  return data;
};

const nested = (parts: readonly string[], value: number): JsonObject => {
  const [first = '', ...rest] = parts;
  return { [first]: rest.length > 0 ? nested(rest, value) : value };
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isJsonObject = (value: JsonValue): value is JsonObject => isMap(value);

/** Firestore's merge: objects field by field, everything else, and an empty object, as a whole. */
const merge = (into: Record<string, unknown>, from: JsonObject): void => {
  for (const [key, value] of Object.entries(from)) {
    if (!isJsonObject(value) || Object.keys(value).length === 0) into[key] = structuredClone(value);
    else {
      const there = into[key];
      const target = isMap(there) ? there : {};
      into[key] = target;
      merge(target, value);
    }
  }
};
