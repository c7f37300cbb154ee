import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BundleReport, bundleFunction } from './bundle.ts';
import { fillCompileCache } from './compile-cache.ts';
import { type FunctionFolder, loadFunctions, root } from './functions.ts';
import { generatedFiles } from './generated.ts';
import { manifestSchema } from './manifest.ts';
import { type PackageReport, packageFunction, sha256 } from './package-function.ts';

export const dist = join(root, 'dist');

export type BuildReport = BundleReport & { readonly package: PackageReport };

/**
 * What Terraform needs of a build, in the form of its variables: packages by their hash, and the digest of the manifest
 * that the code has now, without which it plans nothing. The release is named by what is in it.
 */
const releaseOf = (reports: readonly BuildReport[], manifest: string) => ({
  release: sha256([manifest, ...reports.map((one) => one.package.sha256)].join('\n')).slice(0, 12),
  manifest_digest: sha256(manifest),
  packages: Object.fromEntries(reports.map((one) => [one.function, { file: one.package.file }])),
});

/** Builds functions into `dist/<name>`, packages them into `dist/packages`, and writes `dist/report.json`. */
export const buildFunctions = async (given?: readonly FunctionFolder[]): Promise<readonly BuildReport[]> => {
  const manifestText = (await generatedFiles(given ?? (await loadFunctions()))).get('infra/manifest.json') ?? '';
  const { functions } = manifestSchema.parse(JSON.parse(manifestText));
  const packages = join(dist, 'packages');
  await rm(packages, { recursive: true, force: true });
  const reports: BuildReport[] = [];
  for (const entry of functions) {
    const directory = join(dist, entry.name);
    const report = await bundleFunction(entry.name, directory);
    reports.push({ ...report, package: await packageFunction(entry, directory, packages) });
    await fillCompileCache(entry.name, directory);
  }
  await mkdir(dist, { recursive: true });
  const release = releaseOf(reports, manifestText);
  await writeFile(join(dist, 'release.tfvars.json'), `${JSON.stringify(release, null, 2)}\n`);
  await writeFile(join(dist, 'report.json'), `${JSON.stringify(reports, null, 2)}\n`);
  return reports;
};
