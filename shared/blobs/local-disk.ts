import { randomBytes, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { access, constants, type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';
import { type Clock, isoTime, systemClock } from '../kernel/clock.ts';
import { isOmniError, OmniError } from '../kernel/errors.ts';
import { sha256 } from '../kernel/json.ts';
import { decodeCursor, encodeCursor } from '../kernel/page.ts';
import { type BlobBody, bytesOf, resolveRange } from './blob-body.ts';
import { checkKey, checkList, checkPut, checkSignedUrl, checkTenant } from './blob-key.ts';
import type { BlobInfo, BlobStore, Blobs, PutOptions } from './blobs.ts';
import { signRequest } from './local-disk.http.ts';

export { type SignedUrlHandlerOptions, signedUrlHandler } from './local-disk.http.ts';

/**
 * Blobs in a folder, for development and tests; safe for several processes without locks. A blob is a folder, and each
 * of its generations a file in it, named by its number: the highest is current, an empty one says that the blob was
 * deleted. A write fills a temporary file and then links it under the next number. That fails when the number is taken,
 * so of several writers over one generation exactly one wins, and a crash at any time leaves the old blob or the new.
 */
export interface LocalDiskOptions {
  readonly root: string;
  /** Where `signedUrlHandler` is mounted: `http://127.0.0.1:8080/blobs`. */
  readonly baseUrl: string;
  readonly signingKey: string;
  readonly clock?: Clock;
}

const temporaryFolder = '.tmp';
const abandonedAfter = 60 * 60 * 1_000;
const readsAtOnce = 32;

/** A file is the length of the header (4 bytes, big endian), the header as JSON, and the blob's bytes. */
const headerSchema = z.object({
  key: z.string(),
  contentType: z.string(),
  etag: z.string(),
  updatedAt: z.string(),
  metadata: z.record(z.string(), z.string()),
});
type Header = z.infer<typeof headerSchema>;

const lengthBytes = 4;
const maxHeaderBytes = 64 * 1024;

const encodeHeader = (header: Header): Buffer => {
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json]);
};

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

const unlessAbsent = async <T, F>(work: Promise<T>, fallback: F): Promise<T | F> => {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return fallback;
    throw error;
  }
};

/** Whatever else the disk says (full, read-only, too many open files) is `unavailable`. */
const onDisk = async <T>(work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (error) {
    if (isOmniError(error)) throw error;
    throw new OmniError('unavailable', 'The blob store does not answer.', { cause: error });
  }
};

/** The number of the newest generation, deleted or not; 0 where there never was one. */
interface Version {
  readonly number: number;
  readonly present: boolean;
}

const currentVersion = async (folder: string): Promise<Version> => {
  for (;;) {
    const names = await unlessAbsent(readdir(folder), []);
    const number = Math.max(0, ...names.map(Number));
    if (number === 0) return { number, present: false };
    const file = await unlessAbsent(stat(join(folder, String(number))), undefined);
    // A newer generation has just replaced it: look again.
    if (file !== undefined) return { number, present: file.size > 0 };
  }
};

const removeOlder = async (folder: string, number: number): Promise<void> => {
  for (const name of await readdir(folder)) {
    if (Number(name) < number) await rm(join(folder, name), { force: true });
  }
};

const readInfo = async (file: FileHandle, generation: number): Promise<{ info: BlobInfo; offset: number }> => {
  const { size } = await file.stat();
  const length = Buffer.alloc(lengthBytes);
  await file.read(length, 0, lengthBytes, 0);
  if (length.readUInt32BE() > maxHeaderBytes) throw new RangeError('The header is too long.');
  const json = Buffer.alloc(length.readUInt32BE());
  await file.read(json, 0, json.length, lengthBytes);
  const offset = lengthBytes + json.length;
  const header = headerSchema.parse(JSON.parse(json.toString()));
  return { info: { ...header, size: size - offset, generation: String(generation) }, offset };
};

/** Opens the newest generation; undefined where the blob is absent. The caller closes it. */
const openCurrent = async (folder: string) => {
  for (;;) {
    const { number, present } = await currentVersion(folder);
    if (!present) return undefined;
    const file = await unlessAbsent(open(join(folder, String(number))), undefined);
    if (file === undefined) continue;
    try {
      return { file, ...(await readInfo(file, number)) };
    } catch (error) {
      await file.close();
      throw new OmniError('stored-data-invalid', 'A stored blob is damaged.', { cause: error });
    }
  }
};

const infoAt = async (folder: string): Promise<BlobInfo | undefined> => {
  const opened = await openCurrent(folder);
  await opened?.file.close();
  return opened?.info;
};

const preconditionFailed = (): OmniError =>
  new OmniError('precondition-failed', 'The blob has changed since it was read.');

const requireVersion = ({ number, present }: Version, expected: string | undefined): void => {
  if (expected === undefined) return;
  const holds = expected === 'absent' ? !present : present && expected === String(number);
  if (!holds) throw preconditionFailed();
};

/** Makes the next generation with `make`, which fails with EEXIST where another writer was faster. */
const commit = async (
  folder: string,
  before: Version,
  conditional: boolean,
  make: (path: string) => Promise<unknown>,
): Promise<number> => {
  for (let { number } = before; ; ) {
    number += 1;
    try {
      await make(join(folder, String(number)));
      await removeOlder(folder, number);
      return number;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      if (conditional) throw preconditionFailed();
      ({ number } = await currentVersion(folder));
    }
  }
};

/** What processes that were killed in the middle of a write left behind. */
const removeAbandoned = async (folder: string, now: number): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const file = await unlessAbsent(stat(path), undefined);
    if (file !== undefined && file.mtimeMs < now - abandonedAfter) await rm(path, { force: true });
  }
};

export const createLocalDiskBlobs = (options: LocalDiskOptions): BlobStore => {
  const { root, baseUrl, signingKey, clock = systemClock } = options;
  const temporary = join(root, temporaryFolder);

  let preparing: Promise<void> | undefined;
  const prepare = async (): Promise<void> => {
    await mkdir(temporary, { recursive: true });
    await removeAbandoned(temporary, Date.now());
  };

  const put = async (folder: string, key: string, body: BlobBody, options: PutOptions): Promise<BlobInfo> => {
    preparing ??= prepare();
    await preparing;
    const before = await currentVersion(folder);
    requireVersion(before, options.ifGeneration);
    const header: Header = {
      key,
      contentType: options.contentType,
      etag: randomBytes(12).toString('base64url'),
      updatedAt: isoTime(clock.now()),
      metadata: { ...options.metadata },
    };
    const path = join(temporary, randomUUID());
    try {
      await pipeline(
        async function* () {
          yield encodeHeader(header);
          yield* bytesOf(body, options.maxBytes);
        },
        createWriteStream(path, { flags: 'wx', flush: true }),
      );
      await mkdir(folder, { recursive: true });
      const size = (await stat(path)).size - encodeHeader(header).length;
      const number = await commit(folder, before, options.ifGeneration !== undefined, (target) => link(path, target));
      return { ...header, size, generation: String(number) };
    } finally {
      await rm(path, { force: true });
    }
  };

  const remove = async (folder: string, expected: string | undefined): Promise<void> => {
    const before = await currentVersion(folder);
    requireVersion(before, expected);
    if (!before.present) return;
    await commit(folder, before, expected !== undefined, async (path) => (await open(path, 'wx')).close());
  };

  const list = async (tenantFolder: string, prefix: string, after: string): Promise<BlobInfo[]> => {
    const folders = await unlessAbsent(readdir(tenantFolder), []);
    const found: BlobInfo[] = [];
    for (let i = 0; i < folders.length; i += readsAtOnce) {
      const batch = folders.slice(i, i + readsAtOnce).map((name) => infoAt(join(tenantFolder, name)));
      for (const info of await Promise.all(batch)) {
        if (info?.key.startsWith(prefix) && info.key > after) found.push(info);
      }
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  };

  const blobsOf = (tenant: string): Blobs => {
    checkTenant(tenant);
    const tenantFolder = join(root, tenant);
    // A hash, because keys may be longer than a file name and differ only in case.
    const folderOf = (key: string): string => join(tenantFolder, sha256(key));
    return {
      put: async (key, body, options) => {
        checkPut(key, options);
        return onDisk(put(folderOf(key), key, body, options));
      },
      read: async (key, range) => {
        checkKey(key);
        const opened = await onDisk(openCurrent(folderOf(key)));
        if (opened === undefined) throw new OmniError('not-found', 'There is no such blob.');
        const { file, info, offset } = opened;
        try {
          const { start, end } =
            range === undefined ? { start: 0, end: info.size - 1 } : resolveRange(info.size, range);
          if (end < start) {
            await file.close();
            return { info, body: Readable.from([]) };
          }
          return { info, body: file.createReadStream({ start: offset + start, end: offset + end }) };
        } catch (error) {
          await file.close();
          throw error;
        }
      },
      info: async (key) => {
        checkKey(key);
        return onDisk(infoAt(folderOf(key)));
      },
      delete: async (key, expected) => {
        checkKey(key);
        await onDisk(remove(folderOf(key), expected?.generation));
      },
      list: async ({ prefix = '', limit, cursor }) => {
        checkList(prefix, limit);
        const after = cursor === undefined ? '' : decodeCursor(cursor)[1];
        const items = await onDisk(list(tenantFolder, prefix, after));
        const page = items.slice(0, limit);
        const last = page.at(-1);
        return { items: page, nextCursor: items.length > limit && last ? encodeCursor([null, last.key]) : null };
      },
      signedUrl: async (key, options) => {
        checkSignedUrl(key, options);
        const { action, expiresIn, contentType = '', maxBytes } = options;
        const expires = Math.floor(clock.now() / 1_000) + expiresIn;
        const method = action === 'read' ? 'GET' : 'PUT';
        const most = maxBytes === undefined ? '' : String(maxBytes);
        const signature = signRequest(signingKey, { method, tenant, key, expires, contentType, most });
        const query = new URLSearchParams({ expires: String(expires), contentType, most, signature });
        return `${baseUrl}/${tenant}/${key}?${query}`;
      },
    };
  };

  return {
    of: blobsOf,
    ping: async () => {
      await onDisk(mkdir(root, { recursive: true }));
      await onDisk(access(root, constants.R_OK | constants.W_OK));
    },
  };
};
