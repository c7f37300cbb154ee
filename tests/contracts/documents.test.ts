import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { root } from '#scripts/lib/functions.ts';

const textOf = (path: string): Promise<string> => readFile(join(root, path), 'utf8');
const readme = await textOf('README.md');

describe('README.md', () => {
  it('names every variable that the configuration reads', async () => {
    const names = [...(await textOf('shared/config/config.ts')).matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(
      ([, name]) => name,
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !readme.includes(`| \`${name}\` |`))).toEqual([]);
  });

  it('names only commands that there are', async () => {
    const { scripts } = z
      .object({ scripts: z.record(z.string(), z.string()) })
      .parse(JSON.parse(await textOf('package.json')));
    const contributing = await textOf('CONTRIBUTING.md');
    const named = [...`${readme}${contributing}`.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

it.each(['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/models/churn.md'])(
  '%s has no link into nowhere',
  async (path) => {
    const targets = [...(await textOf(path)).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, target = '']) => target);
    const local = targets.filter((target) => !/^[a-z]+:/.test(target));
    expect(local.length).toBeGreaterThan(0);
    expect(local.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
  },
);
