import * as z from 'zod';
import { isOmniError } from '../kernel/errors.ts';
import type { DomainEvent } from '../kernel/event.ts';
import { within } from '../kernel/within.ts';
import type { Database, Stored } from '../store/store.ts';
import type { Logger } from '../telemetry/index.ts';
import type { DeadLetters } from './dead-letters.ts';
import { matchesType } from './define-event.ts';
import type { Job, JobContext } from './define-job.ts';
import type { Inbox, InboxEntry } from './inbox.ts';

/**
 * What became of a delivery. All but `retry` and `busy` are acknowledged; those two are answered with a failure, so
 * that the bus delivers again.
 */
export type Outcome = 'done' | 'duplicate' | 'ignored' | 'dead' | 'retry' | 'busy';

export interface JobRunnerOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly inbox: Inbox;
  readonly deadLetters: DeadLetters;
  /** Whether a tenant is gone for good, so that nothing may be written for it any more. None is where absent. */
  readonly isErased?: (tenant: string) => Promise<boolean>;
  readonly logger: Logger;
}

export type RunJob = <S>(job: Job<S>, event: DomainEvent, services: S) => Promise<Outcome>;

/** A worker that has not answered this long after its job's time is up is taken for dead. Milliseconds. */
const leaseMargin = 15_000;

/** Trying again can't help where the event itself is wrong. */
const isPermanent = (error: unknown): boolean => error instanceof z.ZodError || isOmniError(error, 'invalid-request');

const reasonOf = (error: unknown): string =>
  isOmniError(error) ? error.code : error instanceof Error ? error.name : 'unknown';

export const createJobRunner = (options: JobRunnerOptions): RunJob => {
  const { database, inbox, deadLetters, isErased = async () => false, logger } = options;

  const bury = (job: Job<never>, event: DomainEvent, entry: Stored<InboxEntry>, reason: string) =>
    database.transaction((transaction) => {
      inbox.settle(transaction, entry, 'dead');
      deadLetters.bury(transaction, entry.id, { job: job.name, event, reason, attempts: entry.value.attempts });
    });

  const attempt = async <S>(job: Job<S>, event: DomainEvent, services: S, entry: Stored<InboxEntry>): Promise<void> => {
    let committed = false;
    const commit: JobContext['commit'] = async (work) => {
      if (committed) throw new Error(`${job.name} commits twice in one run`);
      const result = await database.transaction(async (transaction) => {
        const answer = await work(transaction);
        inbox.settle(transaction, entry, 'done');
        return answer;
      });
      committed = true;
      return result;
    };
    await within(job.timeout, (signal) => job.run(event, { commit, attempt: entry.value.attempts, signal }, services));
    if (!committed) await commit(() => undefined);
  };

  return async (job, event, services) => {
    if (!job.eventTypes.some((type) => matchesType(type, event.type))) return 'ignored';
    // It came late: from a retry, or a redrive.
    if (await isErased(event.tenant)) return 'ignored';
    const claim = await inbox.claim(`${job.name}:${event.id}`, job.timeout * 1000 + leaseMargin);
    if (claim.state === 'settled') return 'duplicate';
    if (claim.state === 'busy') return 'busy';
    const { entry } = claim;
    const log = logger.child({ job: job.name, event: event.id, attempt: entry.value.attempts });
    try {
      // Past the limit without a verdict: the workers before this one died on it, and this one would too.
      if (entry.value.attempts > job.maxAttempts) {
        await bury(job, event, entry, 'worker-died');
        log.error('Dead letter: its workers died.', {});
        return 'dead';
      }
      await attempt(job, event, services, entry);
      return 'done';
    } catch (error) {
      if (isPermanent(error) || entry.value.attempts >= job.maxAttempts) {
        await bury(job, event, entry, reasonOf(error));
        log.error('Dead letter.', { error });
        return 'dead';
      }
      log.warn('The job failed and will run again.', { error });
      await inbox.release(entry);
      return 'retry';
    }
  };
};
