import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { isOmniError } from '../kernel/errors.ts';
import type { BlobStore, Blobs, ByteRange } from './blobs.ts';

export interface SignedUrlHandlerOptions {
  readonly blobs: BlobStore;
  readonly signingKey: string;
  /** The path that `baseUrl` ends with: `/blobs`. */
  readonly path: string;
  readonly clock?: Clock;
  /** Most bytes of one upload. Default 1 GiB. */
  readonly maxBytes?: number;
}

/** What a signature covers. The content type is empty where it is free. */
interface SignedRequest {
  readonly method: string;
  readonly tenant: string;
  readonly key: string;
  /** Seconds since the Unix epoch. */
  readonly expires: number;
  readonly contentType: string;
  /** Bytes of an upload; empty where they are free. */
  readonly most: string;
}

export const signRequest = (signingKey: string, request: SignedRequest): string => {
  const { method, tenant, key, expires, contentType, most } = request;
  return createHmac('sha256', signingKey)
    .update(JSON.stringify([method, tenant, key, expires, contentType, most]))
    .digest('base64url');
};

const statuses: Partial<Record<string, number>> = {
  'invalid-request': 400,
  'not-found': 404,
  'payload-too-large': 413,
  'range-not-satisfiable': 416,
};

const signatureMatches = (signingKey: string, request: SignedRequest, signature: string): boolean => {
  const expected = Buffer.from(signRequest(signingKey, request));
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
};

/** One range, as RFC 9110 section 14.1.2 writes it. Anything else asks for the whole, which the RFC allows. */
const parseRange = (header: string | undefined, size: number): ByteRange | undefined => {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return { start: last === '0' ? size : Math.max(0, size - Number(last)) };
  if (last !== '' && Number(last) < Number(first)) return undefined;
  return { start: Number(first), ...(last === '' ? {} : { end: Number(last) }) };
};

const sendBlob = async (blobs: Blobs, key: string, request: IncomingMessage, response: ServerResponse) => {
  const size = (await blobs.info(key))?.size ?? 0;
  const range = parseRange(request.headers.range, size);
  response.setHeader('accept-ranges', 'bytes');
  if (range !== undefined && range.start >= size) response.setHeader('content-range', `bytes */${size}`);
  const { info, body } = await blobs.read(key, range);
  const end = Math.min(range?.end ?? info.size - 1, info.size - 1);
  response.writeHead(range === undefined ? 200 : 206, {
    'content-type': info.contentType,
    'content-length': range === undefined ? info.size : end - range.start + 1,
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.updatedAt).toUTCString(),
    // What a tenant uploads must not run in the origin of the API.
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff',
    ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${end}/${info.size}` }),
  });
  await pipeline(body, response);
};

/** Serves the signed URLs of the local-disk blobs, as Cloud Storage serves its own. False: the path is not its. */
export const signedUrlHandler = (options: SignedUrlHandlerOptions) => {
  const { blobs, signingKey, path, clock = systemClock, maxBytes = 1024 ** 3 } = options;

  const serve = async (url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, tenant = '', key = ''] = /^\/([^/]+)\/(.+)$/.exec(url.pathname.slice(path.length)) ?? [];
    const expires = Number(url.searchParams.get('expires'));
    const contentType = url.searchParams.get('contentType') ?? '';
    const method = request.method ?? '';
    const most = url.searchParams.get('most') ?? '';
    const signed = { method, tenant, key, expires, contentType, most };
    const matches = signatureMatches(signingKey, signed, url.searchParams.get('signature') ?? '');
    const sentType = request.headers['content-type'] ?? '';
    const typeHolds = method === 'GET' || contentType === '' || contentType === sentType;
    if (!matches || !typeHolds || expires * 1_000 <= clock.now()) {
      response.writeHead(403).end();
      return;
    }
    if (method === 'GET') {
      await sendBlob(blobs.of(tenant), key, request, response);
      return;
    }
    const bound = most === '' ? maxBytes : Math.min(maxBytes, Number(most));
    const type = sentType === '' ? 'application/octet-stream' : sentType;
    const info = await blobs.of(tenant).put(key, request, { contentType: type, maxBytes: bound });
    response.writeHead(200, { etag: `"${info.etag}"` }).end();
  };

  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (!url?.pathname.startsWith(`${path}/`)) return false;
    try {
      await serve(url, request, response);
    } catch (error) {
      // Once the body runs, or when the client has gone, there is nobody left to tell.
      if (response.headersSent || response.destroyed) response.destroy();
      else {
        const status = isOmniError(error) ? statuses[error.code] : undefined;
        response.writeHead(status ?? 500, { connection: 'close' }).end();
      }
    }
    return true;
  };
};
