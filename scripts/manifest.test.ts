import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { defineEvent } from '#shared/events/define-event.ts';
import { defineJob } from '#shared/events/define-job.ts';
import { defineSchedule } from '#shared/events/define-schedule.ts';
import type { FunctionDefinition } from '#shared/runtime/function.ts';
import { platformCollection } from '#shared/store/collection.ts';
import { loadFunctions } from './lib/functions.ts';
import { generatedFiles, staleFiles } from './lib/generated.ts';
import { manifestOf } from './lib/manifest.ts';

describe('what npm run manifest writes', () => {
  it('is in the repository as the code says it now', async () => {
    expect(await staleFiles(await generatedFiles(await loadFunctions()))).toEqual([]);
  });

  it('is told to be stale where a file is absent', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'manifest-'));
    onTestFinished(() => rm(empty, { recursive: true }));
    expect(await staleFiles(new Map([['infra/manifest.json', '{}\n']]), empty)).toEqual(['infra/manifest.json']);
  });
});

describe('the manifest', () => {
  const hourly = defineSchedule({ name: 'hourly', cron: '0 * * * *' });
  const made = defineEvent('a.thing.made', z.object({}));
  const job = (name: string, on = [made]) => defineJob({ name, on, handle: async () => {} });
  const definition = (parts: Partial<FunctionDefinition<unknown>>): FunctionDefinition<unknown> => ({
    name: 'a',
    paths: [],
    routes: () => [],
    jobs: [],
    schedules: [],
    collections: [],
    secrets: [],
    ...parts,
  });

  it('is the same whatever the order in which functions and their parts stand', () => {
    const [one, other] = [job('a.one'), job('a.other')];
    const a = definition({ jobs: [one, other], secrets: ['X', 'Y'] });
    const b = definition({ name: 'b', paths: ['/api/v1/b', '/api/v1/c'] });
    expect(manifestOf([b, { ...a, jobs: [other, one], secrets: ['Y', 'X'] }])).toEqual(manifestOf([a, b]));
  });

  it('says of a job what its subscription needs', () => {
    const both = defineJob({
      name: 'a.both',
      on: [made, defineEvent('a.thing.gone', z.object({}), { ordered: true })],
      timeout: 30,
      handle: async () => {},
    });
    expect(manifestOf([definition({ jobs: [both] })]).functions[0]?.jobs).toEqual([
      {
        name: 'a.both',
        eventTypes: ['a.thing.gone', 'a.thing.made'],
        filter: 'attributes.type = "a.thing.gone" OR attributes.type = "a.thing.made"',
        timeout: 30,
        ackDeadline: 60,
        maxAttempts: 5,
        maxDeliveries: 20,
        backoff: { min: 10, max: 600 },
        ordered: true,
      },
    ]);
  });

  it.each([
    ['two jobs of one name', [{ jobs: [job('a.x')] }, { name: 'b', jobs: [job('a.x')] }], 'Two jobs'],
    [
      'two collections of one name',
      [{ collections: [platformCollection({ name: 'things', schema: z.object({}) })].flatMap((one) => [one, one]) }],
      'Two collections',
    ],
    ['a path inside another', [{ paths: ['/api/v1/x'] }, { name: 'b', paths: ['/api/v1/x/y'] }], 'a and b both take'],
    ['a schedule that nobody takes', [{ schedules: [hourly] }], 'No job takes the tick schedule.hourly'],
    [
      'a tick that nobody sends',
      [{ jobs: [defineJob({ name: 'a.x', on: [hourly.event], handle: async () => {} })] }],
      'no schedule sends',
    ],
    ['a job without events', [{ jobs: [job('a.x', [])] }], 'takes no event'],
    ['a secret that is no variable', [{ secrets: ['stripe-key'] }], 'environment variable'],
  ])('refuses %s', (_, parts, message) => {
    expect(() => manifestOf(parts.map(definition))).toThrow(message);
  });

  it('lets paths be that only begin alike', () => {
    expect(() =>
      manifestOf([definition({ paths: ['/api/v1/x'] }), definition({ name: 'b', paths: ['/api/v1/xy'] })]),
    ).not.toThrow();
  });
});
