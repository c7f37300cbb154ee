/**
 * The master key, which never leaves its keeper: it only wraps the keys of tenants, which wrap nothing but data
 * (https://cloud.google.com/kms/docs/envelope-encryption). Errors: `unavailable` when the keeper does not answer,
 * `internal` when it refuses the call.
 */
export interface KeyManagement {
  /** Encrypts a key of at most 64 KiB. It is bound to the context, a text that says whose key it is. */
  wrap(key: Uint8Array, context: string): Promise<string>;
  /** Fails with `stored-data-invalid` for anything that `wrap` did not give for this context. */
  unwrap(wrapped: string, context: string): Promise<Uint8Array>;
  close(): Promise<void>;
}
