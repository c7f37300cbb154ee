import { generateKeyPairSync } from 'node:crypto';
import { Readable } from 'node:stream';
import { GoogleAuth } from 'google-auth-library';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CloudStorageServer, startCloudStorageServer } from '#tests/support/cloud-storage-server.ts';
import { startStorageEmulator } from '#tests/support/storage-emulator.ts';
import { blobsContract } from './blobs.contract.ts';
import { createCloudStorageBlobs } from './cloud-storage.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const quiet = vi.spyOn(console, 'warn').mockReturnValue(undefined);
// The library advises against keys from outside; this one was made above.
const auth = new GoogleAuth({
  credentials: { client_email: 'ai@demo-omni.iam.gserviceaccount.com', private_key: privateKey },
});
quiet.mockRestore();
const base = { bucket: 'demo-omni-blobs', projectId: 'demo-omni', auth };

// Firebase's emulator ignores generations, verifies no signature and holds whole blobs in this process.
blobsContract(
  'Cloud Storage (emulator of firebase-tools)',
  { preconditions: false, signedUrls: false, streams: false },
  async () => {
    const { endpoint, stop } = await startStorageEmulator();
    return { blobs: createCloudStorageBlobs({ ...base, endpoint }), stop };
  },
);

blobsContract('Cloud Storage (JSON API)', { preconditions: true, signedUrls: true, streams: true }, async () => {
  const { endpoint, stop } = await startCloudStorageServer(publicKey);
  return { blobs: createCloudStorageBlobs({ ...base, endpoint }), stop };
});

describe('Cloud Storage', () => {
  let server: CloudStorageServer;
  beforeAll(async () => {
    server = await startCloudStorageServer(publicKey);
  });
  afterAll(() => server.stop());
  const blobsOf = (options: { maxRetries?: number; timeout?: number; idleTimeout?: number } = {}) =>
    createCloudStorageBlobs({ ...base, endpoint: server.endpoint, ...options }).of('acme');
  const plain = { contentType: 'text/plain' };
  const during = async (work: () => Promise<unknown>): Promise<string[]> => {
    const before = server.requests.length;
    await work();
    return server.requests.slice(before).map((request) => request.replace(/upload_id=[^&]+/, 'upload_id=…'));
  };

  it('keeps a blob under its tenant', async () => {
    await blobsOf().put('a/b.txt', 'x', plain);
    expect(server.names()).toContain('demo-omni-blobs/tenants/acme/a/b.txt');
  });

  it('sends what is small and known in one request, and all else in a resumable session', async () => {
    const blobs = blobsOf();
    const small = await during(() => blobs.put('k', 'x', plain));
    expect(small).toEqual([expect.stringContaining('uploadType=multipart')]);
    const large = await during(() => blobs.put('k', Buffer.alloc(6 * 1024 * 1024), plain));
    expect(large).toEqual([
      expect.stringContaining('uploadType=resumable'),
      expect.stringMatching(/^PUT .*upload_id=…/),
    ]);
    const stream = await during(() => blobs.put('k', Readable.from(['x']), plain));
    expect(stream).toHaveLength(2);
  });

  it('sends generations as preconditions', async () => {
    const blobs = blobsOf();
    const requests = await during(async () => {
      const { generation } = await blobs.put('fresh', 'x', { ...plain, ifGeneration: 'absent' });
      await blobs.delete('fresh', { generation });
    });
    expect(requests[0]).toContain('ifGenerationMatch=0');
    expect(requests[1]).toMatch(/^DELETE .*ifGenerationMatch=\d{16}/);
  });

  it('reads again when it is overloaded for a moment', async () => {
    const blobs = blobsOf({ maxRetries: 3 });
    await blobs.put('k', 'x', plain);
    server.fail(503);
    expect(await blobs.info('k')).toMatchObject({ size: 1 });
  });

  it.each([
    [404, 'not-found'],
    [412, 'precondition-failed'],
    [416, 'range-not-satisfiable'],
    [403, 'internal'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('tells status %d as %s', async (status, code) => {
    server.fail(status);
    await expect(blobsOf({ maxRetries: 0 }).put('k', 'x', plain)).rejects.toMatchObject({ code });
  });

  it('keeps sockets, headers and bodies out of the error', async () => {
    server.fail(500);
    const error: unknown = await blobsOf({ maxRetries: 0 })
      .put('k', 'x', plain)
      .catch((reason: unknown) => reason);
    expect(error instanceof Error && Object.keys(Object(error.cause))).toEqual([]);
  });

  it('gives up on a store that does not answer', async () => {
    server.fail('stall', 'stall', 'stall');
    const blobs = blobsOf({ maxRetries: 0, timeout: 100, idleTimeout: 100 });
    for (const call of [() => blobs.info('k'), () => blobs.put('k', 'x', plain), () => blobs.list({ limit: 1 })])
      await expect(call()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('is unavailable where nothing listens', async () => {
    const gone = await startCloudStorageServer();
    await gone.stop();
    const store = createCloudStorageBlobs({ ...base, endpoint: gone.endpoint, maxRetries: 0 });
    await expect(store.ping()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('signs URLs for the public endpoint of Cloud Storage', async () => {
    const blobs = createCloudStorageBlobs(base).of('acme');
    const url = new URL(await blobs.signedUrl('a/b.txt', { action: 'read', expiresIn: 3_600 }));
    expect(url.origin + url.pathname).toBe('https://storage.googleapis.com/demo-omni-blobs/tenants/acme/a/b.txt');
    expect(url.searchParams.get('X-Goog-Expires')).toBe('3600');
  });
});
