import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { root } from '#scripts/lib/functions.ts';
import { manifestSchema } from '#scripts/lib/manifest.ts';
import { environmentNames } from '#shared/config/config.ts';

const textsIn = async (pattern: string): Promise<string> => {
  const texts: string[] = [];
  for await (const path of glob(pattern, { cwd: join(root, 'infra') })) {
    texts.push(await readFile(join(root, 'infra', path), 'utf8'));
  }
  return texts.join('\n');
};
const manifest = manifestSchema.parse(JSON.parse(await readFile(join(root, 'infra/manifest.json'), 'utf8')));

/** What only a machine of ours reads, and what an environment says for itself where it wants to (`settings`). */
const notFromTerraform = new Set([
  'FIRESTORE_EMULATOR_HOST',
  'PUBSUB_EMULATOR_HOST',
  'STORAGE_EMULATOR_HOST',
  'OMNI_BLOB_DIRECTORY',
  'OMNI_BLOB_URL',
  'OMNI_INTERNAL_SECRET',
  'OMNI_KEY_FILE',
  'OMNI_MAILBOX_DIRECTORY',
]);

describe('the variables that Terraform gives functions', async () => {
  const terraform = await textsIn('{*.tf,modules/function/*.tf}');
  const given = new Set(
    [...terraform.matchAll(/\b((?:OMNI|OTEL|TWILIO|LOG|GOOGLE|REDIS)_[A-Z_]+)\s*=/g)].map(([, name]) => name ?? ''),
  );

  it('are all read by the code', () => {
    expect([...given].filter((name) => !environmentNames.includes(name))).toEqual([]);
  });

  it('are those of the platform itself, and none that only development has', () => {
    const platform = environmentNames.filter((name) => /^(OMNI|OTEL|LOG|GOOGLE)_/.test(name));
    const missing = platform.filter((name) => !given.has(name) && !notFromTerraform.has(name));
    // What follows from the environment or has a default, and may be set.
    const optional = ['OMNI_BREACHED_PASSWORDS_URL', 'OMNI_DNS_SERVERS', 'OMNI_IP_DATABASE', 'OMNI_MAIL'];
    expect(missing.toSorted()).toEqual(optional);
    expect([...given].filter((name) => notFromTerraform.has(name))).toEqual([]);
  });

  it('leave secrets out, which the code reads too', () => {
    const secrets = manifest.functions.flatMap((one) => one.secrets);
    expect(secrets.filter((name) => !environmentNames.includes(name))).toEqual([]);
    expect(secrets.filter((name) => given.has(name))).toEqual([]);
  });
});

describe('the Terraform', () => {
  it('names no function, job, schedule or secret', async () => {
    const terraform = await textsIn('{*.tf,modules/**/*.tf}');
    const names = manifest.functions.flatMap(({ jobs, schedules, secrets }) => [
      ...[...jobs, ...schedules].map(({ name }) => name),
      ...secrets,
    ]);
    expect(names.filter((name) => terraform.includes(`"${name}"`))).toEqual([]);
    const values = terraform.replaceAll(/^(?:module|output|variable) "[^"]+"/gm, '');
    const functions = manifest.functions.map(({ name }) => name);
    expect(functions.filter((name) => values.includes(`"${name}"`))).toEqual([]);
  });

  it('uses one provider, and pins it', async () => {
    const versions = await textsIn('{versions.tf,modules/*/versions.tf}');
    expect(new Set([...versions.matchAll(/source\s+= "([^"]+)"/g)].map(([, source]) => source))).toEqual(
      new Set(['hashicorp/google']),
    );
    expect(new Set([...versions.matchAll(/ {6}version = "([^"]+)"/g)].map(([, version]) => version))).toEqual(
      new Set(['~> 6.50']),
    );
  });

  it('looks for the words that the code logs', async () => {
    const filters = await readFile(join(root, 'infra/modules/observability/main.tf'), 'utf8');
    const words = [...filters.matchAll(/message = "([^"]+)"/g)].map(([, word]) => word ?? '');
    const code: string[] = [];
    for await (const path of glob('shared/**/*.ts', { cwd: root })) code.push(await readFile(join(root, path), 'utf8'));
    expect(words).toHaveLength(4);
    expect(words.filter((word) => !code.join('\n').includes(`'${word}`))).toEqual([]);
  });

  it('has each collection’s indexes from the manifest, which are those of Firebase’s tools', async () => {
    const indexes: unknown = JSON.parse(await readFile(join(root, 'firestore.indexes.json'), 'utf8'));
    expect(manifest.firestore).toEqual(indexes);
  });
});

describe('npm run infra:check', () => {
  const check = async (env: Readonly<Record<string, string>>) => {
    const child = spawn(process.execPath, [join(root, 'scripts/infra-check.ts')], {
      env: { PATH: join(root, 'infra'), ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    return { output, status };
  };

  it('says what it could not check where there is no Terraform, and fails where changes land', async () => {
    const expected = 'terraform is not installed.\nNot checked: whether the Terraform is valid';
    expect(await check({})).toMatchObject({ output: expect.stringContaining(expected), status: 0 });
    expect(await check({ CI: 'true' })).toMatchObject({ output: expect.stringContaining(expected), status: 1 });
  });
});
