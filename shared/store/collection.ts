import type * as z from 'zod';

export type SortOrder = 'asc' | 'desc';

/** A composite index that a query of this collection needs in production (the emulator demands none). */
export interface IndexDefinition {
  readonly fields: readonly { readonly field: string; readonly order: SortOrder | 'contains' }[];
}

export interface VectorDefinition {
  readonly field: string;
  readonly dimension: number;
}

/** Of a union, the fields of each of its kinds. */
type FieldOf<T> = T extends object ? keyof T & string : never;

/** What a domain says of one kind of document. Everything is declared here once; adapters and manifest read it. */
export interface CollectionDefinition<T extends object> {
  /** The last part of the path, in camelCase: `tenants/{tenant}/{name}/{id}`. */
  readonly name: string;
  /** Every document is parsed by it on the way in and out, so an unknown stored field never gets further than the store. */
  readonly schema: z.ZodType<T>;
  /** A field with an ISO 8601 time. From then on the document is gone for every read, whenever it is really deleted. */
  readonly ttl?: keyof T & string;
  readonly vector?: VectorDefinition;
  readonly indexes?: readonly IndexDefinition[];
  /** Fields that no query names, such as long text: each would cost index entries with every write. */
  readonly unindexed?: readonly FieldOf<T>[];
}

export interface TenantCollection<T extends object> extends CollectionDefinition<T> {
  readonly scope: 'tenant';
}

/** A collection at the root, shared by all tenants: an explicit and rare type. */
export interface PlatformCollection<T extends object> extends CollectionDefinition<T> {
  readonly scope: 'platform';
}

/** Any collection, for registries that only read names, indexes, time-to-live and encrypted fields. */
export interface AnyCollection {
  readonly name: string;
  readonly schema?: z.ZodType;
  readonly scope: 'tenant' | 'platform';
  readonly ttl?: string;
  readonly vector?: VectorDefinition;
  readonly indexes?: readonly IndexDefinition[];
  readonly unindexed?: readonly string[];
}

export const tenantCollection = <T extends object>(definition: CollectionDefinition<T>): TenantCollection<T> => ({
  ...definition,
  scope: 'tenant',
});

export const platformCollection = <T extends object>(definition: CollectionDefinition<T>): PlatformCollection<T> => ({
  ...definition,
  scope: 'platform',
});
