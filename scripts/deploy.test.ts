import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fakeCloud } from '#tests/support/fake-cloud.ts';
import { deploy } from './lib/deploy/deploy.ts';
import { environments, readEnvironment } from './lib/deploy/environment.ts';
import { runProgram } from './lib/deploy/run.ts';
import { root } from './lib/functions.ts';
import { manifestOf } from './lib/manifest.ts';
import { sha256 } from './lib/package-function.ts';

const common = { routes: () => [], jobs: [], schedules: [], collections: [], secrets: [] };

/** A repository that a deployment starts from, and the programs that it calls. */
const setUp = async ({ service = false } = {}) => {
  const cloud = await fakeCloud();
  const repository = await mkdtemp(join(tmpdir(), 'omni-deploy-'));
  onTestFinished(() => rm(repository, { recursive: true, force: true }));
  for (const path of ['firebase.json', 'firestore.rules', 'storage.rules', 'infra/versions.tf']) {
    await mkdir(join(repository, path, '..'), { recursive: true });
    await cp(join(root, path), join(repository, path));
  }
  const tfvars = `project_id = "${cloud.projectId}"\nstate_bucket = "${cloud.bucket}"\nregions = ["europe-west1"]\n`;
  await mkdir(join(repository, 'infra/environments'));
  await writeFile(join(repository, 'infra/environments/dev.tfvars'), tfvars);

  const dist = join(repository, 'dist');
  const said: string[] = [];
  const build = (content: string) => async () => {
    const kind = service ? ('service' as const) : ('function' as const);
    const manifest = JSON.stringify(manifestOf([{ ...common, name: 'things', paths: ['/api/v1/things'], kind }]));
    await writeFile(join(repository, 'infra/manifest.json'), manifest);
    await rm(join(dist, 'packages'), { recursive: true, force: true });
    await mkdir(join(dist, 'packages'), { recursive: true });
    await mkdir(join(dist, 'things'), { recursive: true });
    await writeFile(join(dist, 'things/Dockerfile'), 'FROM scratch\n');
    const file = `things-${sha256(content).slice(0, 16)}.zip`;
    await writeFile(join(dist, 'packages', file), content);
    const release = { release: content, manifest_digest: sha256(manifest), packages: { things: { file } } };
    await writeFile(join(dist, 'release.tfvars.json'), JSON.stringify(release));
  };
  const bring = async (content: string, parts: { dryRun?: boolean; confirm?: () => Promise<boolean> } = {}) =>
    deploy({
      environment: await readEnvironment('dev', repository),
      repository,
      dist,
      dryRun: false,
      smoke: { patience: 60, pause: 10 },
      build: build(content),
      confirm: async () => true,
      run: cloud.run,
      say: (line) => said.push(line),
      ...parts,
    });
  return { cloud, dist, said, bring };
};

const planIsGone = async (dist: string) => expect(await readdir(join(dist, 'deploy'))).not.toContain('plan');

// Dozens of programs are started: on a busy machine each takes a while.
describe('npm run deploy', { timeout: 180_000 }, () => {
  it('builds, plans, keeps the release, applies, deploys rules and sees that it serves', async () => {
    const { cloud, dist, bring, said } = await setUp();
    await bring('one');
    expect(await cloud.deployed()).toBe('one');
    expect(cloud.calls).toEqual([
      'terraform init',
      'gcloud storage ls',
      'terraform plan',
      ...Array.from({ length: 3 }, () => 'gcloud storage cp'),
      'terraform apply',
      'firebase deploy',
      'terraform output',
      'gcloud storage cp',
    ]);
    expect(said).toEqual(
      expect.arrayContaining(['dev has no release yet', expect.stringContaining('Release one serves dev.')]),
    );
    await planIsGone(dist);
  });

  it('plans only in a dry run', async () => {
    const { cloud, dist, bring } = await setUp();
    await bring('one', { dryRun: true });
    expect(cloud.calls).toEqual(['terraform init', 'gcloud storage ls', 'terraform plan']);
    expect(await cloud.deployed()).toBeUndefined();
    await planIsGone(dist);
  });

  it('changes nothing where nobody confirms', async () => {
    const { cloud, dist, bring } = await setUp();
    await expect(bring('one', { confirm: async () => false })).rejects.toThrow('Not confirmed. Nothing was changed.');
    expect(await cloud.deployed()).toBeUndefined();
    await planIsGone(dist);
  });

  it.each([
    ['terraform init', 'terraform init ended with 1'],
    ['gcloud storage ls', 'gcloud storage ended with 1'],
    ['terraform plan', 'terraform plan ended with 1'],
    ['gcloud storage cp', 'gcloud storage ended with 1'],
  ])('leaves what serves alone where %s fails', async (call, message) => {
    const { cloud, dist, bring } = await setUp();
    await bring('one');
    cloud.fail(call);
    await expect(bring('two')).rejects.toThrow(message);
    expect(await cloud.deployed()).toBe('one');
    await planIsGone(dist);
  });

  it.each([
    ['terraform apply', 'terraform apply ended with 1'],
    ['firebase deploy', 'firebase deploy ended with 1'],
    ['terraform output', 'terraform output ended with 1'],
  ])('goes back to the release before where %s fails', async (call, message) => {
    const { cloud, dist, bring, said } = await setUp();
    await bring('one');
    cloud.fail(call);
    await expect(bring('two')).rejects.toThrow(`The deployment failed, and release one serves again. ${message}`);
    expect(await cloud.deployed()).toBe('one');
    expect(said).toContain('Going back to release one');
    await planIsGone(dist);

    // And the next deployment knows that it is release one that serves.
    await bring('three');
    expect(said).toContain('dev has release one');
    expect(await cloud.deployed()).toBe('three');
  });

  it('goes back where what was applied does not answer', async () => {
    const { cloud, bring } = await setUp();
    await bring('one');
    cloud.break('two');
    await expect(bring('two')).rejects.toThrow(
      'release one serves again. The smoke test fails. /healthz answers with 500.',
    );
    expect(await cloud.deployed()).toBe('one');
  });

  it('says that people must look where going back fails too', async () => {
    const { cloud, bring } = await setUp();
    await bring('one');
    cloud.break('two');
    cloud.fail('gcloud storage cp --recursive');
    await expect(bring('two')).rejects.toThrow('Going back to release one failed too');
    expect(await cloud.deployed()).toBe('two');
  });

  it('says that there is nothing to go back to where the first deployment fails', async () => {
    const { cloud, bring } = await setUp();
    cloud.fail('terraform apply');
    await expect(bring('one')).rejects.toThrow('Nothing was deployed before');
  });

  it('builds the container of a service once, and deploys it under its package’s name', async () => {
    const { cloud, dist, bring } = await setUp({ service: true });
    await bring('one');
    const calls = cloud.calls;
    expect(calls.filter((call) => call === 'gcloud builds submit')).toHaveLength(1);
    const text = await readFile(join(dist, 'release.tfvars.json'), 'utf8');
    const image = `europe-west1-docker.pkg.dev/omni-test/omni/things:${sha256('one').slice(0, 16)}`;
    expect(JSON.parse(text)).toMatchObject({ images: { things: image } });
    await bring('one');
    expect(cloud.calls.filter((call) => call === 'gcloud builds submit')).toHaveLength(1);
  });
});

describe('a program', () => {
  it('that is not installed is named', async () => {
    const running = runProgram({ program: 'omni-no-such-program', args: [] });
    await expect(running).rejects.toThrow('omni-no-such-program is not installed: docs/deploy.md');
  });
});

describe('an environment', () => {
  it.each(environments)('%s says its project, the bucket of its state and its regions', async (name) => {
    const environment = await readEnvironment(name);
    expect(environment).toMatchObject({ name, region: 'europe-west1' });
    expect(environment.stateBucket).not.toBe('');
    await stat(environment.tfvars);
  });
});
