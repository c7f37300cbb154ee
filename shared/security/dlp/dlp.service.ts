import type { BlobStore } from '../../blobs/blobs.ts';
import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import { ownFile } from '../signed-urls/own-file.ts';
import type { Confidence } from './finding.schema.ts';
import type { ScanResult } from './scan.ts';

/** Looks for secrets and personal data. Nothing of what it reads is stored or logged. */
export interface DataLossService {
  /** With `redact`, the text comes back with every finding taken out. */
  scanText(
    text: string,
    options: { readonly minConfidence: Confidence; readonly redact: boolean },
  ): Promise<ScanResult & { readonly redacted?: string }>;
  /** One of the tenant's files. Fails with `not-found`, and with `payload-too-large` above `maxFileBytes`. */
  scanFile(
    actor: Actor,
    file: string,
    options: { readonly minConfidence: Confidence },
  ): Promise<ScanResult & { readonly characters: number }>;
}

export const maxFileBytes = 50 * 1024 * 1024;

/** The detectors with their libraries, which only who scans has to load. */
const scanner = () => import('./scan.ts');

export const createDataLossService = ({ blobs }: { readonly blobs: Pick<BlobStore, 'of'> }): DataLossService => ({
  scanText: async (text, { minConfidence, redact }) => {
    const { redactFindings, scanText } = await scanner();
    const result = scanText(text, { minConfidence });
    return redact ? { ...result, redacted: redactFindings(text, minConfidence) } : result;
  },
  scanFile: async ({ tenant }, file, options) => {
    const { info, body } = await blobs.of(tenant).read(ownFile(file));
    if (info.size > maxFileBytes) {
      body.destroy();
      throw new OmniError('payload-too-large', `A file of at most ${maxFileBytes} bytes can be scanned.`);
    }
    const { scanStream } = await scanner();
    return scanStream(body, { ...options, maxBytes: maxFileBytes });
  },
});
