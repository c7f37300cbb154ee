import { type BlobStore, type SignedUrlOptions, uploadHeaders } from '../../blobs/blobs.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Quotas } from '../../platform/index.ts';
import { retrying } from '../../store/retrying.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import { ownFile } from './own-file.ts';
import type { StoredFile, StoredFileView } from './stored-file.schema.ts';

export interface SignedUrl {
  readonly url: string;
  readonly expiresAt: string;
  /** What an upload has to carry, letter by letter. */
  readonly headers: Readonly<Record<string, string>>;
}

export type NewSignedUrl =
  | { readonly action: 'read'; readonly expiresIn: number }
  | (Required<Omit<SignedUrlOptions, 'action'>> & { readonly action: 'write' });

export interface SignedUrlService {
  /**
   * A URL to one file of the tenant. One to write takes room for it in the plan, in one transaction, and takes no
   * longer upload. Fails with `not-found` where there is none to read, `invalid-request`, and with
   * `precondition-failed` where the plan has no room.
   */
  sign(actor: Actor, file: string, options: NewSignedUrl): Promise<SignedUrl>;
  /** What counts for the plan. */
  list(actor: Actor, request: PageRequest): Promise<Page<StoredFileView>>;
  /**
   * Deletes a file and gives its room back. Fails with `not-found`, and with `precondition-failed` while a URL that was
   * made to write it may still be used: it would come back, and count for nothing.
   */
  remove(actor: Actor, id: string): Promise<void>;
}

export interface SignedUrlServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly files: TenantStore<StoredFile>;
  readonly blobs: Pick<BlobStore, 'of'>;
  readonly quotas: Pick<Quotas, 'bytes'>;
  readonly clock: Clock;
}

/** Milliseconds that an upload may take which began while its URL was good. */
const uploadTime = 3_600_000;
const maxAttempts = 40;

const later = (a: string, b: string): string => (a > b ? a : b);

export const createSignedUrlService = (options: SignedUrlServiceOptions): SignedUrlService => {
  const { database, files, blobs, quotas, clock } = options;

  /**
   * What is taken stays taken until the file is removed: the file that is there may be as long as any of its URLs let
   * it.
   */
  const takeRoom = (tenant: string, file: string, maxBytes: number, writableUntil: string): Promise<void> =>
    retrying(maxAttempts, async () => {
      const store = files.of(tenant);
      const id = derivedId('fil', tenant, file);
      const there = await store.get(id);
      const before = there?.value ?? { file, bytes: 0, writableUntil, createdAt: isoTime(clock.now()) };
      const bytes = Math.max(before.bytes, maxBytes);
      const until = later(before.writableUntil, writableUntil);
      if (there !== undefined && bytes === before.bytes && until === before.writableUntil) return;
      const take = await quotas.bytes(tenant, bytes - before.bytes).catch(async (error: unknown) => {
        // Perhaps it was another URL to this very file that has taken the room meanwhile.
        const same = (await store.get(id))?.revision === there?.revision;
        throw same ? error : new OmniError('revision-conflict', 'The file was changed meanwhile.');
      });
      const value: StoredFile = { ...before, bytes, writableUntil: until };
      await database
        .transaction((transaction) => {
          if (there === undefined) transaction.create(store, id, value);
          else transaction.update(store, id, value, { revision: there.revision });
          take(transaction);
        })
        .catch((error: unknown) => {
          const lost = isOmniError(error, 'already-exists') || isOmniError(error, 'not-found');
          throw lost ? new OmniError('revision-conflict', 'The file was changed meanwhile.') : error;
        });
    });

  return {
    sign: async ({ tenant }, file, wanted) => {
      const own = blobs.of(tenant);
      const key = ownFile(file);
      const expiresAt = isoTime(clock.now() + wanted.expiresIn * 1_000);
      if (wanted.action === 'write') {
        await takeRoom(tenant, file, wanted.maxBytes, expiresAt);
        return { url: await own.signedUrl(key, wanted), expiresAt, headers: uploadHeaders(wanted) };
      }
      if ((await own.info(key)) === undefined) throw new OmniError('not-found', 'There is no such file.');
      return { url: await own.signedUrl(key, wanted), expiresAt, headers: {} };
    },
    list: async ({ tenant }, request) => {
      const page = await files.of(tenant).query(request);
      return { ...page, items: page.items.map(({ id, value }) => ({ id, ...value })) };
    },
    remove: async ({ tenant }, id) => {
      const store = files.of(tenant);
      const found = await store.get(id);
      if (found === undefined) throw new OmniError('not-found', 'There is no such file.');
      const { file, writableUntil } = found.value;
      if (Date.parse(writableUntil) + uploadTime > clock.now()) {
        throw new OmniError(
          'precondition-failed',
          `It may still be written, by a URL that is good until ${writableUntil}.`,
        );
      }
      await blobs.of(tenant).delete(ownFile(file));
      // Whoever has taken the room again meanwhile keeps it.
      await store.delete(id, { revision: found.revision });
    },
  };
};
