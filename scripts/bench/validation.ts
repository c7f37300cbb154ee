import { rm } from 'node:fs/promises';
import { expectStatus, keepAlive, send, timeOf } from './client.ts';
import { bearer, builtFunction, churn, type Ground, postQuestion, withFunction } from './ground.ts';
import { profileFolder, profiling, type SelfTime, selfTimes } from './profile.ts';
import type { ProfileSummary } from './report.ts';

const warmUp = 500;
const requests = 3_000;

/** What builds a schema, or a document from one. zod makes each schema by `init` functions that it calls `inst`. */
const buildsSchemas = ({ function: name, module }: SelfTime): boolean =>
  /to-json-schema|json-schema-processors|json-schema-generator|shared\/http\/openapi\.ts/.test(module) ||
  (/node_modules\/zod\/.*\/(core|schemas|checks|api|registries|iso)\.js$/.test(module) &&
    /^(init|_|\$constructor|Definition|_[a-z]\w*|generateFastpass|register|meta|clone)$/.test(name));

/** Profiles the warm function under validated POSTs and requests for its OpenAPI document. */
export const profileValidation = async ({ environment, key }: Ground): Promise<ProfileSummary> => {
  const folder = await profileFolder();
  const agent = keepAlive(8);
  const milliseconds = await withFunction(
    builtFunction('ai'),
    { ...environment, ...profiling(folder) },
    async (url) => {
      const ask = async (index: number): Promise<void> => {
        if (index % 2 === 0) expectStatus(await send(agent, `${url}${churn}`, postQuestion(key)), 201);
        else expectStatus(await send(agent, `${url}/openapi.json`, { headers: bearer(key) }), 200);
      };
      await timeOf(warmUp, 8, ask);
      const taken = await timeOf(requests, 8, ask);
      agent.destroy();
      return taken;
    },
  );
  const times = await selfTimes(folder, milliseconds);
  const shareOf = (all: readonly SelfTime[]): number =>
    all.filter(buildsSchemas).reduce((sum, { share }) => sum + share, 0);
  const withStart = shareOf(await selfTimes(folder, Number.POSITIVE_INFINITY));
  await rm(folder, { recursive: true });
  return {
    requests,
    schemaBuilding: shareOf(times),
    withStart,
    top: times.slice(0, 10),
  };
};
