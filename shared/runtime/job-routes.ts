import * as z from 'zod';
import type { DeadLetters } from '../events/dead-letters.ts';
import { deadLetterSchema } from '../events/dead-letters.ts';
import type { Job } from '../events/define-job.ts';
import type { Outcome, RunJob } from '../events/job-runner.ts';
import { eventOfPush } from '../events/push.ts';
import { endpoint, handle, type Route } from '../http/endpoint.ts';
import { pageQuery, pageSchema } from '../http/page.ts';
import { OmniError } from '../kernel/errors.ts';
import { type Metrics, runWithContext, type Tracing } from '../telemetry/index.ts';

/** Pub/Sub's messages have at most 10 MB, and base64 adds a third. */
const maxPush = 14_000_000;

const push = endpoint({
  method: 'post',
  path: '/jobs/{job}',
  summary: 'Run a job on a pushed event',
  access: 'internal',
  params: z.object({ job: z.string() }),
  // Where the development's identity comes with the subscription's URL.
  query: z.object({ token: z.string().optional() }),
  body: z.unknown(),
  maxBody: maxPush,
  status: 204,
  errors: ['not-found', 'unavailable'],
});

const listDeadLetters = endpoint({
  method: 'get',
  path: '/dead-letters',
  summary: 'List events that a job gave up on',
  access: 'internal',
  query: pageQuery,
  status: 200,
  response: pageSchema(deadLetterSchema.extend({ id: z.string() })),
});

const redrive = endpoint({
  method: 'post',
  path: '/dead-letters/{id}/redrive',
  summary: 'Publish a dead letter again',
  access: 'internal',
  params: z.object({ id: z.string() }),
  status: 202,
  errors: ['not-found'],
});

export interface JobRoutesOptions {
  readonly runJob: RunJob;
  readonly deadLetters: DeadLetters;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
}

/** The endpoint that Pub/Sub pushes to, and the calls that look after what was given up. */
export const jobRoutes = <S>(
  jobs: readonly Job<S>[],
  services: S,
  { runJob, deadLetters, metrics, tracing }: JobRoutesOptions,
): Route[] => {
  const byName = new Map(jobs.map((job) => [job.name, job]));
  const outcomes = metrics.counter('jobs_total', 'Deliveries to jobs by what became of them.', ['job', 'outcome']);

  const run = async (job: Job<S>, body: unknown): Promise<Outcome> => {
    const event = eventOfPush(body);
    return runWithContext({ tenant: event.tenant, requestId: event.id }, () =>
      tracing.withSpan(
        `job ${job.name}`,
        { kind: 'consumer', parent: tracing.extract({ ...event }), attributes: { 'messaging.message.id': event.id } },
        () => runJob(job, event, services),
      ),
    );
  };

  return [
    handle(push, async ({ params, body }) => {
      const job = byName.get(params.job);
      if (job === undefined) throw new OmniError('not-found', 'This function has no such job.');
      const outcome = await run(job, body);
      outcomes.add({ job: job.name, outcome });
      // A failure makes the bus deliver again.
      if (outcome === 'retry' || outcome === 'busy') throw new OmniError('unavailable', `The job is to ${outcome}.`);
      return undefined;
    }),
    handle(listDeadLetters, ({ query }) => deadLetters.list(query)),
    handle(redrive, async ({ params }) => {
      await deadLetters.redrive(params.id);
      return undefined;
    }),
  ];
};
