import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { untilInputCloses } from './emulators.ts';
import { freePort } from './ports.ts';

/** A built function in its own functions-framework process, as production runs it. */
export interface FrameworkProcess {
  readonly pid: number;
  readonly port: number;
  /** Resolves when it listens; fails with what it printed where it ended instead. */
  listening(): Promise<void>;
  /** Asks it to end, makes it end after ten seconds as Cloud Run does, and returns when it has ended. */
  stop(): Promise<void>;
}

export interface FrameworkOptions {
  readonly name: string;
  /** The built function's folder. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** A program that is to start it, with its arguments: `['taskset', '-c', '0']`. */
  readonly under?: readonly string[];
  /** Gets what it prints. */
  readonly log?: (text: string) => void;
}

/** The framework's program as Node finds it from there, from which the bin link in node_modules comes too. */
const frameworkMain = (directory: string): string => {
  const paths = [directory, import.meta.dirname];
  const main = createRequire(import.meta.url).resolve('@google-cloud/functions-framework', { paths });
  return join(dirname(main), 'main.js');
};

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (open: boolean) => () => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', answer(true)).once('error', answer(false));
  });

const endedWithin = 10_000;

/** Starts it on a free port, with nothing in its environment but what production sets and what is given. */
export const startFramework = async (options: FrameworkOptions): Promise<FrameworkProcess> => {
  const { name, directory, env, under = [], log = () => {} } = options;
  const port = await freePort();
  const child = spawn(
    'sh',
    [
      ...['-c', untilInputCloses, 'sh'],
      ...under,
      process.execPath,
      frameworkMain(directory),
      `--target=${name}`,
      `--source=${directory}`,
      `--port=${port}`,
    ],
    {
      detached: true,
      stdio: 'pipe',
      env: { PATH: process.env.PATH, NODE_ENV: 'production', K_SERVICE: name, FUNCTION_TARGET: name, ...env },
    },
  );
  child.stdin.on('error', () => {});
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-4_000);
      log(text);
    });
  }
  let ended = false;
  const end = new Promise<void>((resolve) => {
    child.once('exit', () => resolve()).once('error', () => resolve());
  }).then(() => {
    ended = true;
  });
  return {
    pid: child.pid ?? 0,
    port,
    listening: async () => {
      while (!(await isListening(port))) {
        if (ended) throw new Error(`The function ${name} did not start. It said: ${output.trim() || 'nothing'}`);
        await sleep(10);
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), endedWithin);
      await end;
      clearTimeout(kill);
    },
  };
};
