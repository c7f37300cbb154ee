import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zipFolder } from './archive.ts';
import { root } from './functions.ts';
import type { ManifestFunction } from './manifest.ts';

export interface PackageReport {
  /** Named by its hash. */
  readonly file: string;
  /** SHA-256 of the zip. */
  readonly sha256: string;
  /** Of the zip. */
  readonly bytes: number;
}

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

const mebibyte = 1024 * 1024;

/** The build of a service's container, beside what it is built from. */
const writeDockerfile = async (name: string, directory: string): Promise<void> => {
  const text = await readFile(join(root, 'infra/container/Dockerfile'), 'utf8');
  await writeFile(join(directory, 'Dockerfile'), text.replaceAll('__FUNCTION__', name));
};

/**
 * Zips a built function for the cloud's build. Fails where it is larger than its definition allows: every byte is read
 * from disk by each instance that starts.
 */
export const packageFunction = async (
  { name, kind, packageBudget }: Pick<ManifestFunction, 'name' | 'kind' | 'packageBudget'>,
  directory: string,
  packages: string,
): Promise<PackageReport> => {
  if (kind === 'service') await writeDockerfile(name, directory);
  const archive = await zipFolder(directory);
  const digest = sha256(archive);
  if (archive.length > packageBudget * mebibyte) {
    const size = (archive.length / mebibyte).toFixed(2);
    throw new Error(
      `The package of ${name} has ${size} MiB and may have ${packageBudget}. dist/report.json names its largest parts; a larger packageBudget in functions/${name}/app.ts needs a reason.`,
    );
  }
  const file = `${name}-${digest.slice(0, 16)}.zip`;
  await mkdir(packages, { recursive: true });
  await writeFile(join(packages, file), archive);
  return { file, sha256: digest, bytes: archive.length };
};
