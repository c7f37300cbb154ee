import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { inTurns } from '../../kernel/turns.ts';

const importArgon2 = async () => {
  const module = await import('@node-rs/argon2');
  return module.hash === undefined ? module.default : module;
};
let argon2: ReturnType<typeof importArgon2> | undefined;
/** Where it is first used. It is kept here, since Node takes microseconds to find what it has imported before. */
const loadArgon2 = (): ReturnType<typeof importArgon2> => {
  argon2 ??= importArgon2();
  return argon2;
};

/** OWASP's Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane. */
export const argon2Parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const prefix = '$argon2id$v=19$m=19456,t=2,p=1$';

/** Characters. What is longer is refused before it costs anything. */
export const maxPassword = 1_024;

/** A password as a client sends it. How good it must be is the tenant's policy. */
export const passwordSchema = z
  .string()
  .min(1)
  .max(maxPassword)
  .meta({ format: 'password', description: 'At most 1,024 characters. The tenant says how good it must be.' });

/** The hash of a password that nobody has, with today's parameters. */
const nobodys = '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRvZnRoaXM$KhVvsrJTBRAYfSIhWSRVfjsCkEGPuPjaXIBaMvp4bvA';

export interface PasswordHasher {
  /** Argon2id in the PHC string format. Runs on Node's thread pool, in turns. */
  hash(password: string): Promise<string>;
  /** Takes as long without a hash to compare with: how long it takes does not tell whether there is an account. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
  /** The hash was made with other parameters than today's. */
  isOutdated(hash: string): boolean;
}

/** The same password may be typed in several Unicode forms (NIST SP 800-63B, section 3.1.1.2). */
const bytesOf = (password: string): string => password.normalize('NFKC');

/**
 * As many hashes at a time as there are processors. More would take no less time, hold 19 MiB each, push each other
 * out of the processor's cache, and leave neither processor nor thread to what else the process does: tokens are
 * signed and verified on the same threads.
 */
export const createPasswordHasher = (): PasswordHasher => {
  const turn = inTurns(availableParallelism());
  return {
    hash: async (password) => {
      if (password.length > maxPassword) throw new Error('The password was not bounded before it was hashed.');
      const { hash } = await loadArgon2();
      return turn(() => hash(bytesOf(password), argon2Parameters));
    },
    verify: async (hash, password) => {
      if (password.length > maxPassword) return false;
      const { verify } = await loadArgon2();
      const matches = await turn(() => verify(hash ?? nobodys, bytesOf(password)));
      return hash !== undefined && matches;
    },
    isOutdated: (hash) => !hash.startsWith(prefix),
  };
};
