import { createHmac, randomInt } from 'node:crypto';
import { sameHash } from '../api-keys/api-key.format.ts';
import type { PasswordHasher } from '../identity/password.ts';

/** Six digits, all equally likely. */
export const newCode = (): string => String(randomInt(1_000_000)).padStart(6, '0');

/**
 * What is stored of a code that was sent. The key is the secret of the challenge that the code is for, of which only a
 * hash is stored: whoever reads the store has no way to try a million codes.
 */
export const codeHash = (challengeSecret: string, code: string): string =>
  createHmac('sha256', challengeSecret).update(`code:${code}`).digest('hex');

export const isCode = (hash: string, challengeSecret: string, code: string): boolean =>
  sameHash(hash, codeHash(challengeSecret, code));

/** Without letters that look like others. */
const alphabet = 'abcdefghjkmnpqrstvwxyz23456789';
export const backupCodeCount = 10;
const length = 11;

/** `3abc-defg-hjkm`: which of the ten it is, then eleven random characters (54 bits). */
const newBackupCode = (nth: number): string => {
  let text = String(nth);
  for (let i = 0; i < length; i += 1) text += alphabet[randomInt(alphabet.length)];
  return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
};

/** As it is compared: people write them in capitals, with other dashes and with spaces. */
const plain = (code: string): string => code.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Ten codes, and the Argon2id hash of each. */
export const newBackupCodes = async (
  passwords: Pick<PasswordHasher, 'hash'>,
): Promise<{ codes: readonly string[]; hashes: readonly string[] }> => {
  const codes = Array.from({ length: backupCodeCount }, (_, nth) => newBackupCode(nth));
  return { codes, hashes: await Promise.all(codes.map((code) => passwords.hash(plain(code)))) };
};

/** Which of the codes it is; undefined for one that is wrong or used. Costs one hash in any case. */
export const backupCodeOf = async (
  passwords: Pick<PasswordHasher, 'verify'>,
  hashes: readonly (string | null)[],
  code: string,
): Promise<number | undefined> => {
  const text = plain(code);
  const nth = /^\d/.test(text) ? Number(text[0]) : -1;
  const matches = await passwords.verify(hashes[nth] ?? undefined, text);
  return matches ? nth : undefined;
};
