import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { buildFunctions, dist } from './lib/build-functions.ts';
import { deploy } from './lib/deploy/deploy.ts';
import { environments, isEnvironment, readEnvironment } from './lib/deploy/environment.ts';
import { runProgram } from './lib/deploy/run.ts';
import { loadFunctions, root } from './lib/functions.ts';
import { generatedFiles, staleFiles } from './lib/generated.ts';

const usage = `npm run deploy -- --env <${environments.join(' | ')}> [--dry-run] [--yes] [--smoke-minutes 10]

  --dry-run          build and plan, and change nothing
  --yes              do not ask
  --smoke-minutes N  how long to wait until the new release answers; a new domain's certificate takes up to an hour`;

/** Prod wants its name, the others a yes. Where nobody can be asked, only --yes goes on. */
const confirmWith =
  (name: string) =>
  async (question: string): Promise<boolean> => {
    if (!process.stdin.isTTY) throw new Error('Nobody can be asked here: add --yes to deploy without.');
    const wanted = name === 'prod' ? name : 'yes';
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`${question} Type ${wanted}: `);
    terminal.close();
    return answer.trim() === wanted;
  };

const build = async (): Promise<void> => {
  const functions = await loadFunctions();
  const stale = await staleFiles(await generatedFiles(functions));
  if (stale.length > 0) throw new Error(`Stale: ${stale.join(', ')}. Run npm run manifest and commit the result.`);
  await buildFunctions(functions);
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      env: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      'smoke-minutes': { type: 'string', default: '10' },
      help: { type: 'boolean', default: false },
    },
  });
  const name = values.env ?? '';
  if (values.help || !isEnvironment(name)) {
    console.log(usage);
    if (!values.help) process.exitCode = 1;
    return;
  }
  await deploy({
    environment: await readEnvironment(name),
    dryRun: values['dry-run'],
    repository: root,
    dist,
    smoke: { patience: Number(values['smoke-minutes']) * 60_000, pause: 5_000 },
    build,
    confirm: values.yes ? async () => true : confirmWith(name),
    run: runProgram,
    say: (line) => console.log(`==> ${line}`),
  });
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
