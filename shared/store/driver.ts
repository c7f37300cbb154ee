import type { JsonObject } from '../kernel/json.ts';
import type { AnyCollection, SortOrder } from './collection.ts';
import type { Filter, NearestRequest } from './store.ts';

/** Where a document is. Both parts are validated before a driver sees them. */
export interface DocumentKey {
  readonly collection: string;
  readonly id: string;
}

/** A document as the database gives it: not parsed, perhaps expired. */
export interface RawDocument {
  readonly id: string;
  readonly revision: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Milliseconds since the Unix epoch. */
  readonly expireAt?: number | undefined;
}

export interface Content {
  readonly data: JsonObject;
  /** Every top-level field that the collection knows; a replacement removes those that `data` lacks. */
  readonly fieldNames: readonly string[];
  /** Present in every document of a collection with a time-to-live. */
  readonly expireAt?: number | undefined;
  readonly vectorField?: string | undefined;
}

/** Without a revision `update` only wants the document to be there, and `delete` wants nothing. */
export type Write =
  | { readonly kind: 'create'; readonly key: DocumentKey; readonly content: Content }
  | {
      readonly kind: 'update';
      readonly key: DocumentKey;
      readonly content: Content;
      readonly revision?: string | undefined;
    }
  | { readonly kind: 'delete'; readonly key: DocumentKey; readonly revision?: string | undefined }
  | {
      readonly kind: 'increment';
      readonly key: DocumentKey;
      readonly by: Readonly<Record<string, number>>;
      /** Merged into what is there. */
      readonly content: Content;
    };

export interface Reader {
  get(keys: readonly DocumentKey[]): Promise<readonly (RawDocument | undefined)[]>;
}

export interface DriverQuery {
  readonly where: readonly Filter[];
  readonly orderBy: { readonly field: string; readonly order: SortOrder } | undefined;
  readonly after: readonly [value: unknown, id: string] | undefined;
  readonly limit: number;
}

export interface DriverAggregate {
  readonly where: readonly Filter[];
  /** Leaves out what expires at or before this time. */
  readonly liveAfter: number | undefined;
  /** Where present, the sum and average of this field are asked for; else the count of documents. */
  readonly field: string | undefined;
}

export interface DriverNearest extends NearestRequest {
  readonly field: string;
}

/**
 * What a database must be able to do; database.ts makes a Database of it. A failed precondition is an OmniError:
 * `already-exists`, `not-found` (an update without revision) or `revision-conflict` (any other).
 */
export interface Driver extends Reader {
  /** Told of every collection before its first use, where a driver treats some collections in a way of their own. */
  declare?(collection: AnyCollection): void;
  /** All or nothing, no document twice. Returns the new revisions; that of a deleted document means nothing. */
  commit(writes: readonly Write[]): Promise<readonly string[]>;
  /** Commits the writes if what was read has not changed, else runs `work` again, a bounded number of times. */
  transaction<R>(work: (reader: Reader) => Promise<{ result: R; writes: readonly Write[] }>): Promise<R>;
  query(collection: string, query: DriverQuery): Promise<readonly RawDocument[]>;
  aggregate(
    collection: string,
    request: DriverAggregate,
  ): Promise<{ count: number; sum: number; average: number | null }>;
  nearest(
    collection: string,
    request: DriverNearest,
  ): Promise<readonly (RawDocument & { readonly distance: number })[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
