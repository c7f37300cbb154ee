import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { manualClock } from '../kernel/clock.ts';
import { blobsContract } from './blobs.contract.ts';
import type { BlobStore } from './blobs.ts';
import { createLocalDiskBlobs, signedUrlHandler } from './local-disk.ts';

const signingKey = 'a-key-for-tests';

const startLocalDisk = async (clock = manualClock()) => {
  const root = await mkdtemp(join(tmpdir(), 'omni-blobs-'));
  let handle: ReturnType<typeof signedUrlHandler> | undefined;
  const server = createServer(async (request, response) => {
    if (!(await handle?.(request, response))) response.writeHead(418).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const origin = `http://127.0.0.1:${port}`;
  const blobs: BlobStore = createLocalDiskBlobs({ root, baseUrl: `${origin}/blobs`, signingKey, clock });
  handle = signedUrlHandler({ blobs, signingKey, path: '/blobs', clock, maxBytes: 1_000 });
  return {
    blobs,
    root,
    origin,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(root, { recursive: true, force: true });
    },
  };
};

blobsContract('local disk', { preconditions: true, signedUrls: true, streams: true }, startLocalDisk);

describe('local disk', () => {
  const cleanups: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });
  const start = async (clock = manualClock()) => {
    const started = await startLocalDisk(clock);
    cleanups.push(started.stop);
    return started;
  };
  const plain = { contentType: 'text/plain' };

  it('leaves the old blob whole when the process is killed in the middle of a write', async () => {
    const { blobs, root } = await start();
    await blobs.of('acme').put('k', 'old', plain);
    const script = `
      import { Readable } from 'node:stream';
      import { createLocalDiskBlobs } from ${JSON.stringify(import.meta.resolve('./local-disk.ts'))};
      const blobs = createLocalDiskBlobs({ root: ${JSON.stringify(root)}, baseUrl: '', signingKey: 'x' });
      const body = async function* () {
        for (let i = 0; i < 64; i += 1) yield Buffer.alloc(100_000);
        process.stdout.write('half way');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      };
      await blobs.of('acme').put('k', Readable.from(body()), { contentType: 'text/plain' });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await text((await blobs.of('acme').read('k')).body)).toBe('old');
    expect((await blobs.of('acme').list({ limit: 10 })).items).toHaveLength(1);

    // What the dead process left lies outside the blobs, and goes when it is an hour old.
    const [left = ''] = await readdir(join(root, '.tmp'));
    const path = join(root, '.tmp', left);
    const old = new Date(Date.now() - 2 * 60 * 60 * 1_000);
    await utimes(path, old, old);
    await writeFile(join(root, '.tmp', 'young'), '');
    await createLocalDiskBlobs({ root, baseUrl: '', signingKey }).of('acme').put('k', 'new', plain);
    expect(await readdir(join(root, '.tmp'))).toEqual(['young']);
  });

  it('keeps one file for a blob, however often it is written', async () => {
    const { blobs, root } = await start();
    for (let i = 0; i < 5; i += 1) await blobs.of('acme').put('k', `${i}`, plain);
    const [folder = ''] = await readdir(join(root, 'acme'));
    expect(await readdir(join(root, 'acme', folder))).toEqual(['5']);
  });

  it('has one winner over several instances on one folder', async () => {
    const { blobs, root } = await start();
    const stores = Array.from({ length: 5 }, () => createLocalDiskBlobs({ root, baseUrl: '', signingKey }));
    const { generation } = await blobs.of('acme').put('k', 'old', plain);
    const puts = stores.map((store) => store.of('acme').put('k', 'new', { ...plain, ifGeneration: generation }));
    const outcomes = await Promise.allSettled(puts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('says that a damaged blob is damaged', async () => {
    const { blobs, root } = await start();
    await blobs.of('acme').put('k', 'x', plain);
    const [folder = ''] = await readdir(join(root, 'acme'));
    await writeFile(join(root, 'acme', folder, '1'), 'garbage that is no header');
    await expect(blobs.of('acme').read('k')).rejects.toMatchObject({ code: 'stored-data-invalid' });
  });

  it('is unavailable where its folder cannot be made', async () => {
    const { root } = await start();
    await writeFile(join(root, 'file'), '');
    const store = createLocalDiskBlobs({ root: join(root, 'file'), baseUrl: '', signingKey });
    await expect(store.ping()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.of('acme').put('k', 'x', plain)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('lets a signed URL expire', async () => {
    const clock = manualClock();
    const { blobs } = await start(clock);
    await blobs.of('acme').put('k', 'x', plain);
    const url = await blobs.of('acme').signedUrl('k', { action: 'read', expiresIn: 60 });
    clock.advance(59_000);
    expect((await fetch(url)).status).toBe(200);
    clock.advance(1_000);
    expect((await fetch(url)).status).toBe(403);
  });

  it('bounds uploads by signed URL', async () => {
    const { blobs } = await start();
    const url = await blobs.of('acme').signedUrl('k', { action: 'write', expiresIn: 60 });
    expect((await fetch(url, { method: 'PUT', body: 'x'.repeat(1_001) })).status).toBe(413);
    expect((await fetch(url, { method: 'PUT', body: 'x'.repeat(1_000) })).status).toBe(200);
  });

  it.each([
    ['bytes=-3', 206, '789'],
    ['bytes=-0', 416, ''],
    ['bytes=8-100', 206, '89'],
    ['bytes=5-2', 200, '0123456789'],
    ['bytes=0-1,3-4', 200, '0123456789'],
    ['lines=1-2', 200, '0123456789'],
  ])('understands the range %s as HTTP does', async (range, status, expected) => {
    const { blobs } = await start();
    await blobs.of('acme').put('k', '0123456789', plain);
    const url = await blobs.of('acme').signedUrl('k', { action: 'read', expiresIn: 60 });
    const response = await fetch(url, { headers: { range } });
    expect([response.status, await response.text()]).toEqual([status, expected]);
  });

  it('leaves other paths to others, and refuses what nobody signed', async () => {
    const { origin } = await start();
    expect((await fetch(`${origin}/other`)).status).toBe(418);
    expect((await fetch(`${origin}//`)).status).toBe(418);
    for (const path of ['/blobs/acme/k', '/blobs/', '/blobs/acme/..%2f..%2fk?signature=x&expires=9999999999'])
      expect((await fetch(origin + path)).status).toBe(403);
  });
});
