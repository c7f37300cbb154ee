import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unzipTo, zipFolder } from './lib/archive.ts';
import { root } from './lib/functions.ts';
import { packageFunction, sha256 } from './lib/package-function.ts';
import { lockOf } from './lib/package-lock.ts';

const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-package-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

const folderWith = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
};

describe('a package', () => {
  it('is the same, byte for byte, whenever its files were made, in whatever order', async () => {
    const one = await folderWith({ 'index.cjs': 'a', 'chunks/b.mjs': 'b' });
    const other = await folderWith({ 'chunks/b.mjs': 'b', 'index.cjs': 'a' });
    await utimes(join(other, 'index.cjs'), 1, 1);
    expect(sha256(await zipFolder(other))).toBe(sha256(await zipFolder(one)));
  });

  it('holds neither the compile cache nor installed packages, and unpacks to what it was', async () => {
    const files = { 'index.cjs': 'a', 'chunks/b.mjs': 'b', '.compile-cache/x': 'x', 'node_modules/y/z.js': 'z' };
    const folder = await temporaryFolder();
    await unzipTo(await zipFolder(await folderWith(files)), folder);
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['chunks', 'chunks/b.mjs', 'index.cjs']);
    expect(await readFile(join(folder, 'chunks/b.mjs'), 'utf8')).toBe('b');
  });

  it('is named by its hash, and has a Dockerfile where it runs as a service', async () => {
    const [folder, packages] = [await folderWith({ 'index.cjs': 'a' }), await temporaryFolder()];
    const entry = { name: 'things', kind: 'service' as const, packageBudget: 1 };
    const { file, sha256: digest } = await packageFunction(entry, folder, packages);
    expect(file).toBe(`things-${digest.slice(0, 16)}.zip`);
    expect(sha256(await readFile(join(packages, file)))).toBe(digest);
    const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8');
    expect(dockerfile).toContain('ENV FUNCTION_TARGET=things\n');
    expect(dockerfile).toContain('RUN npm run gcp-build');
  });

  it('is refused beyond its budget', async () => {
    const folder = await folderWith({ 'index.cjs': 'a' });
    const entry = { name: 'things', kind: 'function' as const, packageBudget: 0.0001 };
    const packaging = packageFunction(entry, folder, await temporaryFolder());
    await expect(packaging).rejects.toThrow('The package of things has 0.00 MiB and may have 0.0001.');
  });
});

describe('its lock file', () => {
  const lock = (packages: Record<string, unknown>): string => JSON.stringify({ lockfileVersion: 3, packages });

  it('is the part of the repository’s that its dependencies lead to, with the copies that Node would find', () => {
    const repository = lock({
      '': { name: 'omni' },
      'node_modules/a': { version: '1.0.0', dependencies: { b: '^2.0.0', c: '^1.0.0' }, dev: true },
      'node_modules/a/node_modules/b': { version: '2.0.0', dependencies: { c: '^1.0.0' } },
      'node_modules/b': { version: '1.0.0' },
      'node_modules/c': { version: '1.5.0', optionalDependencies: { absent: '1.0.0' } },
      'node_modules/unrelated': { version: '9.0.0' },
    });
    const { packages } = JSON.parse(lockOf('omni-x', { a: '1.0.0' }, { node: '24' }, repository));
    expect(Object.keys(packages)).toEqual(['', 'node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/c']);
    expect(packages['node_modules/a']).not.toHaveProperty('dev');
    expect(packages['']).toEqual({ name: 'omni-x', dependencies: { a: '1.0.0' }, engines: { node: '24' } });
  });

  it('is refused where the repository has another version, or lacks what a package needs', () => {
    const repository = lock({ 'node_modules/a': { version: '1.0.0', dependencies: { b: '1' } } });
    expect(() => lockOf('x', { a: '2.0.0' }, {}, repository)).toThrow('has a 1.0.0, and x wants 2.0.0');
    expect(() => lockOf('x', { a: '1.0.0' }, {}, repository)).toThrow('does not have b, which node_modules/a needs');
  });

  it('holds the binaries of every platform, so that the cloud’s is among them', async () => {
    const repository = await readFile(join(root, 'package-lock.json'), 'utf8');
    const { packages } = JSON.parse(repository);
    const { version } = packages['node_modules/@node-rs/argon2'];
    const text = lockOf('x', { '@node-rs/argon2': version }, {}, repository);
    expect(text).toContain('"node_modules/@node-rs/argon2-linux-x64-gnu"');
    expect(text).not.toContain('"resolved"');
  });
});
