import type { JsonObject } from '../../kernel/json.ts';
import { blindField, type EncryptedField, shreddedSchema } from '../../store/encrypted-field.ts';
import { blindIndex, type DataKey, keyIdOf, seal, unseal } from './cipher.ts';
import type { KeyOwner, KeyRings } from './key-rings.ts';

/** Where data is: all of it is bound into every ciphertext. */
export interface Place {
  readonly tenant: string;
  /** The collection's name. */
  readonly collection: string;
  readonly id: string;
  readonly fields: readonly EncryptedField[];
}

type Keys = Pick<KeyRings, 'current' | 'find' | 'live'>;

/** In the place of what no key opens. No schema takes it, so the document counts as one that does not parse. */
const unreadable = Symbol('unreadable');

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isMarker = (value: unknown, { subject }: EncryptedField): boolean =>
  subject !== undefined && shreddedSchema.safeParse(value).success;

type Replace = (value: unknown, at: string) => Promise<unknown>;

/** A copy with what the path leads to replaced; what is not there stays so. */
const replaceAt = async (
  value: unknown,
  [segment, ...rest]: readonly string[],
  replace: Replace,
  above: readonly string[] = [],
): Promise<unknown> => {
  if (segment === undefined) return value === undefined ? value : replace(value, above.join('.'));
  const into = (item: unknown, name: string) => replaceAt(item, rest, replace, [...above, name]);
  if (segment === '*' && Array.isArray(value)) {
    return Promise.all(value.map((item: unknown, i) => into(item, String(i))));
  }
  if (!isMap(value)) return value;
  const names = segment === '*' ? Object.keys(value) : Object.hasOwn(value, segment) ? [segment] : [];
  const replaced = await Promise.all(names.map(async (name) => [name, await into(value[name], name)] as const));
  return { ...value, ...Object.fromEntries(replaced) };
};

const replaceAll = async (
  data: Readonly<Record<string, unknown>>,
  fields: readonly EncryptedField[],
  replace: (field: EncryptedField, value: unknown, at: string) => Promise<unknown>,
): Promise<Readonly<Record<string, unknown>>> => {
  let replaced = data;
  for (const field of fields) {
    const next = await replaceAt(replaced, field.path, (value, at) => replace(field, value, at));
    if (isMap(next)) replaced = next;
  }
  return replaced;
};

/** What was JSON before its strings were replaced by other strings still is. */
const isJson = (_data: unknown): _data is JsonObject => true;

const contextOf = ({ tenant, collection, id }: Place, at: string): readonly string[] => [tenant, collection, id, at];

const indexOf = (
  key: DataKey,
  { tenant, collection }: Omit<Place, 'id'>,
  field: EncryptedField,
  text: string,
): string => blindIndex(key, field.index ?? 'exact', text, [tenant, collection, field.path.join('.')]);

const nested = ([name = '', ...rest]: readonly string[], value: string, into: JsonObject): JsonObject => {
  const there = into[name];
  return {
    ...into,
    [name]: rest.length === 0 ? value : nested(rest, value, isMap(there) && isJson(there) ? there : {}),
  };
};

const withIndex = (data: JsonObject, index: JsonObject): JsonObject =>
  Object.keys(index).length === 0 ? data : { ...data, [blindField]: index };

const ownerOf = ({ subject }: EncryptedField, { collection, id }: Place, data: JsonObject): KeyOwner => {
  if (subject === undefined) return 'fields';
  const whose = data[subject];
  if (typeof whose === 'string') return { subject: whose };
  throw new Error(`${collection}/${id} does not say whose it is: ${subject} must be a text.`);
};

/** Encrypts the fields. Fails with `shredded` for one of a subject whose key was destroyed. */
export const sealData = async (keys: Keys, place: Place, data: JsonObject): Promise<JsonObject> => {
  let index: JsonObject = {};
  const sealed = await replaceAll(data, place.fields, async (field, value, at) => {
    if (isMarker(value, field)) return value;
    const key = await keys.current(place.tenant, ownerOf(field, place, data));
    if (field.index !== undefined && typeof value === 'string') {
      index = nested(field.path, indexOf(key, place, field, value), index);
    }
    return seal(key, JSON.stringify(value), contextOf(place, at));
  });
  return withIndex(isJson(sealed) ? sealed : {}, index);
};

const openValue = async (
  keys: Keys,
  place: Place,
  field: EncryptedField,
  value: unknown,
  at: string,
): Promise<unknown> => {
  if (isMarker(value, field)) return value;
  const keyId = keyIdOf(value);
  if (keyId === undefined || typeof value !== 'string') return unreadable;
  const key = await keys.find(place.tenant, keyId);
  if (key === 'destroyed' && field.subject !== undefined) return { shredded: true };
  const text = typeof key === 'string' ? undefined : unseal(key, value, contextOf(place, at));
  return text === undefined ? unreadable : JSON.parse(text);
};

/** Decrypts the fields. What was shredded says so; what no key opens becomes something that no schema takes. */
export const openData = async (
  keys: Keys,
  place: Place,
  { [blindField]: _, ...data }: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> =>
  replaceAll(data, place.fields, (field, value, at) => openValue(keys, place, field, value, at));

/** The data under the tenant's current key. What is under a subject's key stays there. */
export const renewData = async (
  keys: Keys,
  place: Place,
  { [blindField]: _, ...data }: Readonly<Record<string, unknown>>,
): Promise<JsonObject | 'current' | 'unreadable'> => {
  const current = await keys.current(place.tenant, 'fields');
  const seen = new Set<'old' | 'unreadable'>();
  let index: JsonObject = {};
  const renewed = await replaceAll(data, place.fields, async (field, value, at) => {
    if (field.subject !== undefined) return value;
    if (keyIdOf(value) !== current.id) seen.add('old');
    const plain = await openValue(keys, place, field, value, at);
    if (plain === unreadable) {
      seen.add('unreadable');
      return value;
    }
    if (field.index !== undefined && typeof plain === 'string') {
      index = nested(field.path, indexOf(current, place, field, plain), index);
    }
    return seal(current, JSON.stringify(plain), contextOf(place, at));
  });
  if (seen.has('unreadable')) return 'unreadable';
  return seen.has('old') && isJson(renewed) ? withIndex(renewed, index) : 'current';
};

/** What an indexed field holds where its text is this one: one hash for each key that documents may be under. */
export const blindValues = async (
  keys: Keys,
  place: Omit<Place, 'id'>,
  field: EncryptedField,
  text: string,
): Promise<readonly string[]> => {
  const live = await keys.live(place.tenant, 'fields');
  return live.map((key) => indexOf(key, place, field, text));
};
