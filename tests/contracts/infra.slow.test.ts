import { createHash } from 'node:crypto';
import { cp, glob, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { checkOffline, offlineChecker } from '#scripts/lib/check-infra.ts';
import { root } from '#scripts/lib/functions.ts';
import { manifestSchema } from '#scripts/lib/manifest.ts';

const checker = await offlineChecker();
if (checker === undefined) console.warn('Skipped: there is nothing to run terraform test with (npm run infra:check).');

/** The infrastructure with the tests of the whole, and three of the functions: enough to be wrong about. */
const copyInfra = async (): Promise<string> => {
  const infra = await mkdtemp(join(tmpdir(), 'omni-infra-'));
  onTestFinished(() => rm(infra, { recursive: true, force: true }));
  await cp(join(root, 'infra'), infra, { recursive: true, filter: (path) => !path.includes('.terraform') });
  for await (const test of glob('tests/*.tftest.hcl', { cwd: infra })) {
    if (!test.endsWith('root.tftest.hcl')) await rm(join(infra, test));
  }
  const manifest = manifestSchema.parse(JSON.parse(await readFile(join(infra, 'manifest.json'), 'utf8')));
  const withSecrets = manifest.functions.filter(({ secrets }) => secrets.length > 0).slice(0, 2);
  const withPath = manifest.functions.filter(({ paths }) => paths.length > 0).slice(0, 1);
  const functions = [...new Set([...withPath, ...withSecrets])];
  const firestore = {
    indexes: manifest.firestore.indexes.slice(0, 2),
    fieldOverrides: manifest.firestore.fieldOverrides.filter(({ ttl }) => ttl === true).slice(0, 1),
  };
  await writeFile(join(infra, 'manifest.json'), JSON.stringify({ ...manifest, functions, firestore }));
  return infra;
};

const plant = async (path: string, what: string | RegExp, by: string): Promise<void> => {
  const text = await readFile(path, 'utf8');
  const changed = text.replace(what, by);
  expect(changed, `${path} has nothing like ${String(what)}`).not.toBe(text);
  await writeFile(path, changed);
};

const outputOf = async (infra: string) => {
  const { passed, output } = await checkOffline(checker ?? '', infra);
  return { passed, output: output.replaceAll(/\s+/g, ' ') };
};

describe.skipIf(checker === undefined)('terraform test', () => {
  it('passes where nothing is wrong', async () => {
    const { passed, output } = await outputOf(await copyInfra());
    expect(output).toContain('0 failed');
    expect(passed).toBe(true);
  }, 300_000);

  it.each([
    [
      'a job without dead letters',
      'modules/event-bus/main.tf',
      /\n {2}dead_letter_policy \{[^}]*\}\n/,
      '\n',
      'A job has no dead letters',
    ],
    [
      'a secret that a function can read which does not name it',
      'modules/secrets/main.tf',
      'function.member if contains(function.secrets, name)',
      'function.member',
      'A secret is readable by a function that does not name it',
    ],
    [
      'a route that is missing from the URL map',
      'modules/edge/main.tf',
      /flatten\(\[for path in path_rule.value.paths : .*\]\)/,
      '[for path in path_rule.value.paths : path]',
      'A route is missing from the URL map',
    ],
    [
      'a function that can be reached past the load balancer',
      'modules/function/main.tf',
      'ALLOW_INTERNAL_AND_GCLB',
      'ALLOW_ALL',
      'A function can be reached past the load balancer',
    ],
  ])(
    'finds %s',
    async (_what, file, what, by, message) => {
      const infra = await copyInfra();
      await plant(join(infra, file), what, by);
      const { passed, output } = await outputOf(infra);
      expect(output).toContain(message);
      expect(passed).toBe(false);
    },
    300_000,
  );

  it('finds a manifest that is not the one the packages were built with', async () => {
    const infra = await copyInfra();
    const digest = createHash('sha256')
      .update(await readFile(join(infra, 'manifest.json')))
      .digest('hex');
    await plant(join(infra, 'tests/root.tftest.hcl'), 'run.manifest.digest', `"${digest}"`);
    await plant(join(infra, 'manifest.json'), /"maxDeliveries":\d+/, '"maxDeliveries":99');
    const { passed, output } = await outputOf(infra);
    expect(output).toContain('The manifest is stale');
    expect(passed).toBe(false);
  }, 300_000);
});
