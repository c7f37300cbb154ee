import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** `omk_<prefix>_<secret><check>`: the prefix finds the key, the check tells a mistyped one without a store read. */
const pattern = /^omk_([0-9a-f]{16})_([\w-]{43})([0-9a-f]{6})$/;

/** By its form alone: what it is not is an access token, or nothing. */
export const isApiKey = (text: string): boolean => text.startsWith('omk_');

export interface ParsedKey {
  readonly prefix: string;
  readonly secretHash: string;
}

const sha256 = (text: string): string => hash('sha256', text);
const check = (prefix: string, secret: string): string => sha256(`${prefix}.${secret}`).slice(0, 6);

/** A new key. The text is shown once; only prefix and hash are stored. */
export const generateKey = (): ParsedKey & { readonly text: string } => {
  const prefix = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { prefix, secretHash: sha256(secret), text: `omk_${prefix}_${secret}${check(prefix, secret)}` };
};

/** Undefined for what can't be a key of ours. */
export const parseKey = (text: string): ParsedKey | undefined => {
  const [, prefix = '', secret = '', sum = ''] = pattern.exec(text) ?? [];
  return prefix !== '' && check(prefix, secret) === sum ? { prefix, secretHash: sha256(secret) } : undefined;
};

/** In constant time. */
export const sameHash = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};
