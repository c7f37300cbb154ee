import { isOmniError } from '../../kernel/errors.ts';
import type { AnyCollection } from '../../store/collection.ts';
import type { Driver, DriverQuery, RawDocument, Write } from '../../store/driver.ts';
import { blindField, type EncryptedField, encryptedFieldsOf } from '../../store/encrypted-field.ts';
import type { Filter } from '../../store/store.ts';
import type { KeyRings } from './key-rings.ts';
import { blindValues, openData, type Place, renewData, sealData } from './sealed-data.ts';

export interface RenewedPage {
  /** Documents that were looked at. */
  readonly documents: number;
  /** Those that were under an old key and no longer are. */
  readonly renewed: number;
  /** Those with a field that no key opens. They are left as they are. */
  readonly unreadable: number;
  /** The id to go on after; undefined at the end. */
  readonly next: string | undefined;
}

/** Encryption of the fields that schemas declare. It stands between the store and its driver, which sees no plaintext. */
export interface FieldEncryption {
  readonly wrap: (driver: Driver) => Driver;
  /** Puts one page of a collection's documents under the current key. To be done again where it fails. */
  renewPage(
    collection: AnyCollection,
    tenant: string,
    page: { readonly after: string | undefined; readonly limit: number },
  ): Promise<RenewedPage>;
}

export interface FieldEncryptionOptions {
  readonly keys: Pick<KeyRings, 'current' | 'find' | 'live'>;
  readonly fieldsOf?: (collection: AnyCollection) => readonly EncryptedField[];
}

/** At one document, while others keep changing it. */
const attempts = 5;

const declaredIn = ({ schema }: AnyCollection): readonly EncryptedField[] =>
  schema === undefined ? [] : encryptedFieldsOf(schema);

const check = ({ name, scope, ttl, vector }: AnyCollection, fields: readonly EncryptedField[]): void => {
  if (fields.length > 0 && scope === 'platform') throw new Error(`${name} is of no tenant whose key could encrypt it.`);
  const inTheClear = [ttl, vector?.field, ...fields.map(({ subject }) => subject)];
  const bad = fields.find(({ path }) => inTheClear.includes(path[0]));
  if (bad !== undefined) throw new Error(`${name}.${bad.path.join('.')} must be readable by the database.`);
};

/** True where one of them leads to the other or into it. */
const touches = ({ path }: EncryptedField, field: string): boolean =>
  field.split('.').every((part, i) => path[i] === undefined || path[i] === '*' || path[i] === part);

const checkClear = (place: Omit<Place, 'id'> | undefined, names: readonly (string | undefined)[]): void => {
  for (const name of names) {
    if (name !== undefined && place?.fields.some((field) => touches(field, name))) {
      throw new Error(`${place.collection}.${name} is encrypted: nothing can be ordered or counted by it.`);
    }
  }
};

export const createFieldEncryption = ({ keys, fieldsOf = declaredIn }: FieldEncryptionOptions): FieldEncryption => {
  const declared = new Map<string, readonly EncryptedField[]>();
  let raw: Driver | undefined;

  const fieldsIn = (collection: AnyCollection): readonly EncryptedField[] => {
    const fields = fieldsOf(collection);
    check(collection, fields);
    return fields;
  };

  /** Undefined for a collection without encrypted fields. */
  const placeOf = (collection: string): Omit<Place, 'id'> | undefined => {
    const [root, tenant, name] = collection.split('/');
    const fields = root === 'tenants' && name !== undefined ? declared.get(name) : undefined;
    return fields && tenant !== undefined && name !== undefined ? { tenant, collection: name, fields } : undefined;
  };

  const open = async <R extends RawDocument | undefined>(collection: string, document: R): Promise<R> => {
    const place = document && placeOf(collection);
    if (!place) return document;
    return { ...document, data: await openData(keys, { ...place, id: document.id }, document.data) };
  };

  const sealWrite = async (write: Write): Promise<Write> => {
    const place = placeOf(write.key.collection);
    if (!place || write.kind === 'delete') return write;
    if (write.kind === 'increment') checkClear(place, Object.keys(write.by));
    const data = await sealData(keys, { ...place, id: write.key.id }, write.content.data);
    return { ...write, content: { ...write.content, data, fieldNames: [...write.content.fieldNames, blindField] } };
  };

  const filterOf = async (collection: string, filter: Filter): Promise<Filter> => {
    const place = placeOf(collection);
    const field = place?.fields.find((one) => touches(one, filter.field));
    if (!place || !field) return filter;
    const at = field.path.join('.');
    if (field.index === undefined || at !== filter.field || filter.op !== '==' || typeof filter.value !== 'string') {
      throw new Error(`${place.collection}.${filter.field} is encrypted: only == can find a text in it, by an index.`);
    }
    const values = await blindValues(keys, place, field, filter.value);
    return { field: `${blindField}.${at}`, op: 'in', value: values };
  };
  const filtersOf = (collection: string, filters: readonly Filter[] = []) =>
    Promise.all(filters.map((filter) => filterOf(collection, filter)));

  const around = (driver: Driver): Driver => ({
    ...driver,
    declare: (collection) => {
      driver.declare?.(collection);
      const fields = fieldsIn(collection);
      if (fields.length > 0) declared.set(collection.name, fields);
    },
    get: async (all) => {
      const found = await driver.get(all);
      return Promise.all(found.map((document, i) => open(all[i]?.collection ?? '', document)));
    },
    commit: async (writes) => driver.commit(await Promise.all(writes.map(sealWrite))),
    transaction: (work) =>
      driver.transaction(async (reader) => {
        const { result, writes } = await work({
          get: async (all) => {
            const found = await reader.get(all);
            return Promise.all(found.map((document, i) => open(all[i]?.collection ?? '', document)));
          },
        });
        return { result, writes: await Promise.all(writes.map(sealWrite)) };
      }),
    query: async (collection, query) => {
      checkClear(placeOf(collection), [query.orderBy?.field]);
      const found = await driver.query(collection, { ...query, where: await filtersOf(collection, query.where) });
      return Promise.all(found.map((document) => open(collection, document)));
    },
    aggregate: async (collection, request) => {
      checkClear(placeOf(collection), [request.field]);
      return driver.aggregate(collection, { ...request, where: await filtersOf(collection, request.where) });
    },
    nearest: async (collection, request) => {
      const where = await filtersOf(collection, request.where);
      const found = await driver.nearest(collection, { ...request, where });
      return Promise.all(found.map((document) => open(collection, document)));
    },
  });

  return {
    wrap: (driver) => {
      raw = driver;
      return around(driver);
    },
    renewPage: async (collection, tenant, { after, limit }) => {
      if (raw === undefined) throw new Error('There is no driver yet whose documents could be renewed.');
      const driver = raw;
      const fields = fieldsIn(collection);
      const path = `tenants/${tenant}/${collection.name}`;
      const query: DriverQuery = {
        where: [],
        orderBy: undefined,
        after: after === undefined ? undefined : [null, after],
        limit,
      };
      const found = await driver.query(path, query);
      const renew = async (document: RawDocument, attempt = 1): Promise<'renewed' | 'current' | 'unreadable'> => {
        const { id, revision, data, expireAt } = document;
        const renewed = await renewData(keys, { tenant, collection: collection.name, fields, id }, data);
        if (typeof renewed === 'string') return renewed;
        const key = { collection: path, id };
        const content = { data: renewed, fieldNames: [], expireAt, vectorField: collection.vector?.field };
        try {
          await driver.commit([{ kind: 'update', key, content, revision }]);
          return 'renewed';
        } catch (error) {
          if (!isOmniError(error, 'revision-conflict') || attempt === attempts) throw error;
          const [changed] = await driver.get([key]);
          return changed === undefined ? 'current' : renew(changed, attempt + 1);
        }
      };
      const outcomes = await Promise.all(found.map((document) => renew(document)));
      const count = (outcome: string): number => outcomes.filter((one) => one === outcome).length;
      return {
        documents: found.length,
        renewed: count('renewed'),
        unreadable: count('unreadable'),
        next: found.length === limit ? found.at(-1)?.id : undefined,
      };
    },
  };
};
