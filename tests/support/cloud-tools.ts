import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as z from 'zod';

/**
 * `terraform`, `gcloud` and `firebase` as a deployment calls them, over a folder instead of a cloud. Each checks that it
 * is called as the real one must be, keeps state, and fails where it is told to. Run by the scripts that
 * `tests/support/fake-cloud.ts` puts on PATH.
 */
const world = process.env.FAKE_CLOUD ?? '';
const [program = '', ...args] = process.argv.slice(2);

const refuse = (why: string): never => {
  throw new Error(`${program} ${args.join(' ')}: ${why}`);
};

const option = (name: string): string =>
  args.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? refuse(`lacks ${name}`);
const options = (name: string): string[] =>
  args.flatMap((one) => (one.startsWith(`${name}=`) ? [one.slice(name.length + 1)] : []));

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const configSchema = z.object({ projectId: z.string(), bucket: z.string(), url: z.string() });
const readWorld = async (file: string): Promise<unknown> => JSON.parse(await readFile(join(world, file), 'utf8'));

/** Fails once for each line in `failures` that begins as this call does. */
const failWhereTold = async (call: string): Promise<void> => {
  const path = join(world, 'failures');
  const failures = (await readFile(path, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  const index = failures.findIndex((line) => call.startsWith(line));
  if (index < 0) return;
  await writeFile(path, failures.toSpliced(index, 1).join('\n'));
  refuse('fails, as it was told to');
};

const releaseSchema = z.looseObject({
  release: z.string(),
  packages: z.record(z.string(), z.object({ file: z.string() })),
});

/** A plan must be of an initialised backend, and of packages and a manifest that are there. */
const plan = async (): Promise<string> => {
  if (!(await isThere(join(world, 'initialised')))) refuse('is not initialised');
  const [tfvars = '', releaseFile = ''] = options('-var-file');
  if (!/^project_id\s*=/m.test(await readFile(tfvars, 'utf8'))) refuse('has no variables of an environment');
  const release = releaseSchema.parse(JSON.parse(await readFile(releaseFile, 'utf8')));
  const variables = Object.fromEntries(options('-var').map((one) => one.split('=', 2)));
  const packages = resolve(variables.packages_directory ?? refuse('lacks packages_directory'));
  for (const { file } of Object.values(release.packages)) {
    if (!(await isThere(join(packages, file)))) refuse(`has no package ${file}`);
  }
  if (!(await isThere(resolve(variables.manifest_file ?? refuse('lacks manifest_file'))))) refuse('has no manifest');
  return JSON.stringify(release);
};

const terraform = async (): Promise<void> => {
  if (!(await isThere('versions.tf'))) refuse('is not run in infra');
  const { bucket, url } = configSchema.parse(await readWorld('config.json'));
  const [command] = args;
  if (command === 'init') {
    const [where, prefix] = options('-backend-config');
    if (where !== `bucket=${bucket}` || prefix !== 'prefix=terraform/dev') refuse('has another backend');
    await writeFile(join(world, 'initialised'), '');
  } else if (command === 'plan') {
    await writeFile(option('-out'), await plan());
  } else if (command === 'apply' && args.some((one) => one.startsWith('-target='))) {
    await plan();
    await writeFile(join(world, 'registry'), '');
  } else if (command === 'apply') {
    const planFile = args[1] ?? refuse('has no plan');
    await cp(planFile, join(world, 'deployed.json'));
  } else if (command === 'output') {
    const { release } = releaseSchema.parse(await readWorld('deployed.json'));
    const value = { api_url: { value: url }, release: { value: release } };
    const more = { public_paths: { value: ['/api/v1/things'] }, addresses: { value: { IPV4: '192.0.2.1' } } };
    process.stdout.write(JSON.stringify({ ...value, ...more }));
  } else refuse('is no command of it');
};

const at = (url: string): string => join(world, 'buckets', url.slice('gs://'.length));

const list = async (url: string): Promise<void> => {
  const folder = at(url);
  if (!(await isThere(folder))) refuse('One or more URLs matched no objects.');
  const base = url.replace(/\/?$/, '/');
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    process.stdout.write(`${base}${entry.name}${entry.isDirectory() ? '/' : ''}\n`);
  }
};

const copy = async (paths: readonly string[]): Promise<void> => {
  const to = paths.at(-1) ?? '';
  for (const from of paths.slice(0, -1)) {
    if (from.startsWith('gs://')) {
      if (!from.endsWith('/*')) refuse('copies something else than a whole release');
      await cp(at(from.slice(0, -1)), to, { recursive: true });
    } else {
      const target = to.endsWith('/') ? join(at(to), basename(from)) : at(to);
      await mkdir(join(target, '..'), { recursive: true });
      await cp(from, target);
    }
  }
};

const gcloud = async (): Promise<void> => {
  const { projectId } = configSchema.parse(await readWorld('config.json'));
  if (option('--project') !== projectId) refuse('is for another project');
  const plain = args.filter((one) => !one.startsWith('--'));
  const [group, command, ...rest] = plain;
  if (group === 'storage' && command === 'ls') await list(rest[0] ?? '');
  else if (group === 'storage' && command === 'cat') process.stdout.write(await readFile(at(rest[0] ?? '')));
  else if (group === 'storage' && command === 'cp') await copy(rest);
  else if (group === 'artifacts') process.stdout.write(await readFile(join(world, 'tags'), 'utf8').catch(() => ''));
  else if (group === 'builds' && command === 'submit') {
    if (!(await isThere(join(world, 'registry')))) refuse('has no registry to push to');
    if (!(await isThere(join(rest[0] ?? '', 'Dockerfile')))) refuse('has no Dockerfile');
    await appendFile(join(world, 'tags'), `${option('--tag').split(':').at(-1)}\n`);
  } else refuse('is no command of it');
};

const firebase = async (): Promise<void> => {
  const { projectId } = configSchema.parse(await readWorld('config.json'));
  if (args[args.indexOf('--project') + 1] !== projectId) refuse('is for another project');
  if (args[args.indexOf('--only') + 1] !== 'firestore:rules,storage') refuse('deploys something else than rules');
  const files = z.object({ firestore: z.object({ rules: z.string() }), storage: z.object({ rules: z.string() }) });
  const { firestore, storage } = files.parse(JSON.parse(await readFile('firebase.json', 'utf8')));
  for (const { rules } of [firestore, storage]) if (!(await isThere(rules))) refuse(`has no ${rules}`);
  await rm(join(world, 'rules'), { force: true });
  await writeFile(join(world, 'rules'), await readFile(firestore.rules));
};

try {
  const call = [program, ...args.slice(0, 2)].join(' ');
  await appendFile(join(world, 'calls'), `${[program, ...args].join(' ')}\n`);
  await failWhereTold(call);
  await { terraform, gcloud, firebase }[z.enum(['terraform', 'gcloud', 'firebase']).parse(program)]();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
