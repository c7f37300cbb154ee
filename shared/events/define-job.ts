import type { DomainEvent } from '../kernel/event.ts';
import type { Transaction } from '../store/store.ts';
import { type EventOf, type EventType, matchesType } from './define-event.ts';

/** What a handler is given besides the event and its services. */
export interface JobContext {
  /**
   * Commits the job's effects and the fact that it is done in one transaction, so that neither exists without the
   * other. It fails with `revision-conflict` when this worker's lease was taken over meanwhile. At most once a run.
   */
  commit<R>(work: (transaction: Transaction) => Promise<R> | R): Promise<R>;
  /** 1 on the first run. */
  readonly attempt: number;
  /** Aborts when the job's time is up. */
  readonly signal: AbortSignal;
}

export interface JobOptions {
  /** `<domain>.<what it does>` in kebab-case, unique over all functions: `ai.update-rollup`. */
  readonly name: string;
  /** Seconds, at most 540 (a push subscription waits 600). 60 where absent. */
  readonly timeout?: number;
  /** Runs before the event becomes a dead letter. 5 where absent. */
  readonly maxAttempts?: number;
  /** Seconds between deliveries that fail, growing from the first to the second. 10 and 600 where absent. */
  readonly backoff?: { readonly min: number; readonly max: number };
}

export interface Job<S> {
  readonly name: string;
  readonly timeout: number;
  readonly maxAttempts: number;
  /** Whether an event that it takes is ordered. */
  readonly ordered: boolean;
  readonly backoff: { readonly min: number; readonly max: number };
  readonly eventTypes: readonly string[];
  /** Parses the event's data by its type's schema (a ZodError when it does not parse) and runs the handler. */
  readonly run: (event: DomainEvent, context: JobContext, services: S) => Promise<void>;
}

/**
 * A job: a name, the event types it takes, and a handler. An event arrives at least once; the inbox sees to it that
 * what the handler commits through its context happens once. Effects elsewhere carry the event's id as their
 * idempotency key.
 */
export const defineJob = <D extends Readonly<Record<string, unknown>>, S>(
  options: JobOptions & {
    readonly on: readonly EventType<D>[];
    readonly handle: (event: EventOf<D>, context: JobContext, services: S) => Promise<void>;
  },
): Job<S> => {
  return {
    name: options.name,
    timeout: options.timeout ?? 60,
    maxAttempts: options.maxAttempts ?? 5,
    ordered: options.on.some(({ ordered }) => ordered === true),
    backoff: options.backoff ?? { min: 10, max: 600 },
    eventTypes: [...new Set(options.on.map(({ type }) => type))],
    run: async (event, context, services) => {
      const taken = options.on.find(({ type }) => matchesType(type, event.type));
      if (taken === undefined) throw new Error(`${options.name} does not take ${event.type}`);
      await options.handle({ ...event, data: taken.schema.parse(event.data) }, context, services);
    },
  };
};
