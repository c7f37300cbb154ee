import type { AnyCollection, IndexDefinition, SortOrder } from './collection.ts';
import { expiryField, writeField } from './document.ts';
import { blindField, type EncryptedField, encryptedFieldsOf } from './encrypted-field.ts';
import { isRange } from './query.ts';
import type { Filter } from './store.ts';

/** What of a query decides the index that it needs. */
export interface QueryShape {
  readonly where: readonly Pick<Filter, 'field' | 'op'>[];
  readonly orderBy?: { readonly field: string; readonly order: SortOrder } | undefined;
  /** The field of a sum or average, or of the vector that neighbours are sought for. */
  readonly over?: string | undefined;
}

type IndexField = IndexDefinition['fields'][number];

/**
 * The composite index that Firestore demands, or undefined where the automatic single-field indexes do: equality
 * conditions alone are merged from those, as is a range or an order on one field alone. The tie-break by id in the
 * direction of the last field is implied (https://cloud.google.com/firestore/docs/query-data/index-overview).
 */
export const requiredIndex = ({ where, orderBy, over }: QueryShape): IndexDefinition | undefined => {
  const equal = new Map<string, IndexField>();
  for (const { field, op } of where.filter((filter) => !isRange(filter))) {
    equal.set(field, { field, order: op === 'contains' ? 'contains' : 'asc' });
  }
  const sorted = new Map<string, IndexField>();
  if (orderBy && equal.get(orderBy.field)?.order !== 'asc') sorted.set(orderBy.field, orderBy);
  for (const { field } of where.filter(isRange)) {
    if (!sorted.has(field)) sorted.set(field, { field, order: 'asc' });
  }
  if (over !== undefined && !sorted.has(over) && !equal.has(over)) sorted.set(over, { field: over, order: 'asc' });
  const fields = [...equal.values(), ...sorted.values()];
  return sorted.size > 0 && fields.length > 1 ? { fields } : undefined;
};

/**
 * The index that this query lacks, or undefined. Several declared indexes with the same end can serve one query
 * together: `(a, t)` and `(b, t)` answer `a == 1 and b == 2, by t`.
 */
export const missingIndex = (collection: AnyCollection, shape: QueryShape): IndexDefinition | undefined => {
  const required = requiredIndex(shape);
  if (!required) return undefined;
  const equal = new Set(shape.where.filter((filter) => !isRange(filter)).map(({ field }) => field));
  const isPrefix = ({ field, order }: IndexField): boolean =>
    required.fields.some(
      (one) => one.field === field && equal.has(field) && (one.order === 'contains') === (order === 'contains'),
    );
  const prefix = required.fields.filter(isPrefix);
  const suffix = required.fields.slice(prefix.length);
  const covered = new Set<string>();
  for (const { fields } of collection.indexes ?? []) {
    const start = fields.slice(0, -suffix.length);
    const end = fields.slice(-suffix.length);
    const fits =
      end.length === suffix.length &&
      end.every((one, i) => one.field === suffix[i]?.field && one.order === suffix[i]?.order);
    if (!fits || !start.every(isPrefix)) continue;
    if (prefix.length === 0) return undefined;
    for (const { field } of start) covered.add(field);
  }
  return prefix.length > 0 && prefix.every(({ field }) => covered.has(field)) ? undefined : required;
};

/** The content of `firestore.indexes.json`, in the form of Firebase's tools. */
export const firestoreIndexes = (collections: readonly AnyCollection[]) => ({
  indexes: collections.flatMap((collection) =>
    [...(collection.indexes ?? []), ...vectorAlone(collection)].map(({ fields }) => ({
      collectionGroup: collection.name,
      queryScope: 'COLLECTION',
      fields: fields.map((field) => indexField(collection, field)),
    })),
  ),
  fieldOverrides: collections.flatMap((collection) => [
    { collectionGroup: collection.name, fieldPath: writeField, indexes: [] },
    ...[...(collection.unindexed ?? []), ...ciphertextsOf(collection)].map((fieldPath) => ({
      collectionGroup: collection.name,
      fieldPath,
      indexes: [],
    })),
    ...(collection.ttl ? [expiryOverride(collection)] : []),
  ]),
});

const vectorAlone = ({ vector }: AnyCollection): IndexDefinition[] =>
  vector ? [{ fields: [{ field: vector.field, order: 'asc' }] }] : [];

const directions = {
  asc: { order: 'ASCENDING' },
  desc: { order: 'DESCENDING' },
  contains: { arrayConfig: 'CONTAINS' },
};

const indexField = (collection: AnyCollection, { field, order }: IndexField) => ({
  fieldPath: encryptedIn(collection).some(({ path }) => path.join('.') === field) ? `${blindField}.${field}` : field,
  ...(field === collection.vector?.field
    ? { vectorConfig: { dimension: collection.vector.dimension, flat: {} } }
    : directions[order]),
});

const encryptedIn = ({ schema }: AnyCollection): readonly EncryptedField[] =>
  schema === undefined ? [] : encryptedFieldsOf(schema);

/** Nobody searches for a ciphertext. Those in a list or record are kept out of the indexes with all of it. */
const ciphertextsOf = (collection: AnyCollection): string[] => {
  const paths = encryptedIn(collection).map(({ path }) =>
    path.slice(0, path.includes('*') ? path.indexOf('*') : path.length).join('.'),
  );
  return [...new Set(paths)].filter((path) => !collection.unindexed?.includes(path));
};

/**
 * Aggregates filter on the expiry. Platform collections are not aggregated, and there the ever rising times would make
 * one hot range of an index: https://cloud.google.com/firestore/docs/ttl#ttl_properties_and_indexing.
 */
const expiryOverride = ({ name, scope }: AnyCollection) => ({
  collectionGroup: name,
  fieldPath: expiryField,
  ttl: true,
  indexes: scope === 'tenant' ? [{ order: 'ASCENDING', queryScope: 'COLLECTION' }] : [],
});
