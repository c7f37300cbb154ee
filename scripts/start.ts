import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/functions.ts';
import { type StartOptions, startOmni } from './lib/starter.ts';

const usage = `npm start -- [--port 8080] [--isolated] [--dev-file .omni/dev.json]

  --port N         listen on another port; 0 takes a free one
  --isolated       run each built function in a process of its own, as production does
  --dev-file PATH  where tools find base URL, key and secrets; the lock stands beside it`;

const readOptions = (): StartOptions | undefined => {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8080' },
      isolated: { type: 'boolean', default: false },
      'dev-file': { type: 'string', default: join(root, '.omni/dev.json') },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new Error(`${values.port} is no port.`);
  const devFile = resolve(values['dev-file']);
  return {
    port,
    isolated: values.isolated,
    devFile,
    lockFile: join(dirname(devFile), 'lock'),
    environment: process.env,
    say: (line) => console.log(line),
    log: (text) => process.stdout.write(text),
  };
};

/** Resolves at the first Ctrl-C or SIGTERM; the second ends the process at once, and its children end with it. */
const untilAsked = (): Promise<void> =>
  new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve();
      });
    }
  });

const main = async (): Promise<void> => {
  const options = readOptions();
  if (options === undefined) {
    console.log(usage);
    return;
  }
  const asked = untilAsked();
  const starting = startOmni(options);
  await Promise.race([starting, asked]);
  const running = await starting;
  await asked;
  options.say('Ending …');
  await running.disposeAsync();
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
