import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Outputs } from './terraform.ts';

export interface SmokeOptions {
  /** Milliseconds for all of it: a certificate of a new domain takes up to an hour. */
  readonly patience: number;
  /** Milliseconds between tries. */
  readonly pause: number;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const ask = async (url: string): Promise<Answer> => {
  const response = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(10_000) });
  return { status: response.status, type: response.headers.get('content-type') ?? '', body: await response.text() };
};

const versionIn = ({ body }: Answer): string | undefined => {
  try {
    return z.object({ version: z.string() }).parse(JSON.parse(body)).version;
  } catch {
    return undefined;
  }
};

type Check = (outputs: Outputs) => Promise<string | undefined>;

const alive: Check = async ({ url, release }) => {
  const answer = await ask(`${url}/healthz`);
  if (answer.status !== 200) return `/healthz answers with ${answer.status}.`;
  const version = versionIn(answer);
  return version === release ? undefined : `/healthz is of release ${version ?? 'unknown'}, not ${release}.`;
};

const ready: Check = async ({ url }) => {
  const { status } = await ask(`${url}/readyz`);
  return status === 200 ? undefined : `/readyz answers with ${status}: the function does not reach its database.`;
};

/** Without credentials a path answers by refusing; what matters is that a function of ours does. */
const routed: Check = async ({ url, paths }) => {
  for (const path of paths) {
    const { status, type } = await ask(`${url}${path}`);
    if (status >= 500 || !type.startsWith('application/problem+json')) {
      return `${path} answers with ${status} ${type || 'and no type'}: no function of ours is there.`;
    }
  }
  return undefined;
};

const closed: Check = async ({ url }) => {
  const { status } = await ask(`${url}/internal/dead-letters`);
  return status === 404 || status === 403 ? undefined : `/internal/dead-letters answers outsiders with ${status}.`;
};

const checks: readonly Check[] = [alive, ready, routed, closed];

const firstProblem = async (outputs: Outputs): Promise<string | undefined> => {
  for (const check of checks) {
    const problem = await check(outputs).catch(
      (error: unknown) => `${outputs.url} can't be reached: ${error instanceof Error ? error.message : String(error)}`,
    );
    if (problem !== undefined) return problem;
  }
  return undefined;
};

/** Asks the deployed addresses until all is well. Fails with the last problem when its patience ends. */
export const smokeTest = async (outputs: Outputs, { patience, pause }: SmokeOptions): Promise<void> => {
  const until = performance.now() + patience;
  for (;;) {
    const problem = await firstProblem(outputs);
    if (problem === undefined) return;
    if (performance.now() + pause > until) throw new Error(`The smoke test fails. ${problem}`);
    await sleep(pause);
  }
};
