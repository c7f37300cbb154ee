import type { Job } from '../events/define-job.ts';
import type { Schedule } from '../events/define-schedule.ts';
import type { Route } from '../http/endpoint.ts';
import type { AnyCollection } from '../store/collection.ts';

/** What the deployment must know of a function. Terraform, the build and the starter read it from the manifest. */
export interface FunctionDefinition<S> {
  readonly name: string;
  /** Public path prefixes, from which requests are routed to it: `/api/v1/ai-intelligence`. */
  readonly paths: readonly string[];
  /** The operations, over the services that their handlers call. */
  readonly routes: (services: S) => readonly Route[];
  readonly jobs: readonly Job<S>[];
  /** Timers that this function's domain owns. Any function's jobs may take their ticks. */
  readonly schedules: readonly Schedule[];
  readonly collections: readonly AnyCollection[];
  /** Names of environment variables that hold secrets. */
  readonly secrets: readonly string[];
  /** MiB. 512 where absent. */
  readonly memory?: number;
  /** Requests that one instance serves at a time. 80 where absent. */
  readonly concurrency?: number;
}

/** Fixes the type of the services. */
export const defineFunction = <S>(definition: FunctionDefinition<S>): FunctionDefinition<S> => definition;
