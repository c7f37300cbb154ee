import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Bucket, File } from '@google-cloud/storage';
import type { GoogleAuth } from 'google-auth-library';
import * as z from 'zod';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import { decodeCursor, encodeCursor } from '../kernel/page.ts';
import { type BlobBody, bytesOf, resolveRange } from './blob-body.ts';
import { checkKey, checkList, checkPut, checkSignedUrl, checkTenant } from './blob-key.ts';
import { type BlobInfo, type BlobStore, type Blobs, type ByteRange, type PutOptions, uploadHeaders } from './blobs.ts';

export interface CloudStorageOptions {
  readonly bucket: string;
  readonly projectId?: string;
  /** Another place that speaks the JSON API, such as an emulator: `http://127.0.0.1:9199`. No credentials go there. */
  readonly endpoint?: string;
  /**
   * Application default credentials where absent. In the cloud the function's own account then signs URLs, through IAM,
   * for which it needs `roles/iam.serviceAccountTokenCreator` on itself.
   */
  readonly auth?: GoogleAuth;
  /** Milliseconds for one call without its body, retries included. Default 10 s. */
  readonly timeout?: number;
  /** Milliseconds for which an upload may make no headway. Default 60 s. */
  readonly idleTimeout?: number;
  /** Retries of calls that may be repeated, with growing delays. Default 3. */
  readonly maxRetries?: number;
}

const defaultTimeout = 10_000;
const defaultIdleTimeout = 60_000;
const retrySeconds = 30;
/** Up to this size one request is faster than a resumable session's two, and costs little to send again. */
const simpleUploadBytes = 5 * 1024 * 1024;
const readAttempts = 5;
/** Written over between the two calls of a read: what the first one told is gone. */
const replaced = new Error('replaced');

const resourceSchema = z.object({
  name: z.string(),
  size: z.coerce.number(),
  contentType: z.string().default('application/octet-stream'),
  generation: z.coerce.string(),
  updated: z.string(),
  metadata: z.record(z.string(), z.string()).default({}),
});

/** The HTTP status. A resumable upload fails with the response's plain `error` object instead of an Error. */
const failureSchema = z.object({ code: z.coerce.number().optional().catch(undefined), message: z.string().optional() });

const codeOf = (error: unknown): number | undefined => failureSchema.safeParse(error).data?.code;

/** What has no status (network, timeout) is `unavailable`. */
const translate = (error: unknown): OmniError => {
  if (error instanceof OmniError) return error;
  // The client's own error holds the whole exchange, sockets and headers included: too much for a log.
  const { message = 'no message' } = failureSchema.safeParse(error).data ?? {};
  const options = { cause: new Error(message.slice(0, 500)) };
  switch (codeOf(error)) {
    case 404:
      return new OmniError('not-found', 'There is no such blob.', options);
    case 412:
      return new OmniError('precondition-failed', 'The blob has changed since it was read.', options);
    case 416:
      return new OmniError('range-not-satisfiable', 'The range lies outside the blob.', options);
    case 400:
    case 401:
    case 403:
      return new OmniError('internal', 'The blob store refused the call.', options);
    default:
      return new OmniError('unavailable', 'The blob store does not answer.', options);
  }
};

const translated = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    throw translate(error);
  }
};

/**
 * The client's own `timeout` does nothing with the HTTP library that it has now (node-fetch 3 knows no such option), so
 * time is kept here.
 */
const within = async <T>(timeout: number, work: Promise<T>): Promise<T> => {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
};

const openBucket = async (options: CloudStorageOptions): Promise<Bucket> => {
  const { maxRetries = 3 } = options;
  const { Storage, IdempotencyStrategy } = await import('@google-cloud/storage');
  const storage = new Storage({
    ...(options.projectId === undefined ? {} : { projectId: options.projectId }),
    ...(options.endpoint === undefined ? {} : { apiEndpoint: options.endpoint }),
    ...(options.auth === undefined ? {} : { authClient: options.auth }),
    retryOptions: {
      // The client takes `maxRetries: 0` for "not given".
      autoRetry: maxRetries > 0,
      maxRetries,
      totalTimeout: retrySeconds,
      maxRetryDelay: 8,
      // Only what carries a generation is repeated; the rest might undo another's write.
      idempotencyStrategy: IdempotencyStrategy.RetryConditional,
    },
  });
  return storage.bucket(options.bucket);
};

const bodySize = (body: BlobBody): number | undefined =>
  typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : undefined;

const generationMatch = (expected: string | undefined): { ifGenerationMatch?: string | number } =>
  expected === undefined ? {} : { ifGenerationMatch: expected === 'absent' ? 0 : expected };

const upload = async (file: File, body: BlobBody, options: PutOptions, idleTimeout: number): Promise<void> => {
  const size = bodySize(body);
  const target = file.createWriteStream({
    resumable: size === undefined || size > simpleUploadBytes,
    contentType: options.contentType,
    metadata: { metadata: { ...options.metadata } },
    preconditionOpts: generationMatch(options.ifGeneration),
  });
  const idle = new AbortController();
  const timer = setTimeout(() => idle.abort(), idleTimeout);
  const source = async function* () {
    for await (const chunk of bytesOf(body, options.maxBytes)) {
      timer.refresh();
      yield chunk;
    }
  };
  try {
    await pipeline(source, target, { signal: idle.signal });
  } finally {
    clearTimeout(timer);
  }
};

/** A stream that has its first bytes, so that a refusal is thrown here and not into the middle of a response. */
const started = async (stream: Readable, timeout: number): Promise<Readable> => {
  try {
    await within(timeout, once(stream, 'readable'));
    return stream;
  } catch (error) {
    stream.destroy();
    throw error;
  }
};

/** Blobs in Cloud Storage, as `tenants/{tenant}/{key}` in one bucket. The client is imported at the first call. */
export const createCloudStorageBlobs = (options: CloudStorageOptions): BlobStore => {
  const { timeout = defaultTimeout, idleTimeout = defaultIdleTimeout } = options;
  let opening: Promise<Bucket> | undefined;
  const bucket = (): Promise<Bucket> => {
    opening ??= openBucket(options);
    return opening;
  };
  const called = <T>(work: Promise<T>): Promise<T> => translated(within(timeout, work));

  const blobsOf = (tenant: string): Blobs => {
    checkTenant(tenant);
    const root = `tenants/${tenant}/`;
    const fileAt = async (key: string, generation?: string): Promise<File> =>
      (await bucket()).file(`${root}${key}`, generation === undefined ? {} : { generation });

    const toInfo = (resource: unknown): BlobInfo => {
      const parsed = resourceSchema.safeParse(resource);
      if (!parsed.success)
        throw new OmniError('stored-data-invalid', 'A stored blob is damaged.', { cause: parsed.error });
      const { name, size, contentType, generation, updated, metadata } = parsed.data;
      const key = name.slice(root.length);
      return { key, size, contentType, etag: generation, generation, updatedAt: updated, metadata };
    };

    const info = async (key: string): Promise<BlobInfo | undefined> => {
      try {
        const file = await fileAt(key);
        const [resource] = await called(file.getMetadata());
        return toInfo(resource);
      } catch (error) {
        if (isOmniError(error, 'not-found')) return undefined;
        throw error;
      }
    };

    const readOnce = async (key: string, range: ByteRange | undefined) => {
      const found = await info(key);
      if (found === undefined) throw new OmniError('not-found', 'There is no such blob.');
      const resolved = range === undefined ? {} : resolveRange(found.size, range);
      if (found.size === 0) return { info: found, body: Readable.from([]) };
      const file = await fileAt(key, found.generation);
      const stream = file.createReadStream({ ...resolved, decompress: false });
      try {
        return { info: found, body: await translated(started(stream, timeout)) };
      } catch (error) {
        throw isOmniError(error, 'not-found') ? replaced : error;
      }
    };

    return {
      put: async (key, body, putOptions) => {
        checkPut(key, putOptions);
        const file = await fileAt(key);
        await translated(upload(file, body, putOptions, idleTimeout));
        return toInfo(file.metadata);
      },
      read: async (key, range) => {
        checkKey(key);
        for (let attempt = 1; attempt <= readAttempts; attempt += 1) {
          try {
            return await readOnce(key, range);
          } catch (error) {
            if (error !== replaced) throw error;
          }
        }
        throw new OmniError('unavailable', 'The blob is being replaced faster than it can be read.');
      },
      info: async (key) => {
        checkKey(key);
        return info(key);
      },
      delete: async (key, expected) => {
        checkKey(key);
        const file = await fileAt(key);
        try {
          await called(file.delete(generationMatch(expected?.generation)));
        } catch (error) {
          if (!isOmniError(error, 'not-found')) throw error;
          if (expected?.generation !== undefined)
            throw new OmniError('precondition-failed', 'The blob has changed since it was read.', { cause: error });
        }
      },
      list: async ({ prefix = '', limit, cursor }) => {
        checkList(prefix, limit);
        const pageToken = cursor === undefined ? undefined : decodeCursor(cursor)[1];
        const [files, next] = await called(
          (await bucket()).getFiles({
            prefix: `${root}${prefix}`,
            maxResults: limit,
            autoPaginate: false,
            ...(pageToken === undefined ? {} : { pageToken }),
          }),
        );
        const nextToken = next !== null && 'pageToken' in next ? next.pageToken : undefined;
        return {
          items: files.map((file) => toInfo(file.metadata)),
          nextCursor: typeof nextToken === 'string' ? encodeCursor([null, nextToken]) : null,
        };
      },
      signedUrl: async (key, signOptions) => {
        checkSignedUrl(key, signOptions);
        const { action, expiresIn, contentType, maxBytes } = signOptions;
        const { 'content-type': _, ...extensionHeaders } = uploadHeaders({ contentType, maxBytes });
        const file = await fileAt(key);
        const now = Date.now();
        const [url] = await called(
          file.getSignedUrl({
            version: 'v4',
            action,
            accessibleAt: now,
            expires: now + expiresIn * 1_000,
            ...(contentType === undefined || action === 'read' ? {} : { contentType }),
            ...(action === 'read' ? {} : { extensionHeaders }),
          }),
        );
        return url;
      },
    };
  };

  return {
    of: blobsOf,
    // Listing needs no more than the roles that reading and writing objects need anyway.
    ping: async () => {
      await called((await bucket()).getFiles({ prefix: 'tenants/', maxResults: 1, autoPaginate: false }));
    },
  };
};
