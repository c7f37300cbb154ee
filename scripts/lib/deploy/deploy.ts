import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { manifestSchema } from '../manifest.ts';
import type { Environment } from './environment.ts';
import { type LocalRelease, type ReleaseStore, readRelease, releaseStore } from './release.ts';
import type { Run } from './run.ts';
import { type SmokeOptions, smokeTest } from './smoke.ts';
import { type Terraform, terraform } from './terraform.ts';

export interface DeployOptions {
  readonly environment: Environment;
  /** Plans, and changes nothing. */
  readonly dryRun: boolean;
  readonly repository: string;
  /** Where the build is, and scratch files are. */
  readonly dist: string;
  readonly smoke: SmokeOptions;
  readonly build: () => Promise<void>;
  /** Asks whether to go on. */
  readonly confirm: (question: string) => Promise<boolean>;
  readonly run: Run;
  readonly say: (line: string) => void;
}

interface Deployment extends DeployOptions {
  readonly store: ReleaseStore;
  readonly tf: Terraform;
  readonly scratch: string;
}

/** What runs as a service, with the name that its container has: that of its package. */
const containersOf = async ({ environment }: Deployment, local: LocalRelease): Promise<Record<string, string>> => {
  const { functions } = manifestSchema.parse(JSON.parse(await readFile(local.manifest, 'utf8')));
  const registry = `${environment.region}-docker.pkg.dev/${environment.projectId}/omni`;
  const tagOf = (name: string): string => (local.release.packages[name]?.file ?? '').replace(/^.*-|\.zip$/g, '');
  return Object.fromEntries(
    functions.filter(({ kind }) => kind === 'service').map(({ name }) => [name, `${registry}/${name}:${tagOf(name)}`]),
  );
};

const withContainers = async (deployment: Deployment, local: LocalRelease): Promise<LocalRelease> => {
  const release = { ...local.release, images: await containersOf(deployment, local) };
  await writeFile(local.varFile, `${JSON.stringify(release, null, 2)}\n`);
  return { ...local, release };
};

/** Built in the cloud, from the same folder as a function. What is there already is of the same content. */
const buildContainers = async ({ run, dist, environment, say }: Deployment, release: LocalRelease): Promise<void> => {
  const project = `--project=${environment.projectId}`;
  const account = `projects/${environment.projectId}/serviceAccounts/omni-build@${environment.projectId}.iam.gserviceaccount.com`;
  for (const [name, image] of Object.entries(release.release.images ?? {})) {
    const found = run({
      program: 'gcloud',
      args: [
        'artifacts',
        'docker',
        'images',
        'list',
        image.replace(/:[^:]*$/, ''),
        '--include-tags',
        '--format=value(tags)',
        project,
      ],
      capture: true,
    });
    if ((await found).split(/[\s,]+/).includes(image.split(':').at(-1) ?? '')) continue;
    say(`Building the container of ${name}`);
    await run({
      program: 'gcloud',
      args: [
        ...['builds', 'submit', join(dist, name), `--tag=${image}`, `--service-account=${account}`],
        ...['--default-buckets-behavior=regional-user-owned-bucket', project],
      ],
    });
  }
};

/** Rules of Firestore and Cloud Storage. Indexes are Terraform's: functions wait for theirs. */
const deployRules = ({ run, repository, environment }: Deployment): Promise<string> =>
  run({
    program: 'firebase',
    args: [
      ...['deploy', '--only', 'firestore:rules,storage', '--project', environment.projectId],
      ...['--non-interactive', '--force'],
    ],
    cwd: repository,
  });

/** The plan file holds secrets that are new: it is gone as soon as it is applied, or not. */
const withPlan = async (
  { tf, scratch }: Deployment,
  release: LocalRelease,
  work: (planFile: string) => Promise<void>,
): Promise<void> => {
  const planFile = join(scratch, 'plan');
  try {
    await tf.plan(release, planFile);
    await work(planFile);
  } finally {
    await rm(planFile, { force: true });
  }
};

/** Applies a plan and everything after it, up to the proof that it serves. */
const bringOut = async (deployment: Deployment, planFile: string): Promise<void> => {
  const { tf, say, smoke } = deployment;
  await tf.apply(planFile);
  say('Rules');
  await deployRules(deployment);
  const outputs = await tf.outputs();
  say(`Smoke test of ${outputs.url}`);
  await smokeTest(outputs, smoke);
};

/** Makes what served before serve again. Fails where even that does not work; then people have to look. */
const rollBack = async (deployment: Deployment, previous: string | undefined, cause: unknown): Promise<never> => {
  const { say, store, scratch } = deployment;
  const reason = cause instanceof Error ? cause.message : String(cause);
  say(reason);
  if (previous === undefined) {
    throw new Error('Nothing was deployed before, so there is nothing to go back to. Mend it and deploy again.', {
      cause,
    });
  }
  say(`Going back to release ${previous}`);
  try {
    const release = await store.fetch(previous, join(scratch, 'previous'));
    await withPlan(deployment, release, (planFile) => bringOut(deployment, planFile));
  } catch (error) {
    const second = error instanceof Error ? error.message : String(error);
    throw new Error(`Going back to release ${previous} failed too: ${second} See docs/deploy.md, "By hand".`, {
      cause: error,
    });
  }
  throw new Error(`The deployment failed, and release ${previous} serves again. ${reason}`, { cause });
};

/**
 * Build, plan, confirmation, apply, rules, smoke test; and back to the release before where one of the last three fails.
 * A release is kept before it is applied, so that it can be gone back to from the next.
 */
export const deploy = async (options: DeployOptions): Promise<void> => {
  const { environment, repository, dist, run, say, dryRun } = options;
  const scratch = join(dist, 'deploy');
  await mkdir(scratch, { recursive: true });
  const infra = join(repository, 'infra');
  const tf = terraform(environment, infra, run);
  const deployment: Deployment = { ...options, scratch, tf, store: releaseStore(environment, run) };
  const { store } = deployment;

  say('Build');
  await options.build();
  const built = await readRelease(dist, join(infra, 'manifest.json'));
  await tf.init();
  const previous = await store.current();
  say(`${environment.name} has ${previous === undefined ? 'no release yet' : `release ${previous}`}`);
  const release = await withContainers(deployment, built);
  const { release: id } = release.release;

  const bringOutOrBack = async (planFile: string): Promise<void> => {
    await store.save(release);
    try {
      await bringOut(deployment, planFile);
    } catch (error) {
      await rollBack(deployment, previous, error);
    }
    await store.point(id, scratch);
    say(`Release ${id} serves ${environment.name}.`);
  };

  await withPlan(deployment, release, async (planFile) => {
    if (dryRun) {
      say(`This is what release ${id} would change. Nothing was changed.`);
      return;
    }
    if (!(await options.confirm(`Deploy release ${id} to ${environment.name} (${environment.projectId})?`))) {
      throw new Error('Not confirmed. Nothing was changed.');
    }
    if (Object.keys(release.release.images ?? {}).length > 0) {
      await tf.applyRegistry(release);
      await buildContainers(deployment, release);
      // The plan is of the time before the registry.
      await tf.plan(release, planFile);
    }
    await bringOutOrBack(planFile);
  });
};
