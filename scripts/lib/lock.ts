import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface Lock {
  /** The process that left its lock behind, where there was one. */
  readonly stale: number | undefined;
  release(): Promise<void>;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There is one, of somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
};

/** Undefined where there is no lock. */
const ownerOf = async (path: string): Promise<number | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number.parseInt(text, 10) || 0;
};

/** Keeps a second starter from the same files. Fails with one line that says what to do while its owner lives. */
export const takeLock = async (path: string): Promise<Lock> => {
  await mkdir(dirname(path), { recursive: true });
  const owner = await ownerOf(path);
  if (owner !== undefined && owner > 0 && isAlive(owner)) {
    throw new Error(
      `Omni runs already, as process ${owner}. End it with: kill ${owner} (if that is something else, remove ${path}).`,
    );
  }
  if (owner !== undefined) await rm(path, { force: true });
  await writeFile(path, `${process.pid}\n`, { flag: 'wx' });
  return { stale: owner, release: () => rm(path, { force: true }) };
};
