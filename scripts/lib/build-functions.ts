import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleReport, bundleFunction } from './bundle.ts';
import { fillCompileCache } from './compile-cache.ts';
import { functionNames, root } from './functions.ts';

export const dist = join(root, 'dist');

/** Builds every function into `dist/<name>`, and writes `dist/report.json`. */
export const buildFunctions = async (): Promise<readonly BundleReport[]> => {
  const reports: BundleReport[] = [];
  for (const name of await functionNames()) {
    const directory = join(dist, name);
    reports.push(await bundleFunction(name, directory));
    await fillCompileCache(name, directory);
  }
  await mkdir(dist, { recursive: true });
  await writeFile(join(dist, 'report.json'), `${JSON.stringify(reports, null, 2)}\n`);
  return reports;
};
