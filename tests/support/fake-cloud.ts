import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import * as z from 'zod';
import { type Run, runProgram } from '#scripts/lib/deploy/run.ts';
import { listen } from '#scripts/lib/ports.ts';

const tools = resolve(import.meta.dirname, 'cloud-tools.ts');

export interface FakeCloud {
  readonly projectId: string;
  readonly bucket: string;
  /** Runs programs with the fakes before all others on PATH. */
  readonly run: Run;
  /** Each call of a program that begins like one of these fails once. */
  fail(...calls: readonly string[]): Promise<void>;
  /** The first three words of every call so far. */
  calls(): Promise<string[]>;
  /** The release that the last apply brought out. */
  deployed(): Promise<string | undefined>;
  /** The release whose requests are all answered with 500. */
  break(release: string): void;
}

/** Programs of the cloud on PATH, and what they deploy behind an address that answers. */
export const fakeCloud = async (): Promise<FakeCloud> => {
  const world = await mkdtemp(join(tmpdir(), 'omni-cloud-'));
  onTestFinished(() => rm(world, { recursive: true, force: true }));
  const [projectId, bucket] = ['omni-test', 'omni-test-state'];
  const bin = join(world, 'bin');
  await mkdir(bin);
  await mkdir(join(world, 'buckets', bucket), { recursive: true });
  for (const program of ['terraform', 'gcloud', 'firebase']) {
    await writeFile(join(bin, program), `#!/bin/sh\nexec "${process.execPath}" "${tools}" ${program} "$@"\n`);
    await chmod(join(bin, program), 0o755);
  }
  let broken = '';
  const deployed = async (): Promise<string | undefined> => {
    const text = await readFile(join(world, 'deployed.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : z.object({ release: z.string() }).parse(JSON.parse(text)).release;
  };
  const server = createServer(async (request, response) => {
    const version = await deployed();
    const problem = (status: number) =>
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end('{}');
    if (version === undefined || version === broken) problem(500);
    else if (request.url === '/healthz') response.end(JSON.stringify({ status: 'ok', version }));
    else if (request.url === '/readyz') response.end('{}');
    else problem(request.url === '/api/v1/things' ? 401 : 404);
  });
  onTestFinished(() => {
    server.close();
  });
  const url = `http://127.0.0.1:${await listen(server, 0)}`;
  await writeFile(join(world, 'config.json'), JSON.stringify({ projectId, bucket, url }));

  return {
    projectId,
    bucket,
    run: (command) =>
      runProgram({
        ...command,
        env: { ...command.env, FAKE_CLOUD: world, PATH: [bin, process.env.PATH].join(delimiter) },
      }),
    fail: (...calls) => writeFile(join(world, 'failures'), calls.join('\n')),
    calls: async () =>
      (await readFile(join(world, 'calls'), 'utf8').catch(() => ''))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' ').slice(0, 3).join(' ').replace(/ -.*$/, '')),
    deployed,
    break: (release) => {
      broken = release;
    },
  };
};
