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

/** A body without such a name, escapes taken into account, needs no second look. */
const mayPollute = /__proto__|constructor|\\u/;

/**
 * Whether somewhere in it is a name that code which copies objects carelessly would take for an object's prototype:
 * `__proto__`, or `prototype` in a `constructor`. A walk of its own, because depth is the sender's choice.
 */
const pollutes = (value: unknown): boolean => {
  const left: unknown[] = [value];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    for (const [name, inner] of Object.entries(one)) {
      if (name === '__proto__') return true;
      const isObject = typeof inner === 'object' && inner !== null;
      if (name === 'constructor' && isObject && Object.hasOwn(inner, 'prototype')) return true;
      if (isObject) left.push(inner);
    }
  }
  return false;
};

/**
 * The parsed JSON of a body. Fails with `unsupported-media-type` or `malformed-json`, and with `invalid-request` for
 * one that would change prototypes where it is copied.
 */
export const parseJson = (c: HttpContext, bytes: Uint8Array): unknown => {
  requireType(c, 'application/json');
  const { text, value } = parsed(bytes);
  if (mayPollute.test(text) && pollutes(value)) {
    throw new OmniError(
      'invalid-request',
      'The body names the prototype of objects: `__proto__`, or `constructor.prototype`.',
    );
  }
  return value;
};

const parsed = (bytes: Uint8Array): { readonly text: string; readonly value: unknown } => {
  try {
    const text = decoder.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    throw new OmniError('malformed-json', 'The body does not parse as UTF-8 JSON.');
  }
};

/** The fields of a form. Fails with `unsupported-media-type`. */
export const parseForm = (c: HttpContext, bytes: Uint8Array): URLSearchParams => {
  requireType(c, 'application/x-www-form-urlencoded');
  return new URLSearchParams(Buffer.from(bytes).toString());
};
