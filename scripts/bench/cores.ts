import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

/** The core that is for what is measured alone, be it ours or the baseline. */
export const measured = ['taskset', '-c', '0'] as const;

/** Taken at the start: a process that is kept to some cores sees no others. */
const last = availableParallelism() - 1;
const all = `0-${last}`;
const others = last === 0 ? '0' : `1-${last}`;

const keepTo = async (cores: string, processes: readonly number[]): Promise<void> => {
  for (const pid of processes) await promisify(execFile)('taskset', ['-a', '-c', '-p', cores, String(pid)]);
};

/**
 * Runs `work` with the client and these processes kept off the measured core, as they would be on machines of their
 * own. Where they may run anywhere, the system puts them there whenever it likes, and ours pays for them.
 */
export const besides = async <R>(processes: readonly number[], work: () => Promise<R>): Promise<R> => {
  const kept = [process.pid, ...processes];
  await keepTo(others, kept);
  try {
    return await work();
  } finally {
    await keepTo(all, kept);
  }
};
