import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from '../kernel/json.ts';
import type { CollectionDefinition } from './collection.ts';
import type { Content, RawDocument } from './driver.ts';
import type { Stored } from './store.ts';

/** The time-to-live as a Firestore timestamp, which its deletion policy wants. */
export const expiryField = '_expireAt';
/**
 * Different after every write. Firestore keeps a document's update time when a write changes nothing, so
 * without it two writers who expect one revision could both win.
 */
export const writeField = '_write';

/** 9999-12-31, Firestore's last day: a document that does not expire still has an expiry, so that filters find it. */
export const never = 253_402_214_400_000;

const maxIdLength = 256;

/**
 * Refuses, with `invalid-request`, every string that is not one plain path segment: the id of a document or tenant
 * must never reach another path. The limits are Firestore's (https://cloud.google.com/firestore/quotas#limits).
 */
export const checkId = (id: string, what: 'id' | 'tenant'): string => {
  if (!isId(id)) throw new OmniError('invalid-request', `This is no valid ${what}.`);
  return id;
};

export const isId = (id: string): boolean =>
  id.length > 0 && id.length <= maxIdLength && !/^\.{1,2}$|^__.*__$|[/\0]/s.test(id) && id.isWellFormed();

/** How documents of one collection are written and read. */
export interface Codec<T extends object> {
  readonly fieldNames: readonly string[];
  /** Throws on a value that the schema refuses: that is a mistake of the caller, not of a client. */
  encode(id: string, value: T): { readonly content: Content; readonly value: T };
  /** The `fields` of an increment. No field may be both written and incremented. */
  encodePart(id: string, by: Readonly<Record<string, number>>, fields: Partial<T>): Content;
  /** Undefined when it has expired; the problems when it does not parse. */
  decode(raw: RawDocument, now: number): Stored<T> | { readonly issues: readonly string[] } | undefined;
}

export const isExpired = (raw: RawDocument, now: number): boolean => raw.expireAt !== undefined && raw.expireAt <= now;

export const codecOf = <T extends object>(collection: CollectionDefinition<T>): Codec<T> => {
  const { name, schema, ttl, vector } = collection;
  const fieldNames = namesOf(schema);
  if (fieldNames === undefined || !/^[a-z][A-Za-z0-9]*$/.test(name)) {
    throw new Error(`Collection ${name} needs a camelCase name and a schema that is an object or a union of objects.`);
  }

  const contentOf = (id: string, value: object): Content => {
    const where = `${name}/${id}`;
    const data = storableObject(value, where);
    const embedding = vector && data[vector.field];
    if (embedding !== undefined && !(Array.isArray(embedding) && embedding.length === vector?.dimension)) {
      throw new Error(`${where}.${vector?.field} must be a vector of ${vector?.dimension} numbers.`);
    }
    const time = ttl && data[ttl];
    const expireAt = ttl && (typeof time === 'string' ? Date.parse(time) : never);
    return { data, fieldNames, ...(ttl ? { expireAt } : {}), ...(vector ? { vectorField: vector.field } : {}) };
  };

  return {
    fieldNames,
    encode: (id, value) => {
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw new Error(`${name}/${id} cannot be stored: ${issuesOf(parsed.error).join(', ')}.`);
      return { content: contentOf(id, parsed.data), value: parsed.data };
    },
    encodePart: (id, by, fields) => {
      if (ttl && fields[ttl] === undefined)
        throw new Error(`An increment in ${name} must say when it expires: ${ttl}.`);
      const content = contentOf(id, fields);
      const hasFields = Object.keys(content.data).length > 0;
      for (const [field, amount] of Object.entries(by)) {
        checkField(field, fieldNames);
        if (!Number.isFinite(amount)) throw new Error(`${name} cannot be incremented by ${amount}.`);
        const meets =
          (hasFields && isWritten(content.data, field.split('.'))) ||
          Object.keys(by).some((one) => one.startsWith(`${field}.`));
        if (meets) throw new Error(`${name}.${field} is written twice by one increment.`);
      }
      return content;
    },
    decode: (raw, now) => {
      if (isExpired(raw, now)) return undefined;
      const parsed = schema.safeParse(raw.data);
      return parsed.success
        ? { id: raw.id, revision: raw.revision, value: parsed.data }
        : { issues: issuesOf(parsed.error) };
    },
  };
};

/** Which field, and what is wrong with it in zod's terms. Messages are left out: they may quote the content. */
const issuesOf = (error: z.ZodError): string[] =>
  error.issues.map((issue) => `${issue.path.map(String).join('.') || '(document)'} ${issue.code}`);

/** The top-level fields of an object, union or intersection. */
const namesOf = (schema: z.core.$ZodType): readonly string[] | undefined => {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (schema instanceof z.ZodReadonly) return namesOf(schema.unwrap());
  const parts =
    schema instanceof z.ZodUnion
      ? schema.options
      : schema instanceof z.ZodIntersection
        ? [schema.def.left, schema.def.right]
        : [];
  const names = parts.map(namesOf);
  return names.length > 0 && names.every((some) => some !== undefined) ? [...new Set(names.flat())] : undefined;
};

/**
 * A deep copy without undefined fields. Refuses what Firestore refuses, or would give back as something else. Keys may
 * come from a client, so a bad one is `invalid-request`.
 */
const storable = (value: unknown, where: string, inArray = false): JsonValue => {
  if (typeof value === 'string') {
    // A client's `"\ud800"` parses, and Firestore refuses it.
    if (!value.isWellFormed()) throw new OmniError('invalid-request', 'A text is not well-formed Unicode.');
    return value;
  }
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value) && !inArray) {
    return value.map((item: unknown, index) => storable(item, `${where}.${index}`, true));
  }
  if (typeof value === 'object' && !Array.isArray(value)) return storableObject(value, where);
  throw new Error(`${where} cannot be stored: only JSON can, and no array directly in another.`);
};

const storableObject = (value: object, where: string): JsonObject => {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw new Error(`${where} must be a plain object.`);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]: [string, unknown]) => {
      if (item === undefined) return [];
      if (!isFieldName(key)) throw new OmniError('invalid-request', 'A field has a name that cannot be stored.');
      return [[key, storable(item, `${where}.${key}`)]];
    }),
  );
};

const maxFieldNameBytes = 1_500;

export const isFieldName = (name: string): boolean =>
  name !== '' && !/^__.*__$/s.test(name) && name.isWellFormed() && Buffer.byteLength(name) <= maxFieldNameBytes;

/** The first part of a dotted field must be one that the schema has, so that a mistyped query fails at once. */
export const checkField = (field: string, fieldNames: readonly string[]): string => {
  const parts = field.split('.');
  if (parts.every(isFieldName) && fieldNames.includes(parts[0] ?? '')) return field;
  throw new Error(`There is no field ${field}.`);
};

/** True when there is a value where the names lead, or one in their way. */
const isWritten = (value: unknown, [name, ...rest]: readonly string[]): boolean => {
  if (value === undefined) return false;
  const isFilled = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (name === undefined || !isFilled || Array.isArray(value)) return true;
  return isWritten(Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined, rest);
};
