import { OmniError } from '../kernel/errors.ts';
import { decodeCursor, encodeCursor, type KeysetPosition, type Page } from '../kernel/page.ts';
import { checkField, expiryField, isId } from './document.ts';
import type { DriverQuery, RawDocument } from './driver.ts';
import { missingIndex, type QueryShape } from './indexes.ts';
import type { OpenCollection } from './open-store.ts';
import { checkFilters, checkLimit, matchesNothing, valueAt } from './query.ts';
import type { Aggregate, AggregateRequest, NearestRequest, Neighbour, Query, Stored } from './store.ts';

/** Rows of a later round, when what was read held documents that had expired or did not parse. */
const refill = 100;

export const page = async <T extends object>(collection: OpenCollection<T>, query: Query): Promise<Page<Stored<T>>> => {
  const { fieldNames } = collection.codec;
  const { orderBy } = query;
  const where = checkFilters(query.where ?? [], fieldNames, orderBy?.field ?? 'none');
  if (orderBy) checkField(orderBy.field, fieldNames);
  const limit = checkLimit(query.limit);
  demandIndex(collection, { where, orderBy });
  const after = query.cursor === undefined ? undefined : positionOf(query.cursor);
  if (matchesNothing(where)) return { items: [], nextCursor: null };

  const found = await readRows(collection, { where, orderBy, after, limit: limit + 1 });
  const rows = found.slice(0, limit);
  const end = found.length > limit ? rows.at(-1) : undefined;
  return { items: rows.map(({ item }) => item), nextCursor: end ? cursorAfter(end.raw, orderBy?.field) : null };
};

interface Row<T> {
  readonly item: Stored<T>;
  readonly raw: RawDocument;
}

/** Reads on past what has expired or does not parse, until there is enough or nothing more. */
const readRows = async <T extends object>(collection: OpenCollection<T>, query: DriverQuery): Promise<Row<T>[]> => {
  const { orderBy, limit } = query;
  const rows: Row<T>[] = [];
  let { after } = query;
  for (let size = limit; ; size = Math.max(limit, refill)) {
    const raws = await collection.context.driver.query(collection.path, { ...query, after, limit: size });
    for (const raw of raws) {
      const item = readOrReport(collection, raw);
      if (item) rows.push({ item, raw });
      if (rows.length === limit) return rows;
    }
    const last = raws.at(-1);
    if (!last || raws.length < size) return rows;
    after = [orderBy ? valueAt(last.data, orderBy.field) : null, last.id];
  }
};

export const aggregate = async <T extends object>(
  collection: OpenCollection<T>,
  { where: filters = [], sum = [], average = [] }: AggregateRequest,
): Promise<Aggregate> => {
  const { context, codec, definition, path } = collection;
  const where = checkFilters(filters, codec.fieldNames);
  const liveAfter = definition.ttl === undefined ? undefined : context.now();
  const fields = [...new Set([...sum, ...average])];
  // One question for each field: Firestore counts only documents that have every field that a question names.
  const ask = async (field: string | undefined) => {
    const expiry: QueryShape['where'] = liveAfter === undefined ? [] : [{ field: expiryField, op: '>' }];
    demandIndex(collection, { where: [...where, ...expiry], over: field && checkField(field, codec.fieldNames) });
    if (matchesNothing(where)) return { count: 0, sum: 0, average: null };
    return context.driver.aggregate(path, { where, liveAfter, field });
  };
  const [{ count }, ...answers] = await Promise.all([ask(undefined), ...fields.map(ask)]);
  const byField = new Map(fields.map((field, i) => [field, answers[i]]));
  return {
    count,
    sum: Object.fromEntries(sum.map((field) => [field, byField.get(field)?.sum ?? 0])),
    average: Object.fromEntries(average.map((field) => [field, byField.get(field)?.average ?? null])),
  };
};

export const nearest = async <T extends object>(
  collection: OpenCollection<T>,
  request: NearestRequest,
): Promise<readonly Neighbour<T>[]> => {
  const { context, codec, definition, path } = collection;
  const { vector } = definition;
  if (!vector) throw new Error(`The collection ${definition.name} declares no vector.`);
  if (request.vector.length !== vector.dimension || !request.vector.every(Number.isFinite)) {
    throw new OmniError('invalid-request', `A vector must have ${vector.dimension} numbers here.`);
  }
  const where = checkFilters(request.where ?? [], codec.fieldNames, 'none');
  demandIndex(collection, { where, over: vector.field });
  const limit = checkLimit(request.limit);
  if (matchesNothing(where)) return [];
  // A search has no next page, so one that met expired or broken documents starts again with more room.
  for (let size = limit; ; size = Math.min(size * 2, maxNeighbours)) {
    const raws = await context.driver.nearest(path, { ...request, where, limit: size, field: vector.field });
    const found = raws.flatMap((raw) => {
      const item = readOrReport(collection, raw);
      return item ? [{ ...item, distance: raw.distance }] : [];
    });
    if (found.length >= limit || raws.length < size || size === maxNeighbours) return found.slice(0, limit);
  }
};

const maxNeighbours = 1_000;

const demandIndex = <T extends object>({ context, definition }: OpenCollection<T>, shape: QueryShape): void => {
  if (!context.requireIndexes) return;
  const fields = [...shape.where.map(({ field }) => field), shape.orderBy?.field, shape.over];
  const unindexed = definition.unindexed?.find((field) => fields.includes(field));
  if (unindexed !== undefined) throw new Error(`${definition.name}.${unindexed} is declared as unindexed.`);
  const missing = missingIndex(definition, shape);
  if (missing) throw new Error(`The collection ${definition.name} must declare the index ${JSON.stringify(missing)}.`);
};

const readOrReport = <T extends object>(
  { context, codec, path }: OpenCollection<T>,
  raw: RawDocument,
): Stored<T> | undefined => {
  const decoded = codec.decode(raw, context.now());
  if (!decoded || 'value' in decoded) return decoded;
  context.onInvalid(`${path}/${raw.id}`, decoded.issues);
  return undefined;
};

const positionOf = (cursor: string): KeysetPosition => {
  const [value, id] = decodeCursor(cursor);
  if (isId(id) && (typeof value !== 'string' || value.isWellFormed())) return [value, id];
  throw new OmniError('invalid-cursor', 'The cursor is not one that this list gave out. Start again without it.');
};

const cursorAfter = ({ data, id }: RawDocument, field: string | undefined): string => {
  const value = field === undefined ? null : valueAt(data, field);
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return encodeCursor([value, id]);
  }
  throw new Error(`A list cannot be ordered by ${field}: it holds more than plain values.`);
};
