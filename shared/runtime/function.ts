import type { Job } from '../events/define-job.ts';
import type { Schedule } from '../events/define-schedule.ts';
import type { Route } from '../http/endpoint.ts';
import type { AnyCollection } from '../store/collection.ts';

/** What of the cloud a function's own code uses. It gets the roles for that and no others. */
export type Use = 'blobs' | 'encryption' | 'locked-blobs' | 'publish' | 'redis' | 'token-signing';

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
  /** A Cloud Function, or a Cloud Run service of its own for connections that stay open. `function` where absent. */
  readonly kind?: 'function' | 'service';
  /** Virtual processors: a whole one is needed to serve more than one request at a time. 1 where absent. */
  readonly cpu?: number;
  /** Seconds that a request may take. Those of its longest job and a little, and at least 60, where absent. */
  readonly timeout?: number;
  /** Instances in each region. 0 and 100 where absent; an environment may keep more of them warm. */
  readonly instances?: { readonly min?: number; readonly max?: number };
  /** What the manifest can't see by itself: it finds what `createServices` takes from the runtime. */
  readonly uses?: readonly Use[];
  /** MiB that its package may have, zipped. 6 where absent; the build fails beyond it. */
  readonly packageBudget?: number;
}

/** Fixes the type of the services. */
export const defineFunction = <S>(definition: FunctionDefinition<S>): FunctionDefinition<S> => definition;
