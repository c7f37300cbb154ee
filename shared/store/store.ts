import type { DomainEvent } from '../kernel/event.ts';
import type { Page } from '../kernel/page.ts';
import type { PlatformCollection, SortOrder, TenantCollection } from './collection.ts';

/** A document as stored. The revision changes with every write and is opaque. */
export interface Stored<T> {
  readonly id: string;
  readonly revision: string;
  readonly value: T;
}

export type Scalar = string | number | boolean | null;

/** One condition on a field (`a.b` reaches into an object). All conditions of a query hold together. */
export type Filter =
  | { readonly field: string; readonly op: '==' | '<' | '<=' | '>' | '>='; readonly value: Scalar }
  | { readonly field: string; readonly op: 'in'; readonly value: readonly Scalar[] }
  | { readonly field: string; readonly op: 'contains'; readonly value: Scalar };

export interface Query {
  readonly where?: readonly Filter[];
  /** Ties are broken by id, in the same direction. Documents without the field are left out. By id where absent. */
  readonly orderBy?: { readonly field: string; readonly order: SortOrder };
  /** 1 to 1,000. There is no unbounded query. */
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface AggregateRequest {
  readonly where?: readonly Filter[];
  readonly sum?: readonly string[];
  readonly average?: readonly string[];
}

export interface Aggregate {
  readonly count: number;
  /** By field. Documents where the field is no number do not count; the sum of none is 0. */
  readonly sum: Readonly<Record<string, number>>;
  /** By field. The average of none is null. */
  readonly average: Readonly<Record<string, number | null>>;
}

export interface NearestRequest {
  readonly vector: readonly number[];
  /** 1 to 1,000. */
  readonly limit: number;
  readonly distance: 'cosine' | 'euclidean' | 'dot-product';
  readonly where?: readonly Filter[];
}

export interface Neighbour<T> extends Stored<T> {
  /** Cosine distance (0 to 2), Euclidean distance, or dot product, as asked. Nearest first. */
  readonly distance: number;
}

/** Writes that hold only if the document is still as it was read. */
export interface Expectation {
  readonly revision?: string;
}

/**
 * One collection of one tenant (or of the platform). Errors: `already-exists`, `not-found`, `revision-conflict`,
 * `stored-data-invalid` (a stored document does not parse), `invalid-cursor`, `unavailable`.
 */
export interface Store<T extends object> {
  /** The collection's path, such as `tenants/acme/predictions`. */
  readonly path: string;
  get(id: string): Promise<Stored<T> | undefined>;
  /** In the order of the ids; absent ones are undefined. One round trip, at most 1,000. */
  getMany(ids: readonly string[]): Promise<readonly (Stored<T> | undefined)[]>;
  /** Fails with `already-exists`. An expired document that is not yet deleted counts as absent. */
  create(id: string, value: T): Promise<Stored<T>>;
  /** Replaces the whole value. Fails with `not-found`, or with `revision-conflict` when it is not the expected one. */
  update(id: string, value: T, expected?: Expectation): Promise<Stored<T>>;
  /** Idempotent without an expectation: deleting what is absent succeeds. */
  delete(id: string, expected?: Expectation): Promise<void>;
  /** A stored document that does not parse is left out and reported to the log; it never hides the others. */
  query(query: Query): Promise<Page<Stored<T>>>;
  aggregate(request: AggregateRequest): Promise<Aggregate>;
  /**
   * Adds to numeric fields without reading; concurrent increments never lose one. An absent document is made, with
   * `fields` written as well (and on every later increment): identifying fields such as a day, not state.
   */
  increment(id: string, by: Readonly<Record<string, number>>, fields?: Partial<T>): Promise<void>;
  /** Only for collections that declare a vector. */
  nearest(request: NearestRequest): Promise<readonly Neighbour<T>[]>;
}

/** One collection over all tenants. Nothing can be read or written before a tenant is named. */
export interface TenantStore<T extends object> {
  of(tenant: string): Store<T>;
}

/**
 * What can be done inside a transaction. All reads come before the first write. Writes are buffered and commit
 * together, with the events, or not at all.
 */
export interface Transaction {
  get<T extends object>(store: Store<T>, id: string): Promise<Stored<T> | undefined>;
  create<T extends object>(store: Store<T>, id: string, value: T): void;
  update<T extends object>(store: Store<T>, id: string, value: T, expected?: Expectation): void;
  delete<T extends object>(store: Store<T>, id: string, expected?: Expectation): void;
  increment<T extends object>(
    store: Store<T>,
    id: string,
    by: Readonly<Record<string, number>>,
    fields?: Partial<T>,
  ): void;
  /** Takes a unique value (`reserve('acme', 'email', 'a@b.c', 'usr_1')`). The commit fails with `already-exists` when it is taken. */
  reserve(tenant: string, kind: string, value: string, owner: string): void;
  /** Gives a unique value back. */
  release(tenant: string, kind: string, value: string): void;
  /** Writes an event to the outbox. It is published after the commit, at least once. */
  emit(event: DomainEvent): void;
}

export interface Database {
  tenants<T extends object>(collection: TenantCollection<T>): TenantStore<T>;
  platform<T extends object>(collection: PlatformCollection<T>): Store<T>;
  /**
   * Runs `work`, perhaps several times (so it must have no effect but through the transaction), and commits. A
   * transaction that reads nothing is one write-only commit, without locks. Errors as for Store; `revision-conflict`
   * when contention outlasts the retries. Returns when the commit is durable and its events were handed over.
   */
  transaction<R>(work: (transaction: Transaction) => Promise<R> | R): Promise<R>;
  /** Who holds a unique value. */
  ownerOf(tenant: string, kind: string, value: string): Promise<string | undefined>;
  /**
   * For erasure alone: deletes up to `limit` (1 to 450) documents of a tenant as they are stored, also those that have
   * expired or do not parse, and `unique` reservations. Returns how many there were; fewer than `limit` means the end.
   */
  erase(tenant: string, name: string, limit: number): Promise<number>;
  /**
   * The same for documents of a platform collection whose `field` is `value`. `first` is done before they go, with their
   * ids; where it fails, or the process ends after it, they are still there and it is done again.
   */
  eraseWhere(
    name: string,
    field: string,
    value: string,
    limit: number,
    first?: (ids: readonly string[]) => Promise<void>,
  ): Promise<number>;
  /** Fails with `unavailable` when the store does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** What every adapter takes. */
export interface DatabaseOptions {
  readonly now?: () => number;
  /** Called after a commit with its events, which are also in the outbox collection. It must not throw. */
  readonly onCommitted?: (events: readonly DomainEvent[]) => Promise<void>;
  /** Called for a stored document that does not parse, with its path but never its content. */
  readonly onInvalid?: (path: string, issues: readonly string[]) => void;
}
