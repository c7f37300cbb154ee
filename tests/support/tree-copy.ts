import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { root } from '#scripts/lib/functions.ts';

const folders = ['shared', 'functions', 'scripts', 'tests', 'docs', 'infra', '.gitignore'];

export interface TreeCopy {
  readonly folder: string;
  /** Runs a program of node_modules in the copy; what it prints, and how it ended. */
  run(program: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
  /** Runs it, and fails with what it printed unless it succeeds. */
  succeed(program: string, ...args: readonly string[]): Promise<void>;
}

/** The repository's files in a temporary folder, for what writes into them. Removed after the file's last test. */
export const copyTree = async (): Promise<TreeCopy> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-tree-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const files = (await readdir(root)).filter((name) => /\.(?:json|ts|rules)$/.test(name));
  for (const name of [...folders, ...files]) await cp(join(root, name), join(folder, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));

  const run: TreeCopy['run'] = (program, ...args) => {
    // Without what Vitest tells its workers.
    const { PATH, HOME, FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST } = process.env;
    const env = { PATH, HOME, FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST, NO_COLOR: '1' };
    const options = { cwd: folder, env, maxBuffer: 1e7 };
    return new Promise((resolve) => {
      const child = execFile(join(root, 'node_modules/.bin', program), args, options, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode ?? 1, output: stdout + stderr }),
      );
    });
  };
  return {
    folder,
    run,
    succeed: async (program, ...args) => {
      const { code, output } = await run(program, ...args);
      expect(code, `${program} ${args.join(' ')}\n${output}`).toBe(0);
    },
  };
};
