import { Readable } from 'node:stream';
import { OmniError } from '../kernel/errors.ts';
import type { HttpContext } from './context.ts';

/** Bytes, where a contract names no other limit. */
export const defaultMaxBody = 1_048_576;

const tooLarge = (limit: number): OmniError =>
  new OmniError('payload-too-large', `The body may have at most ${limit} bytes.`);

/** Bytes. What a load balancer lets through at most; nobody honest sends more. */
const maxDropped = 32 * 1_048_576;

/** Milliseconds for which the rest of a refused body is waited for. */
const dropFor = 5_000;

/** Node's own stream of the request where a server got it, which costs less than the Fetch standard's. */
const incomingOf = (c: HttpContext): Readable | undefined => {
  const env: unknown = c.env;
  const incoming = typeof env === 'object' && env !== null && 'incoming' in env ? env.incoming : undefined;
  return incoming instanceof Readable ? incoming : undefined;
};

/**
 * Reads and forgets what a refused request still sends, within limits of size and time: a connection that is closed
 * while its sender is still sending is reset, and the answer is lost with it.
 */
export const dropRest = (c: HttpContext): Promise<void> | undefined => {
  const incoming = incomingOf(c);
  if (incoming === undefined || incoming.readableEnded || incoming.destroyed) return undefined;
  return new Promise((resolve) => {
    let size = 0;
    const done = (): void => {
      clearTimeout(timer);
      incoming.off('data', count).off('end', done).off('close', done).off('error', done);
      resolve();
    };
    const count = (chunk: Uint8Array): void => {
      size += chunk.byteLength;
      if (size > maxDropped) done();
    };
    const timer = setTimeout(done, dropFor);
    incoming.on('data', count).once('end', done).once('close', done).once('error', done);
  });
};

/** The body's bytes, empty where there is none. Fails with `payload-too-large` or `unsupported-media-type`. */
export const readBody = async (c: HttpContext, limit: number): Promise<Uint8Array<ArrayBuffer>> => {
  if (Number(c.req.header('content-length') ?? 0) > limit) throw tooLarge(limit);
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new OmniError('unsupported-media-type', 'Compressed bodies are not taken. Send it without Content-Encoding.');
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  // What is beyond the limit is dropped, but read, as by `dropRest`.
  for await (const chunk of incomingOf(c) ?? c.req.raw.body ?? []) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    if (size <= limit) chunks.push(chunk);
    else if (size > limit + maxDropped) break;
  }
  if (size > limit) throw tooLarge(limit);
  return Buffer.concat(chunks);
};

const decoder = new TextDecoder('utf-8', { fatal: true });

const requireType = (c: HttpContext, wanted: string): void => {
  const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== wanted) throw new OmniError('unsupported-media-type', `Send the body as \`Content-Type: ${wanted}\`.`);
};

/** The parsed JSON of a body. Fails with `unsupported-media-type` or `malformed-json`. */
export const parseJson = (c: HttpContext, bytes: Uint8Array): unknown => {
  requireType(c, 'application/json');
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw new OmniError('malformed-json', 'The body does not parse as UTF-8 JSON.');
  }
};

/** The fields of a form. Fails with `unsupported-media-type`. */
export const parseForm = (c: HttpContext, bytes: Uint8Array): URLSearchParams => {
  requireType(c, 'application/x-www-form-urlencoded');
  return new URLSearchParams(Buffer.from(bytes).toString());
};
