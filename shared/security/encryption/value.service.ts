import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import { keyIdOf, seal, unseal } from './cipher.ts';
import type { KeyRings } from './key-rings.ts';

export interface ValueToEncrypt {
  /** What it is for: only the same purpose opens it again. */
  readonly purpose: string;
  readonly value: string;
  /** Whose it is: it is lost when that subject's key is destroyed. */
  readonly subject?: string | undefined;
}

/** Encryption of small values that a tenant keeps itself. */
export interface ValueEncryptionService {
  /** Fails with `shredded` for a subject whose key was destroyed. */
  encrypt(actor: Actor, value: ValueToEncrypt): Promise<{ readonly ciphertext: string }>;
  /** Fails with `invalid-request` for what was not encrypted here for this purpose, and with `shredded`. */
  decrypt(actor: Actor, purpose: string, ciphertext: string): Promise<{ readonly value: string }>;
}

/** Stands apart from the context of stored fields by its length. */
const contextOf = (tenant: string, purpose: string): readonly string[] => [tenant, 'values', purpose];

const foreign = (): OmniError =>
  new OmniError('invalid-request', 'This was not encrypted here for this purpose, or was changed since.');

export const createValueEncryptionService = ({
  keys,
}: {
  readonly keys: Pick<KeyRings, 'current' | 'find'>;
}): ValueEncryptionService => ({
  encrypt: async ({ tenant }, { purpose, value, subject }) => {
    const key = await keys.current(tenant, subject === undefined ? 'values' : { subject });
    return { ciphertext: seal(key, value, contextOf(tenant, purpose)) };
  },
  decrypt: async ({ tenant }, purpose, ciphertext) => {
    const keyId = keyIdOf(ciphertext);
    const key = keyId === undefined ? 'unknown' : await keys.find(tenant, keyId);
    if (key === 'unknown') throw foreign();
    if (key === 'destroyed') throw new OmniError('shredded', 'The key of this value was destroyed.');
    const value = unseal(key, ciphertext, contextOf(tenant, purpose));
    if (value === undefined) throw foreign();
    return { value };
  },
});
