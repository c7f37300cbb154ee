import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { root } from './lib/functions.ts';
import { routeNames } from './lib/new-route/names.ts';
import { planRoute } from './lib/new-route/plan.ts';

const usage =
  'Usage: npm run new:route -- <group> <route> [--thing <singular>], such as: support feedback --thing survey';

const argumentsOf = (): { group: string; route: string; thing: string | undefined } => {
  try {
    const { positionals, values } = parseArgs({ allowPositionals: true, options: { thing: { type: 'string' } } });
    const [group, route, ...more] = positionals;
    if (group !== undefined && route !== undefined && more.length === 0) return { group, route, thing: values.thing };
  } catch {
    // An option that there is none of: the usage says which there are.
  }
  throw new Error(usage);
};

const run = async (program: string, ...args: string[]): Promise<void> => {
  await promisify(execFile)(program, args, { cwd: root });
};

const main = async (): Promise<void> => {
  const { group, route, thing } = argumentsOf();
  const names = routeNames(group, route, thing);
  const { files, byHand } = await planRoute(names);
  for (const [path, content] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  console.log(`Wrote ${names.path}:\n${[...files.keys()].map((path) => `  ${path}`).join('\n')}`);
  await run(join(root, 'node_modules/.bin/biome'), 'check', '--write', ...files.keys());
  await run(process.execPath, 'scripts/manifest.ts');
  if (byHand.length > 0) {
    console.log(`Files with a shape of their own. Add by hand, then npm run manifest:\n${byHand.join('\n')}`);
  }
  console.log(`Next: npm run check && npm test -- shared/${group}/${route} functions/${group} tests/api`);
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
