import type { KeyManagement } from '../encryption/key-management.ts';

/** Keeps a short secret of the platform from whoever reads the store alone. */
export interface Protector {
  /** `context` says what it is and whose, and is bound to it: it opens only under the same context. */
  protect(text: string, context: string): Promise<string>;
  /** Fails with `stored-data-invalid` for what was not protected under this context. */
  unprotect(sealed: string, context: string): Promise<string>;
}

/** Directly under the master key: such secrets are few, and are read once a minute at most. */
export const keyProtector = (keys: Pick<KeyManagement, 'wrap' | 'unwrap'>): Protector => ({
  protect: (text, context) => keys.wrap(Buffer.from(text), context),
  unprotect: async (sealed, context) => Buffer.from(await keys.unwrap(sealed, context)).toString(),
});
