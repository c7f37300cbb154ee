import { glob, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { unzipSync, type Zippable, zipSync } from 'fflate';

/** The earliest time that a zip can say, so that none is said of when it was made. */
const epoch = new Date(1980, 0, 1);

/**
 * A folder as a zip: the same files give the same bytes, wherever and whenever. Dot files stay out, such as the compile
 * cache, whose bytes differ from run to run and which only the Node that wrote it can read.
 */
export const zipFolder = async (folder: string): Promise<Uint8Array> => {
  const paths: string[] = [];
  for await (const path of glob('**/*', { cwd: folder, exclude: (name) => name.startsWith('.') })) {
    if (!path.split('/').includes('node_modules') && (await stat(join(folder, path))).isFile()) paths.push(path);
  }
  const content: Zippable = {};
  for (const path of paths.sort()) content[path] = [await readFile(join(folder, path)), { mtime: epoch, level: 9 }];
  return zipSync(content);
};

/** Unpacks into a folder. A path that leads out of it is refused. */
export const unzipTo = async (archive: Uint8Array, folder: string): Promise<void> => {
  for (const [path, bytes] of Object.entries(unzipSync(archive))) {
    if (normalize(path).startsWith('..')) throw new Error(`The archive would write to ${path}.`);
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
};
