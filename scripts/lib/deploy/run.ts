import { spawn } from 'node:child_process';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Its output is the result and not shown. Otherwise it is shown as it comes, and the result is empty. */
  readonly capture?: boolean;
}

/** Runs a program to its end. Fails with its name and status where it fails, never with its arguments' values. */
export type Run = (command: Command) => Promise<string>;

export const runProgram: Run = ({ program, args, cwd, env, capture = false }) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', (error) => {
      const absent = 'code' in error && error.code === 'ENOENT';
      reject(absent ? new Error(`${program} is not installed: docs/deploy.md says what is needed.`) : error);
    });
    child.once('close', (status, signal) => {
      if (status === 0) resolve(output);
      else reject(new Error(`${program} ${args[0] ?? ''} ended with ${status ?? signal}.`));
    });
  });
