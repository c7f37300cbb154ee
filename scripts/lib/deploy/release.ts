import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { Environment } from './environment.ts';
import type { Run } from './run.ts';

/** What Terraform is given of a build, which the build writes as its variables. */
export const releaseSchema = z.object({
  release: z.string().min(1),
  manifest_digest: z.string(),
  packages: z.record(z.string(), z.object({ file: z.string() })),
  images: z.record(z.string(), z.string()).optional(),
});
export type Release = z.infer<typeof releaseSchema>;

/** A release on this machine: everything that it takes to apply it. */
export interface LocalRelease {
  readonly release: Release;
  /** Variables for Terraform. */
  readonly varFile: string;
  /** Absolute. */
  readonly packages: string;
  readonly manifest: string;
}

export const readRelease = async (directory: string, manifest: string): Promise<LocalRelease> => {
  const varFile = join(directory, 'release.tfvars.json');
  const release = releaseSchema.parse(JSON.parse(await readFile(varFile, 'utf8')));
  return { release, varFile, packages: join(directory, 'packages'), manifest };
};

/**
 * The releases of an environment in the bucket of its state: `releases/<id>/` has packages, variables and manifest, and
 * `releases/current` the id of what serves. What is there can be applied again as it was, without its sources.
 */
export const releaseStore = (environment: Environment, run: Run) => {
  const at = `gs://${environment.stateBucket}/releases`;
  const gcloud = (...args: readonly string[]) =>
    run({ program: 'gcloud', args: ['storage', ...args, `--project=${environment.projectId}`], capture: true });

  return {
    /** Undefined before the first deployment. */
    current: async (): Promise<string | undefined> => {
      // From the top, because listing what is not there fails, as a bucket does that can't be read.
      const has = async (folder: string, entry: string) => (await gcloud('ls', folder)).split('\n').includes(entry);
      if (!(await has(`gs://${environment.stateBucket}`, `${at}/`))) return undefined;
      if (!(await has(`${at}/`, `${at}/current`))) return undefined;
      return (await gcloud('cat', `${at}/current`)).trim();
    },
    save: async ({ release, varFile, packages, manifest }: LocalRelease): Promise<void> => {
      const files = (await readdir(packages)).map((file) => join(packages, file));
      await gcloud('cp', ...files, `${at}/${release.release}/packages/`);
      await gcloud('cp', varFile, `${at}/${release.release}/release.tfvars.json`);
      await gcloud('cp', manifest, `${at}/${release.release}/manifest.json`);
    },
    fetch: async (id: string, directory: string): Promise<LocalRelease> => {
      await rm(directory, { recursive: true, force: true });
      await mkdir(join(directory, 'packages'), { recursive: true });
      await gcloud('cp', '--recursive', `${at}/${id}/*`, directory);
      return readRelease(directory, join(directory, 'manifest.json'));
    },
    point: async (id: string, scratch: string): Promise<void> => {
      const file = join(scratch, 'current');
      await writeFile(file, `${id}\n`);
      await gcloud('cp', file, `${at}/current`);
    },
  };
};
export type ReleaseStore = ReturnType<typeof releaseStore>;
