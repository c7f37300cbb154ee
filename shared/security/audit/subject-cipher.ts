import { OmniError } from '../../kernel/errors.ts';
import { keyIdOf, seal, unseal } from '../encryption/cipher.ts';
import type { KeyRings } from '../encryption/key-rings.ts';

/** Encrypts under the key of one person, with which everything that it encrypted can be destroyed. */
export interface SubjectCipher {
  /** `place` says where the text is, and only there it opens again. Fails with `shredded` once the key was destroyed. */
  seal(tenant: string, subject: string, text: string, place: string): Promise<string>;
  /** Fails with `shredded`, or with `stored-data-invalid` for what was not sealed for this place. */
  open(tenant: string, sealed: string, place: string): Promise<string>;
}

const contextOf = (tenant: string, place: string): readonly string[] => ['audit', tenant, place];

export const subjectCipher = (rings: Pick<KeyRings, 'current' | 'find'>): SubjectCipher => ({
  seal: async (tenant, subject, text, place) =>
    seal(await rings.current(tenant, { subject }), text, contextOf(tenant, place)),
  open: async (tenant, sealed, place) => {
    const key = await rings.find(tenant, keyIdOf(sealed) ?? '');
    if (key === 'destroyed') throw new OmniError('shredded', 'It was destroyed when its subject was erased.');
    const text = key === 'unknown' ? undefined : unseal(key, sealed, contextOf(tenant, place));
    if (text === undefined) throw new OmniError('stored-data-invalid', 'An audit entry can not be decrypted.');
    return text;
  },
});
