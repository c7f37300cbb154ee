import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

/** A V8 CPU profile, of which only what is needed is read. Times in microseconds. */
const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.int(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.int() }),
      children: z.array(z.int()).optional(),
    }),
  ),
  endTime: z.number(),
  startTime: z.number(),
  samples: z.array(z.int()),
  timeDeltas: z.array(z.number()),
});
type Profile = z.infer<typeof profileSchema>;

/** Time spent in one function itself, as a share of the time in which the process was busy. */
export interface SelfTime {
  readonly function: string;
  /** The file in the sources or packages from which the bundler took it. */
  readonly module: string;
  readonly share: number;
}

export const profileFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'omni-bench-'));

/** For the environment of a process that is to write its profile into `folder` when it ends. */
export const profiling = (folder: string): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${folder}`,
});

const readProfile = async (folder: string): Promise<Profile> => {
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('The process left no profile.');
  return profileSchema.parse(JSON.parse(await readFile(join(folder, file), 'utf8')));
};

const packagePath = (path: string): string => path.replace(/^.*\/node_modules\//, 'node_modules/');

/** The bundler names each module in a comment before its code. */
const moduleFinder = () => {
  const files = new Map<string, Promise<readonly string[]>>();
  return async (url: string, line: number): Promise<string> => {
    if (!url.startsWith('file:') || url.includes('/node_modules/')) return packagePath(url);
    const lines = files.get(url) ?? readFile(fileURLToPath(url), 'utf8').then((text) => text.split('\n'));
    files.set(url, lines);
    const comment = (await lines).slice(0, line + 1).findLast((text) => /^\/\/ [\w#@.][\w/@.-]*\.\w+$/.test(text));
    return packagePath(comment?.slice(3) ?? 'the bundle');
  };
};

const idle = new Set(['(idle)', '(program)', '(root)']);

/** Self times of the last `milliseconds` of a profile, the largest first. */
export const selfTimes = async (folder: string, milliseconds: number): Promise<SelfTime[]> => {
  const { nodes, samples, timeDeltas, startTime, endTime } = await readProfile(folder);
  const times = new Map<number, number>();
  let time = startTime;
  for (const [i, id] of samples.entries()) {
    const delta = timeDeltas[i] ?? 0;
    time += delta;
    if (time >= endTime - milliseconds * 1_000) times.set(id, (times.get(id) ?? 0) + delta);
  }
  const moduleOf = moduleFinder();
  const byFunction = new Map<string, { readonly function: string; readonly module: string; time: number }>();
  let busy = 0;
  for (const { id, callFrame } of nodes) {
    const self = times.get(id) ?? 0;
    if (self === 0 || idle.has(callFrame.functionName)) continue;
    busy += self;
    const name = callFrame.functionName || '(anonymous)';
    const module = await moduleOf(callFrame.url, callFrame.lineNumber);
    const key = `${name} ${module} ${callFrame.lineNumber}`;
    const entry = byFunction.get(key) ?? { function: name, module, time: 0 };
    entry.time += self;
    byFunction.set(key, entry);
  }
  return [...byFunction.values()]
    .map(({ time: self, ...rest }) => ({ ...rest, share: self / busy }))
    .sort((a, b) => b.share - a.share);
};
