import { randomBytes } from 'node:crypto';
import type { protos } from '@google-cloud/firestore-api';
import { OmniError } from '../kernel/errors.ts';
import type { JsonObject, JsonValue } from '../kernel/json.ts';
import { expiryField, writeField } from './document.ts';
import type { Content, RawDocument, Write } from './driver.ts';

/**
 * Documents and writes as Firestore's protocol says them
 * (https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1).
 */
export type ProtoDocument = protos.google.firestore.v1.IDocument;
export type ProtoWrite = protos.google.firestore.v1.IWrite;
type Value = protos.google.firestore.v1.IValue;
type Time = protos.google.protobuf.ITimestamp;
type Fields = Record<string, Value>;

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);
const isMap = (value: JsonValue): value is JsonObject => typeof value === 'object' && value !== null && !isList(value);

const protoValueOf = (value: JsonValue): Value => {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { booleanValue: value };
  if (typeof value === 'number') return protoNumberOf(value);
  if (value === null) return { nullValue: 'NULL_VALUE' };
  if (isList(value)) return { arrayValue: { values: value.map(protoValueOf) } };
  return { mapValue: { fields: mapOf(value) } };
};

const protoNumberOf = (value: number): Value =>
  Number.isSafeInteger(value) && !Object.is(value, -0) ? { integerValue: value } : { doubleValue: value };

const mapOf = (object: JsonObject): Fields =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, protoValueOf(value)]));

const vectorType = '__vector__';
const vectorOf = (numbers: readonly JsonValue[]): Value => ({
  mapValue: {
    fields: {
      __type__: { stringValue: vectorType },
      value: { arrayValue: { values: numbers.map((one) => ({ doubleValue: Number(one) })) } },
    },
  },
});

/** What no schema takes, such as a reference that somebody else has stored, stays as it is. */
const plain = (value: Value): unknown => {
  if (typeof value.stringValue === 'string') return value.stringValue;
  if (typeof value.booleanValue === 'boolean') return value.booleanValue;
  if (typeof value.doubleValue === 'number') return value.doubleValue;
  if (value.integerValue !== undefined && value.integerValue !== null) return Number(value.integerValue);
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
  if (value.mapValue) return plainMap(value.mapValue.fields ?? {});
  return typeof value.nullValue === 'string' || typeof value.nullValue === 'number' ? null : value;
};

const plainMap = (fields: Fields): unknown =>
  fields.__type__?.stringValue === vectorType && fields.value !== undefined
    ? plain(fields.value)
    : Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));

const timeOf = (milliseconds: number): Value => {
  const seconds = Math.floor(milliseconds / 1_000);
  return { timestampValue: { seconds, nanos: Math.round((milliseconds - seconds * 1_000) * 1_000_000) } };
};

export const revisionOf = (
  time: Time | { readonly seconds: number; readonly nanoseconds: number } | null | undefined,
): string => {
  if (!time) return '';
  const nanos = 'nanoseconds' in time ? time.nanoseconds : time.nanos;
  return `${time.seconds ?? 0}.${String(nanos ?? 0).padStart(9, '0')}`;
};

/** A revision may come from a client. Firestore's times have microseconds; what is none cannot be the document's. */
const timeOfRevision = (revision: string): Time => {
  const [, seconds, nanos] = /^(\d{1,11})\.(\d{6}000)$/.exec(revision) ?? [];
  if (seconds === undefined) throw new OmniError('revision-conflict', 'The document has changed since it was read.');
  return { seconds: Number(seconds), nanos: Number(nanos) };
};

/** The document without what only this adapter knows. */
export const rawOf = ({ name, fields, updateTime }: ProtoDocument): RawDocument => {
  const { [expiryField]: expiry, [writeField]: _, ...rest } = fields ?? {};
  const data = Object.fromEntries(Object.entries(rest).map(([field, value]) => [field, plain(value)]));
  const time = expiry?.timestampValue;
  const expireAt = time ? Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1_000_000) : undefined;
  return {
    id: (name ?? '').slice((name ?? '').lastIndexOf('/') + 1),
    revision: revisionOf(updateTime),
    data,
    expireAt,
  };
};

/** Of this process, so that its writes are like no other's. */
const writer = randomBytes(9).toString('base64url');
let writes = 0;
const nextWrite = (): Value => {
  writes += 1;
  return { stringValue: `${writer}${writes.toString(36)}` };
};

const fieldsOf = ({ data, expireAt, vectorField }: Content): Fields => {
  const fields = mapOf(data);
  const vector = vectorField === undefined ? undefined : data[vectorField];
  if (vectorField !== undefined && vector !== undefined && isList(vector)) fields[vectorField] = vectorOf(vector);
  fields[writeField] = nextWrite();
  if (expireAt !== undefined) fields[expiryField] = timeOf(expireAt);
  return fields;
};

/** As a mask wants it: a name that is no plain word, such as one with a dot in it, would reach another field. */
const pathOf = (names: readonly string[]): string =>
  names.map((name) => (/^[A-Za-z_]\w*$/.test(name) ? name : `\`${name.replace(/[\\`]/g, '\\$&')}\``)).join('.');

/** The paths of all that is said, so that a merge leaves what stands beside it. */
const leavesOf = (object: JsonObject, above: readonly string[] = []): string[] =>
  Object.entries(object).flatMap(([name, value]) => {
    const here = [...above, name];
    return isMap(value) && Object.keys(value).length > 0 ? leavesOf(value, here) : [pathOf(here)];
  });

/** `name` is the document's full name. */
export const protoOf = (write: Write, name: string): ProtoWrite => {
  if (write.kind === 'delete') {
    const { revision } = write;
    const currentDocument = revision === undefined ? undefined : { updateTime: timeOfRevision(revision) };
    return { delete: name, ...(currentDocument === undefined ? {} : { currentDocument }) };
  }
  const fields = fieldsOf(write.content);
  const update = { name, fields };
  const { data, fieldNames } = write.content;
  if (write.kind === 'create') return { update, currentDocument: { exists: false } };
  const own = Object.keys(fields).filter((field) => !Object.hasOwn(data, field));
  if (write.kind === 'increment') {
    const updateTransforms = Object.entries(write.by).map(([field, amount]) => ({
      fieldPath: pathOf(field.split('.')),
      increment: protoNumberOf(amount),
    }));
    return { update, updateMask: { fieldPaths: [...leavesOf(data), ...own] }, updateTransforms };
  }
  const { revision } = write;
  // What is in the mask and not in the document is removed.
  const fieldPaths = [...new Set([...Object.keys(fields), ...fieldNames])].map((field) => pathOf([field]));
  const currentDocument = revision === undefined ? { exists: true } : { updateTime: timeOfRevision(revision) };
  return { update, updateMask: { fieldPaths }, currentDocument };
};
