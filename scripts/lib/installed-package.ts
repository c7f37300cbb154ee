import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { unzipTo } from './archive.ts';
import { sha256 } from './package-function.ts';

const lockSchema = z.object({
  packages: z.record(z.string(), z.looseObject({ dependencies: z.unknown().optional() })),
});

/** Where installed packages are kept: outside the repository, whose node_modules Node would find otherwise. */
export const packageCache = (): string => join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'omni');

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const run = async (directory: string, command: string, ...args: readonly string[]): Promise<void> => {
  try {
    // The Node that runs this, as the package is for the one that production has.
    const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
    await promisify(execFile)(command, args, { cwd: directory, env: { ...process.env, PATH: path } });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().slice(-2_000) : '';
    throw new Error(`${command} ${args.join(' ')} fails for ${directory}: ${said}`, { cause: error });
  }
};

/** Makes a folder whole or not at all: what a run leaves half done under another name, no other takes for it. */
const madeOnce = async (place: string, make: (at: string) => Promise<void>): Promise<string> => {
  if (await isThere(place)) return place;
  await mkdir(join(place, '..'), { recursive: true });
  const draft = await mkdtemp(`${place}.`);
  try {
    await make(draft);
    await rename(draft, place);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another run was faster.
    if (!(await isThere(place))) throw error;
  }
  return place;
};

/** Names what is installed, whoever it is for: functions that need the same share it. */
const contentOf = (lock: string): string => {
  const { packages } = lockSchema.parse(JSON.parse(lock));
  return sha256(JSON.stringify({ ...packages, '': packages['']?.dependencies })).slice(0, 16);
};

/** What a lock file names, and nothing else, from the registry or npm's cache. */
const installLocked = async (from: string, cache: string): Promise<string> => {
  const files = ['package.json', 'package-lock.json'];
  const texts = await Promise.all(files.map((file) => readFile(join(from, file), 'utf8')));
  const place = join(cache, 'installed', contentOf(texts[1] ?? ''));
  return madeOnce(place, async (at) => {
    for (const file of files) await symlink(join(from, file), join(at, file));
    await run(at, 'npm', 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
    for (const file of files) await rm(join(at, file));
  });
};

/**
 * Does with a package what the cloud's build does with it: unpacks it, installs its own lock file's packages, and runs
 * its `gcp-build`. Returns the folder, which is kept for the next time.
 */
export const installPackage = async (archive: string, cache: string): Promise<string> => {
  const place = join(cache, 'functions', basename(archive, '.zip'));
  return madeOnce(place, async (at) => {
    await unzipTo(await readFile(archive), at);
    const installed = await installLocked(at, cache);
    await symlink(join(installed, 'node_modules'), join(at, 'node_modules'));
    await run(at, 'npm', 'run', 'gcp-build');
  });
};
