import { createHash, createVerify, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { CRC32C } from '@google-cloud/storage';
import * as z from 'zod';

/**
 * As much of Cloud Storage's JSON API (https://cloud.google.com/storage/docs/json_api/v1) and of its V4 signed URLs
 * (https://cloud.google.com/storage/docs/authentication/canonical-requests) as the blobs use. Unlike the emulator of
 * firebase-tools it keeps generation preconditions, verifies signatures and streams bodies to disk.
 */
export interface CloudStorageServer {
  readonly endpoint: string;
  /** Every request so far: `POST /upload/storage/v1/b/b1/o?uploadType=resumable`. */
  readonly requests: readonly string[];
  /** Answers the next requests with these statuses, one each; `stall` never answers. */
  fail(...outcomes: (number | 'stall')[]): void;
  /** Objects that are really there. */
  readonly names: () => string[];
  stop(): Promise<void>;
}

const objectSchema = z.object({
  name: z.string().optional(),
  contentType: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
});

interface StoredObject {
  readonly path: string;
  readonly resource: {
    readonly kind: 'storage#object';
    readonly name: string;
    readonly bucket: string;
    readonly generation: string;
    readonly size: string;
    readonly contentType: string;
    readonly crc32c: string;
    readonly etag: string;
    readonly updated: string;
    readonly metadata?: Record<string, string>;
  };
}

interface Session {
  readonly bucket: string;
  readonly name: string;
  readonly ifGenerationMatch: string | null;
  readonly contentType: string;
  readonly metadata?: Record<string, string>;
}

const sendJson = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' }).end(JSON.stringify(body));
};

const refuse = (response: ServerResponse, code: number, reason: string): void =>
  sendJson(response, code, {
    error: { code, message: reason, errors: [{ reason, message: reason, domain: 'global' }] },
  });

/** RFC 3986, as the canonical request of V4 demands: all but unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const signedTime = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** The reason to refuse a signed request, or undefined. */
const signatureFault = (request: IncomingMessage, url: URL, publicKey: string): string | undefined => {
  const query = url.searchParams;
  const date = query.get('X-Goog-Date') ?? '';
  const scope = (query.get('X-Goog-Credential') ?? '').split('/').slice(1).join('/');
  const signedHeaders = (query.get('X-Goog-SignedHeaders') ?? '').split(';');
  if (query.get('X-Goog-Algorithm') !== 'GOOG4-RSA-SHA256' || !signedHeaders.includes('host')) return 'InvalidArgument';
  if (scope !== `${date.slice(0, 8)}/auto/storage/goog4_request`) return 'InvalidArgument';
  const expires = Number(query.get('X-Goog-Expires'));
  if (!(expires > 0 && expires <= 604_800)) return 'InvalidArgument';
  const headers = signedHeaders.map((name) => {
    // The client signs the host without its port, which on Cloud Storage there is none of.
    const value = name === 'host' ? (request.headers.host ?? '').replace(/:\d+$/, '') : request.headers[name];
    return `${name}:${String(value ?? '').trim()}\n`;
  });
  const canonicalQuery = [...query]
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const canonical = [
    request.method,
    url.pathname,
    canonicalQuery,
    headers.join(''),
    signedHeaders.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n');
  const toSign = ['GOOG4-RSA-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const signature = Buffer.from(query.get('X-Goog-Signature') ?? '', 'hex');
  if (!createVerify('RSA-SHA256').update(toSign).verify(publicKey, signature)) return 'SignatureDoesNotMatch';
  return Date.now() >= signedTime(date) + expires * 1_000 ? 'ExpiredToken' : undefined;
};

/** https://cloud.google.com/storage/docs/xml-api/reference-headers#xgoogcontentlengthrange */
const lengthFault = ({ headers }: IncomingMessage, length: number): string | undefined => {
  const [, least, most] = /^(\d+),(\d+)$/.exec(String(headers['x-goog-content-length-range'] ?? '')) ?? [];
  if (most !== undefined && length > Number(most)) return 'EntityTooLarge';
  return least !== undefined && length < Number(least) ? 'EntityTooSmall' : undefined;
};

const rangeOf = (header: string | undefined, size: number): { start: number; end: number } | undefined => {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), end: end === undefined || end === '' ? size - 1 : Math.min(Number(end), size - 1) };
};

/** The objects, and the one way to put one there. */
const openObjects = (folder: string) => {
  const objects = new Map<string, StoredObject>();
  let lastGeneration = 1_700_000_000_000_000;

  const current = (bucket: string, name: string): StoredObject | undefined => objects.get(`${bucket}/${name}`);

  const preconditionHolds = ({ bucket, name, ifGenerationMatch }: Session): boolean =>
    ifGenerationMatch === null || ifGenerationMatch === (current(bucket, name)?.resource.generation ?? '0');

  /** Takes the whole body, then checks the precondition and puts the object in place in one step. */
  const store = async (session: Session, body: Readable, response: ServerResponse): Promise<void> => {
    const path = join(folder, randomUUID());
    const crc32c = new CRC32C();
    let size = 0;
    await pipeline(
      body,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          crc32c.update(chunk);
          size += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(path),
    );
    if (!preconditionHolds(session)) return refuse(response, 412, 'conditionNotMet');
    const { bucket, name, contentType, metadata } = session;
    lastGeneration += 1;
    const generation = String(lastGeneration);
    const resource: StoredObject['resource'] = {
      kind: 'storage#object',
      name,
      bucket,
      generation,
      size: String(size),
      contentType,
      crc32c: crc32c.toString(),
      etag: Buffer.from(generation).toString('base64'),
      updated: new Date().toISOString(),
      ...(metadata === undefined ? {} : { metadata }),
    };
    objects.set(`${bucket}/${name}`, { path, resource });
    sendJson(response, 200, resource);
  };

  return { objects, current, preconditionHolds, store };
};
type Objects = ReturnType<typeof openObjects>;

const uploadsTo = ({ preconditionHolds, store }: Objects) => {
  const sessions = new Map<string, Session>();

  const multipartUpload = async (request: IncomingMessage, url: URL, bucket: string, response: ServerResponse) => {
    const boundary = /^multipart\/related; boundary=(.+)$/.exec(request.headers['content-type'] ?? '')?.[1];
    const body = await buffer(request);
    const parts = body.toString('latin1').split(`--${boundary}`);
    const [, first = '', second = ''] = parts;
    if (parts.length !== 4 || !first.includes('application/json')) return refuse(response, 400, 'badContent');
    const cut = (part: string): string => part.slice(part.indexOf('\r\n\r\n') + 4, -2);
    const resource = objectSchema.parse(JSON.parse(Buffer.from(cut(first), 'latin1').toString()));
    const session: Session = {
      bucket,
      name: url.searchParams.get('name') ?? resource.name ?? '',
      ifGenerationMatch: url.searchParams.get('ifGenerationMatch'),
      contentType: resource.contentType ?? 'application/octet-stream',
      ...(resource.metadata === undefined ? {} : { metadata: resource.metadata }),
    };
    await store(session, Readable.from([Buffer.from(cut(second), 'latin1')]), response);
  };

  const startSession = async (request: IncomingMessage, url: URL, bucket: string, response: ServerResponse) => {
    const resource = objectSchema.parse(await json(request));
    const session: Session = {
      bucket,
      name: url.searchParams.get('name') ?? resource.name ?? '',
      ifGenerationMatch: url.searchParams.get('ifGenerationMatch'),
      contentType:
        resource.contentType ?? String(request.headers['x-upload-content-type'] ?? 'application/octet-stream'),
      ...(resource.metadata === undefined ? {} : { metadata: resource.metadata }),
    };
    if (!preconditionHolds(session)) return refuse(response, 412, 'conditionNotMet');
    const id = randomUUID();
    sessions.set(id, session);
    const location = `http://${request.headers.host}${url.pathname}?uploadType=resumable&upload_id=${id}`;
    response.writeHead(200, { location }).end();
  };

  const uploadTo = async (request: IncomingMessage, url: URL, bucket: string, response: ServerResponse) => {
    const session = sessions.get(url.searchParams.get('upload_id') ?? '');
    if (request.method === 'PUT') {
      if (session === undefined) return refuse(response, 404, 'notFound');
      // A question how far the upload is: nothing of an unfinished one is kept here.
      if (request.headers['content-range'] === 'bytes */*') return void response.writeHead(308).end();
      return store(session, request, response);
    }
    return url.searchParams.get('uploadType') === 'resumable'
      ? startSession(request, url, bucket, response)
      : multipartUpload(request, url, bucket, response);
  };

  return uploadTo;
};

const readsFrom = ({ objects, current }: Objects) => {
  const sendMedia = async (found: StoredObject, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { resource, path } = found;
    const size = Number(resource.size);
    const range = rangeOf(request.headers.range, size);
    if (range !== undefined && range.start >= size) return refuse(response, 416, 'requestedRangeNotSatisfiable');
    response.writeHead(range === undefined ? 200 : 206, {
      'content-type': resource.contentType,
      'content-length': range === undefined ? size : range.end - range.start + 1,
      etag: `"${resource.etag}"`,
      'x-goog-generation': resource.generation,
      'x-goog-hash': `crc32c=${resource.crc32c}`,
      'x-goog-stored-content-encoding': 'identity',
      ...(range === undefined ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
    });
    await pipeline(createReadStream(path, range ?? {}), response);
  };

  const onObject = async (
    request: IncomingMessage,
    url: URL,
    bucket: string,
    name: string,
    response: ServerResponse,
  ) => {
    const found = current(bucket, name);
    const query = url.searchParams;
    const generation = query.get('generation');
    if (found === undefined || (generation !== null && generation !== found.resource.generation))
      return refuse(response, 404, 'notFound');
    const expected = query.get('ifGenerationMatch');
    if (expected !== null && expected !== found.resource.generation) return refuse(response, 412, 'conditionNotMet');
    if (request.method === 'DELETE') {
      objects.delete(`${bucket}/${name}`);
      return void response.writeHead(204).end();
    }
    return query.get('alt') === 'media' ? sendMedia(found, request, response) : sendJson(response, 200, found.resource);
  };

  const list = (url: URL, bucket: string, response: ServerResponse): void => {
    const prefix = url.searchParams.get('prefix') ?? '';
    const limit = Number(url.searchParams.get('maxResults') ?? 1_000);
    const token = url.searchParams.get('pageToken');
    const after = token === null ? '' : Buffer.from(token, 'base64').toString();
    const all = [...objects.values()]
      .map(({ resource }) => resource)
      .filter(({ bucket: of, name }) => of === bucket && name.startsWith(prefix) && name > after)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const items = all.slice(0, limit);
    const last = items.at(-1);
    const more = all.length > limit && last !== undefined;
    const nextPageToken = more ? { nextPageToken: Buffer.from(last.name).toString('base64') } : {};
    sendJson(response, 200, { kind: 'storage#objects', items, ...nextPageToken });
  };

  return { sendMedia, onObject, list };
};

export const startCloudStorageServer = async (publicKey = ''): Promise<CloudStorageServer> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-gcs-'));
  const stored = openObjects(folder);
  const uploadTo = uploadsTo(stored);
  const { sendMedia, onObject, list } = readsFrom(stored);
  const requests: string[] = [];
  const outcomes: (number | 'stall')[] = [];

  const onSigned = async (request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> => {
    const fault = signatureFault(request, url, publicKey);
    if (fault !== undefined) return void response.writeHead(fault === 'InvalidArgument' ? 400 : 403).end(fault);
    const [, bucket = '', path = ''] = /^\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
    const name = decodeURIComponent(path);
    if (request.method === 'PUT') {
      const contentType = request.headers['content-type'] ?? 'application/octet-stream';
      const body = await buffer(request);
      const tooMuch = lengthFault(request, body.length);
      if (tooMuch !== undefined) return void response.writeHead(400).end(tooMuch);
      const session = { bucket, name, ifGenerationMatch: null, contentType };
      return stored.store(session, Readable.from([body]), response);
    }
    const found = stored.current(bucket, name);
    return found === undefined ? void response.writeHead(404).end() : sendMedia(found, request, response);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    requests.push(`${request.method} ${url.pathname}${url.search}`);
    const outcome = outcomes.shift();
    if (outcome === 'stall') return;
    if (outcome !== undefined) return refuse(response, outcome, 'backendError');
    const upload = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/.exec(url.pathname);
    const objects = /^\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?$/.exec(url.pathname);
    if (upload?.[1] !== undefined) return uploadTo(request, url, upload[1], response);
    if (objects?.[1] !== undefined && objects[2] !== undefined)
      return onObject(request, url, objects[1], decodeURIComponent(objects[2]), response);
    if (objects?.[1] !== undefined && request.method === 'GET') return list(url, objects[1], response);
    return url.searchParams.has('X-Goog-Signature')
      ? onSigned(request, url, response)
      : refuse(response, 404, 'notFound');
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else refuse(response, 400, 'badRequest');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    fail: (...next) => void outcomes.push(...next),
    names: () => [...stored.objects.keys()],
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
};
