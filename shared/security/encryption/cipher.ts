import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

/** One version of a tenant's or subject's key, unwrapped. */
export interface DataKey {
  /** `fields~3`: whose it is, and its version. */
  readonly id: string;
  readonly key: KeyObject;
  /** For blind indexes: derived from the key, so that it rotates with it and is no key of a cipher. */
  readonly indexKey: KeyObject;
}

export const dataKeyOf = (id: string, bytes: Uint8Array): DataKey => ({
  id,
  key: createSecretKey(bytes),
  indexKey: createSecretKey(createHmac('sha256', bytes).update('omni blind index 1').digest()),
});

const algorithm = 'aes-256-gcm';
const tagBytes = 16;
/**
 * NIST SP 800-38D section 8.2.2: random, 96 bits. By section 8.3 one key may encrypt 2^32 times, which is four billion
 * fields for one version of one tenant's key; rotation starts the count again.
 */
const ivBytes = 12;

/** `enc1.<keyId>.<iv>.<ciphertext>.<tag>`, the last three in base64url. */
const pattern = /^enc1\.([\w~-]{1,100})\.([\w-]{16})\.([\w-]*)\.([\w-]{22})$/;

/** The associated data: what a ciphertext is of. JSON keeps the parts apart, whatever is in them. */
const dataOf = (keyId: string, context: readonly string[]): Buffer =>
  Buffer.from(JSON.stringify(['enc1', keyId, ...context]));

/** Encrypts a text. Only the same context opens it again. */
export const seal = ({ id, key }: DataKey, text: string, context: readonly string[]): string => {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv).setAAD(dataOf(id, context));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return ['enc1', id, ...[iv, sealed, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
};

/** The id of the key that a text was sealed with; undefined for what is no sealed text. */
export const keyIdOf = (sealed: unknown): string | undefined =>
  typeof sealed === 'string' ? pattern.exec(sealed)?.[1] : undefined;

/** Undefined for what was not sealed with this key for this context, or was changed since. */
export const unseal = ({ id, key }: DataKey, sealed: string, context: readonly string[]): string | undefined => {
  const [, keyId, ...parts] = pattern.exec(sealed) ?? [];
  const [iv, text, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
  if (keyId !== id || iv === undefined || text === undefined || tag === undefined) return undefined;
  try {
    const decipher = createDecipheriv(algorithm, key, iv, { authTagLength: tagBytes });
    decipher.setAAD(dataOf(id, context)).setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
};

const folded = (text: string): string => text.normalize('NFKC').trim().toLowerCase();

/** 128 bits tell all values apart, and are all that an index entry has to hold. */
const hashBytes = 16;

/** `<keyId>.<hash>`: a keyed hash by which equal texts in one field of one tenant can be found. */
export const blindIndex = (
  { id, indexKey }: DataKey,
  kind: 'exact' | 'caseless',
  text: string,
  context: readonly string[],
): string => {
  const normal = kind === 'exact' ? text.normalize('NFC') : folded(text);
  const hash = createHmac('sha256', indexKey)
    .update(JSON.stringify([...context, normal]))
    .digest();
  return `${id}.${hash.subarray(0, hashBytes).toString('base64url')}`;
};
