import type { Readable } from 'node:stream';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import type { ByteRange } from './blobs.ts';

export type BlobBody = Readable | Uint8Array | string;

const toBytes = (chunk: unknown): Uint8Array => {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  throw new OmniError('invalid-request', 'A blob is made of bytes or text.');
};

/**
 * The body's bytes as they come. Throws `payload-too-large` at the first byte too many, and `invalid-request` where the
 * body breaks off, as it does when a client goes away.
 */
export async function* bytesOf(body: BlobBody, maxBytes = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of typeof body === 'string' || body instanceof Uint8Array ? [body] : body) {
      const bytes = toBytes(chunk);
      size += bytes.length;
      if (size > maxBytes) throw new OmniError('payload-too-large', `The blob is larger than ${maxBytes} bytes.`);
      yield bytes;
    }
  } catch (error) {
    if (isOmniError(error)) throw error;
    throw new OmniError('invalid-request', 'The body of the blob broke off.', { cause: error });
  }
}

/** The range within a blob of `size` bytes, its end clipped as HTTP does. Throws `range-not-satisfiable`. */
export const resolveRange = (size: number, { start, end = size - 1 }: ByteRange): { start: number; end: number } => {
  const valid = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start;
  if (!valid || start >= size)
    throw new OmniError('range-not-satisfiable', `The blob has ${size} bytes; the range lies outside.`);
  return { start, end: Math.min(end, size - 1) };
};
