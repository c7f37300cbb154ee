import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import * as z from 'zod';
import { type Run, runProgram } from '#scripts/lib/deploy/run.ts';
import { listen } from '#scripts/lib/ports.ts';
import { cloudTools } from './cloud-tools.ts';

export interface FakeCloud {
  readonly projectId: string;
  readonly bucket: string;
  /** Runs programs with the fakes before all others on PATH. */
  readonly run: Run;
  /** Each call of a program that begins like one of these fails once. */
  fail(...calls: readonly string[]): void;
  /** The first words of every call so far. */
  readonly calls: readonly string[];
  /** The release that the last apply brought out. */
  deployed(): Promise<string | undefined>;
  /** The release whose requests are all answered with 500. */
  break(release: string): void;
}

const serve = async (listener: RequestListener): Promise<string> => {
  const server = createServer(listener);
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${await listen(server, 0)}`;
};

/** A program that hands its folder and arguments to the test, prints the answer, and fails where the test says so. */
const script = (program: string, url: string): string => `#!/bin/sh
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=$(printf '%s\\n' "$PWD" ${program} "$@" | curl -s -o "$answer" -w '%{http_code}' --data-binary @- ${url})
if [ "$status" = 200 ]; then cat "$answer"; else cat "$answer" >&2; exit 1; fi
`;

const wordsOf = (call: string): string =>
  call
    .split(' ')
    .slice(0, 3)
    .join(' ')
    .replace(/ [-/].*$/, '');

/** What answers at the deployed address. */
const deployedApi =
  (deployed: FakeCloud['deployed'], isBroken: (release: string) => boolean): RequestListener =>
  async (request, response) => {
    const version = await deployed();
    const problem = (status: number) =>
      response.writeHead(status, { 'content-type': 'application/problem+json' }).end('{}');
    if (version === undefined || isBroken(version)) problem(500);
    else if (request.url === '/healthz') response.end(JSON.stringify({ status: 'ok', version }));
    else if (request.url === '/readyz') response.end('{}');
    else problem(request.url === '/api/v1/things' ? 401 : 404);
  };

/** Programs of the cloud on PATH, and what they deploy behind an address that answers. */
export const fakeCloud = async (): Promise<FakeCloud> => {
  const world = await mkdtemp(join(tmpdir(), 'omni-cloud-'));
  onTestFinished(() => rm(world, { recursive: true, force: true }));
  const [projectId, bucket] = ['omni-test', 'omni-test-state'];
  await mkdir(join(world, 'buckets', bucket), { recursive: true });

  const deployed = async (): Promise<string | undefined> => {
    const json = await readFile(join(world, 'deployed.json'), 'utf8').catch(() => undefined);
    return json === undefined ? undefined : z.object({ release: z.string() }).parse(JSON.parse(json)).release;
  };
  let broken = '';
  const url = await serve(deployedApi(deployed, (release) => release === broken));

  const tools = cloudTools({ world, projectId, bucket, url });
  const calls: string[] = [];
  let failures: string[] = [];
  const answer = async (lines: readonly string[]): Promise<string> => {
    const [cwd = '', program = '', ...args] = lines;
    const call = [program, ...args].join(' ');
    calls.push(wordsOf(call));
    const index = failures.findIndex((one) => call.startsWith(one));
    if (index >= 0) {
      failures = failures.toSpliced(index, 1);
      throw new Error('fails, as it was told to');
    }
    return tools({ program, args, cwd });
  };
  const bridge = await serve(async (request, response) => {
    const lines = (await text(request)).split('\n').slice(0, -1);
    try {
      response.end(await answer(lines));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      response.writeHead(500).end(`${lines.slice(1).join(' ')}: ${why}\n`);
    }
  });
  const bin = join(world, 'bin');
  await mkdir(bin);
  for (const program of ['terraform', 'gcloud', 'firebase']) {
    await writeFile(join(bin, program), script(program, bridge));
    await chmod(join(bin, program), 0o755);
  }

  return {
    projectId,
    bucket,
    calls,
    deployed,
    run: (command) =>
      runProgram({ ...command, env: { ...command.env, PATH: [bin, process.env.PATH].join(delimiter) } }),
    fail: (...told) => {
      failures = [...told];
    },
    break: (release) => {
      broken = release;
    },
  };
};
