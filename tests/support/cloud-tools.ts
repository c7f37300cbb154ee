import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import * as z from 'zod';

export interface CloudConfig {
  /** Folder that stands for the cloud. */
  readonly world: string;
  readonly projectId: string;
  readonly bucket: string;
  /** Where the deployed API answers. */
  readonly url: string;
}

interface Call {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const releaseSchema = z.looseObject({
  release: z.string(),
  packages: z.record(z.string(), z.object({ file: z.string() })),
});
const rulesSchema = z.object({ firestore: z.object({ rules: z.string() }), storage: z.object({ rules: z.string() }) });

const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));

/**
 * `terraform`, `gcloud` and `firebase` as a deployment calls them, over a folder instead of a cloud. Each checks that it
 * is called as the real one must be, and keeps state. Answers with what the program prints, or throws with what it
 * complains of.
 */
export const cloudTools = ({ world, projectId, bucket, url }: CloudConfig) => {
  const refuse = (why: string): never => {
    throw new Error(why);
  };
  const options = ({ args }: Call, name: string): string[] =>
    args.flatMap((one) => (one.startsWith(`${name}=`) ? [one.slice(name.length + 1)] : []));
  const option = (call: Call, name: string): string => options(call, name)[0] ?? refuse(`lacks ${name}`);

  /** A plan must be of an initialised backend, and of packages and a manifest that are there. */
  const plan = async (call: Call): Promise<string> => {
    if (!(await isThere(join(world, 'initialised')))) refuse('is not initialised');
    const [tfvars = '', releaseFile = ''] = options(call, '-var-file');
    if (!/^project_id\s*=/m.test(await readFile(tfvars, 'utf8'))) refuse('has no variables of an environment');
    const release = releaseSchema.parse(await readJson(releaseFile));
    const variables = Object.fromEntries(options(call, '-var').map((one) => one.split('=', 2)));
    const at = (name: string): string => resolve(call.cwd, variables[name] ?? refuse(`lacks ${name}`));
    for (const { file } of Object.values(release.packages)) {
      if (!(await isThere(join(at('packages_directory'), file)))) refuse(`has no package ${file}`);
    }
    if (!(await isThere(at('manifest_file')))) refuse('has no manifest');
    return JSON.stringify(release);
  };

  const outputs = async (): Promise<string> => {
    const { release } = releaseSchema.parse(await readJson(join(world, 'deployed.json')));
    const values = { api_url: url, release, public_paths: ['/api/v1/things'], addresses: { IPV4: '192.0.2.1' } };
    return JSON.stringify(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }])));
  };

  const terraform = async (call: Call): Promise<string> => {
    if (!(await isThere(join(call.cwd, 'versions.tf')))) refuse('is not run in infra');
    const [command, first = ''] = call.args;
    if (command === 'init') {
      const backend = options(call, '-backend-config').join();
      if (backend !== `bucket=${bucket},prefix=terraform/dev`) refuse('has another backend');
      await writeFile(join(world, 'initialised'), '');
    } else if (command === 'plan') await writeFile(option(call, '-out'), await plan(call));
    else if (command === 'apply' && options(call, '-target').length > 0) {
      await plan(call);
      await writeFile(join(world, 'registry'), '');
    } else if (command === 'apply') await cp(first, join(world, 'deployed.json'));
    else if (command === 'output') return outputs();
    else refuse('is no command of it');
    return '';
  };

  const at = (address: string): string => join(world, 'buckets', address.slice('gs://'.length));

  const list = async (address: string): Promise<string> => {
    if (!(await isThere(at(address)))) refuse('One or more URLs matched no objects.');
    const base = address.replace(/\/?$/, '/');
    const entries = await readdir(at(address), { withFileTypes: true });
    return entries.map((entry) => `${base}${entry.name}${entry.isDirectory() ? '/' : ''}\n`).join('');
  };

  const copy = async (from: string, to: string): Promise<void> => {
    if (from.startsWith('gs://')) {
      if (!from.endsWith('/*')) refuse('copies something else than a whole release');
      await cp(at(from.slice(0, -1)), to, { recursive: true });
      return;
    }
    const target = to.endsWith('/') ? join(at(to), basename(from)) : at(to);
    await mkdir(join(target, '..'), { recursive: true });
    await cp(from, target);
  };

  const copyAll = async (paths: readonly string[]): Promise<string> => {
    for (const from of paths.slice(0, -1)) await copy(from, paths.at(-1) ?? '');
    return '';
  };

  const submitBuild = async (call: Call, folder: string): Promise<string> => {
    if (!(await isThere(join(world, 'registry')))) refuse('has no registry to push to');
    if (!(await isThere(join(folder, 'Dockerfile')))) refuse('has no Dockerfile');
    if (!option(call, '--service-account').includes('/serviceAccounts/omni-build@')) refuse('builds as somebody else');
    await writeFile(join(world, 'tags'), `${option(call, '--tag').split(':').at(-1)}\n`, { flag: 'a' });
    return '';
  };

  const gcloud = async (call: Call): Promise<string> => {
    if (option(call, '--project') !== projectId) refuse('is for another project');
    const [group, command, ...rest] = call.args.filter((one) => !one.startsWith('--'));
    const [first = ''] = rest;
    const commands: Readonly<Record<string, () => Promise<string>>> = {
      'storage ls': () => list(first),
      'storage cat': () => readFile(at(first), 'utf8'),
      'storage cp': () => copyAll(rest),
      'artifacts docker': () => readFile(join(world, 'tags'), 'utf8').catch(() => ''),
      'builds submit': () => submitBuild(call, first),
    };
    return (commands[`${group} ${command}`] ?? (() => refuse('is no command of it')))();
  };

  const firebase = async ({ args, cwd }: Call): Promise<string> => {
    const after = (name: string) => args[args.indexOf(name) + 1];
    if (after('--project') !== projectId) refuse('is for another project');
    if (after('--only') !== 'firestore:rules,storage') refuse('deploys something else than rules');
    const { firestore, storage } = rulesSchema.parse(await readJson(join(cwd, 'firebase.json')));
    for (const { rules } of [firestore, storage]) if (!(await isThere(join(cwd, rules)))) refuse(`has no ${rules}`);
    return '';
  };

  const programs: Readonly<Record<string, (call: Call) => Promise<string>>> = { terraform, gcloud, firebase };
  return (call: Call): Promise<string> => (programs[call.program] ?? (() => refuse('is no program')))(call);
};
