import type { Readable } from 'node:stream';

export interface BlobInfo {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  /** Strong and opaque; changes with every write. */
  readonly etag: string;
  /** Opaque version for conditional writes. */
  readonly generation: string;
  /** ISO 8601. */
  readonly updatedAt: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface PutOptions {
  readonly contentType: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Write only over this generation; `'absent'` writes only where there is nothing. Else `precondition-failed`. */
  readonly ifGeneration?: string;
  /** Most bytes taken; more fails with `payload-too-large` and leaves nothing. */
  readonly maxBytes?: number;
}

/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

export interface SignedUrlOptions {
  readonly action: 'read' | 'write';
  /** Seconds, at most 7 days. */
  readonly expiresIn: number;
  /** Bound into a URL to write: an upload of another type is refused. */
  readonly contentType?: string;
  /** Bound into a URL to write: a longer upload is refused. Whoever uploads sends `uploadHeaders`. */
  readonly maxBytes?: number;
}

/** What an upload by a signed URL has to carry: Cloud Storage takes a bound from a header that the signature covers. */
export const uploadHeaders = ({
  contentType,
  maxBytes,
}: {
  readonly contentType?: string | undefined;
  readonly maxBytes?: number | undefined;
}): Readonly<Record<string, string>> => ({
  ...(contentType === undefined ? {} : { 'content-type': contentType }),
  ...(maxBytes === undefined ? {} : { 'x-goog-content-length-range': `0,${maxBytes}` }),
});

/**
 * The blobs of one tenant. Keys are relative paths of letters, digits, `.`, `_`, `-` and `/`, at most 512 characters,
 * with no `..`. Errors: `not-found`, `precondition-failed`, `payload-too-large`, `range-not-satisfiable`,
 * `invalid-request` (a bad key), `unavailable`.
 */
export interface Blobs {
  put(key: string, body: Readable | Uint8Array | string, options: PutOptions): Promise<BlobInfo>;
  /** A stream of the whole blob or a range of it. Fails before the first byte where the blob is absent. */
  read(key: string, range?: ByteRange): Promise<{ readonly info: BlobInfo; readonly body: Readable }>;
  info(key: string): Promise<BlobInfo | undefined>;
  /** Idempotent without an expectation. */
  delete(key: string, expected?: { readonly generation?: string }): Promise<void>;
  /** In order of key, at most `limit` (1 to 1,000). */
  list(request: { readonly prefix?: string; readonly limit: number; readonly cursor?: string | undefined }): Promise<{
    readonly items: readonly BlobInfo[];
    readonly nextCursor: string | null;
  }>;
  /** A URL that works without credentials until it expires. */
  signedUrl(key: string, options: SignedUrlOptions): Promise<string>;
}

/** Nothing can be read or written before a tenant is named. */
export interface BlobStore {
  of(tenant: string): Blobs;
  ping(): Promise<void>;
}
