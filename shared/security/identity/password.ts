import * as z from 'zod';

/** Loaded where it is first used, and then kept by Node. */
const loadArgon2 = async () => {
  const module = await import('@node-rs/argon2');
  return module.hash === undefined ? module.default : module;
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
  /** Argon2id in the PHC string format. Runs on Node's thread pool. */
  hash(password: string): Promise<string>;
  /** Takes as long without a hash to compare with: how long it takes does not tell whether there is an account. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
  /** The hash was made with other parameters than today's. */
  isOutdated(hash: string): boolean;
}

/** The same password may be typed in several Unicode forms (NIST SP 800-63B, section 3.1.1.2). */
const bytesOf = (password: string): string => password.normalize('NFKC');

export const createPasswordHasher = (): PasswordHasher => ({
  hash: async (password) => {
    if (password.length > maxPassword) throw new Error('The password was not bounded before it was hashed.');
    return (await loadArgon2()).hash(bytesOf(password), argon2Parameters);
  },
  verify: async (hash, password) => {
    if (password.length > maxPassword) return false;
    const matches = await (await loadArgon2()).verify(hash ?? nobodys, bytesOf(password));
    return hash !== undefined && matches;
  },
  isOutdated: (hash) => !hash.startsWith(prefix),
});
