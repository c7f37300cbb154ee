import { hash, randomBytes } from 'node:crypto';

/** Makes a new id with a prefix that names its kind: `pred_8Fq…`. */
export type NewId = (prefix: string) => string;

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const length = 22;

/** 22 base-62 characters from at least 22 bytes. The bias of `byte % 62` leaves more than 128 bits of entropy. */
const encode = (bytes: Uint8Array): string => {
  let text = '';
  for (let i = 0; i < length; i += 1) text += alphabet[(bytes[i] ?? 0) % alphabet.length];
  return text;
};

/** Random rather than ordered by time: Firestore splits load by key, and rising keys make one hot range. */
export const newId: NewId = (prefix) => `${prefix}_${encode(randomBytes(length))}`;

/** The same parts always give the same id, so that a retried command meets what its first attempt made. */
export const derivedId = (prefix: string, ...parts: readonly string[]): string =>
  `${prefix}_${encode(hash('sha256', JSON.stringify(parts), 'buffer'))}`;

/** Ids `x_1`, `x_2`, … for tests that want to read them. */
export const sequentialIds = (): NewId => {
  let last = 0;
  return (prefix) => {
    last += 1;
    return `${prefix}_${last}`;
  };
};
