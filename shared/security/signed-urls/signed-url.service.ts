import type { BlobStore, SignedUrlOptions } from '../../blobs/blobs.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { ownFile } from './own-file.ts';

export interface SignedUrlService {
  /** A URL to one file of the tenant. Fails with `not-found` where there is none to read, and `invalid-request`. */
  sign(
    actor: Actor,
    file: string,
    options: SignedUrlOptions,
  ): Promise<{ readonly url: string; readonly expiresAt: string }>;
}

export interface SignedUrlServiceOptions {
  readonly blobs: Pick<BlobStore, 'of'>;
  readonly clock: Clock;
}

export const createSignedUrlService = ({ blobs, clock }: SignedUrlServiceOptions): SignedUrlService => ({
  sign: async ({ tenant }, file, options) => {
    const own = blobs.of(tenant);
    const key = ownFile(file);
    if (options.action === 'read' && (await own.info(key)) === undefined) {
      throw new OmniError('not-found', 'There is no such file.');
    }
    const expiresAt = isoTime(clock.now() + options.expiresIn * 1_000);
    return { url: await own.signedUrl(key, options), expiresAt };
  },
});
