import { glob, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { buildFunctions, dist } from './build-functions.ts';
import { type FrameworkProcess, startFramework } from './framework-process.ts';
import { root } from './functions.ts';
import { installPackage, packageCache } from './installed-package.ts';
import type { Manifest, ManifestFunction } from './manifest.ts';

const changedAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

const sources = ['{functions,shared}/**/*.{ts,json}', 'scripts/lib/*.ts', 'package-lock.json'];

/** True unless every function was built after the last change of what it is built from. */
export const isBuildStale = async ({ functions }: Manifest): Promise<boolean> => {
  const built = await Promise.all(functions.map(({ name }) => changedAt(join(dist, name, 'index.cjs'))));
  const oldest = Math.min(await changedAt(join(dist, 'release.tfvars.json')), ...built);
  for await (const source of glob(sources, { cwd: root })) {
    if ((await changedAt(join(root, source))) > oldest) return true;
  }
  return false;
};

/** Builds what is not built as it stands now. Tells whether it had to. */
export const ensureBuilt = async (manifest: Manifest): Promise<boolean> => {
  const stale = await isBuildStale(manifest);
  if (stale) await buildFunctions();
  return stale;
};

type Environment = Readonly<Record<string, string>>;

const releaseSchema = z.looseObject({ packages: z.record(z.string(), z.object({ file: z.string() })) });

/** A function is given the secrets that it names and no others, as its service account can read no others. */
const environmentOf = ({ secrets }: ManifestFunction, common: Environment, known: Environment): Environment => ({
  ...common,
  ...Object.fromEntries(secrets.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]]))),
});

/** The packages of the last build, unpacked and installed as the cloud's build does it, far from the repository. */
const installPackages = async (): Promise<ReadonlyMap<string, string>> => {
  const { packages } = releaseSchema.parse(JSON.parse(await readFile(join(dist, 'release.tfvars.json'), 'utf8')));
  const installed = new Map<string, string>();
  // One after the other: those with the same lock file share what is installed.
  for (const [name, { file }] of Object.entries(packages)) {
    installed.set(name, await installPackage(join(dist, 'packages', file), packageCache()));
  }
  return installed;
};

/** Every built function in a functions-framework process of its own. When one fails to start, none is left. */
export const startIsolated = async (
  { functions }: Manifest,
  common: Environment,
  secrets: Environment,
  log: (text: string) => void,
): Promise<ReadonlyMap<string, FrameworkProcess>> => {
  const installed = await installPackages();
  const started = await Promise.all(
    functions.map(async (one) => {
      const { name } = one;
      const env = environmentOf(one, common, secrets);
      return [
        name,
        await startFramework({ name, directory: installed.get(name) ?? join(dist, name), env, log }),
      ] as const;
    }),
  );
  try {
    await Promise.all(started.map(([, process]) => process.listening()));
  } catch (error) {
    await Promise.all(started.map(([, process]) => process.stop()));
    throw error;
  }
  return new Map(started);
};
