import * as z from 'zod';
import type { Actor } from '../kernel/actor.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { type ErrorCode, isOmniError, OmniError } from '../kernel/errors.ts';
import type { NewId } from '../kernel/ids.ts';
import { tenantCollection } from '../store/collection.ts';
import type { Store, Stored, TenantStore } from '../store/store.ts';

type State = Readonly<Record<string, unknown>>;

export interface StepContext {
  readonly actor: Actor;
  /** The same each time that this step of this run is tried: the idempotency key of what it does outside. */
  readonly key: string;
}

/**
 * One step. It may run again after a crash, so what it does carries the context's key. Its undo is called for the step
 * that failed as well, which may have had its effect or not: it must be right in both cases.
 */
export interface Step<T extends State, S> {
  readonly name: string;
  /** What it adds to the state. */
  readonly run: (state: T, context: StepContext, services: S) => Promise<Partial<T>>;
  readonly undo?: (state: T, context: StepContext, services: S) => Promise<void>;
}

export interface Workflow<T extends State, S> {
  readonly name: string;
  /** JSON-safe, at most a few hundred kilobytes: it is stored after each step. */
  readonly state: z.ZodType<T>;
  readonly steps: readonly Step<T, S>[];
}

/** Work over several domains whose steps carry their undo. Fixes the types. */
export const defineWorkflow = <T extends State, S>(workflow: Workflow<T, S>): Workflow<T, S> => workflow;

const runSchema = z.object({
  workflow: z.string(),
  /** `stuck` is an undo that failed: a resume tries it again. */
  status: z.enum(['running', 'undoing', 'done', 'undone', 'stuck']),
  /** Index of the step to run, or to undo, next. */
  next: z.int(),
  /** JSON text. */
  state: z.string(),
  /** Why it is undone. */
  failure: z.string().optional(),
  startedAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
type Run = z.infer<typeof runSchema>;

export const workflowRunCollection = tenantCollection<Run>({ name: 'workflowRuns', schema: runSchema });

export interface Workflows {
  /**
   * Runs the steps in order, and keeps the state after each. When one fails, undoes it and those before it in reverse
   * order, and throws its error. Call again with the same `id` to go on after a crash; a finished run answers with its
   * state. Of two callers of one run, one fails with `revision-conflict`.
   */
  run<T extends State, S>(
    actor: Actor,
    workflow: Workflow<T, S>,
    input: T,
    services: S,
    options?: { readonly id?: string },
  ): Promise<T>;
}

export interface WorkflowOptions {
  readonly runs: TenantStore<Run>;
  readonly clock: Clock;
  readonly newId: NewId;
}

const failureOf = (error: unknown): ErrorCode => (isOmniError(error) ? error.code : 'internal');

export const createWorkflows = ({ runs, clock, newId }: WorkflowOptions): Workflows => {
  const open = async (store: Store<Run>, id: string, workflow: string, state: unknown): Promise<Stored<Run>> => {
    const now = isoTime(clock.now());
    const fresh: Run = {
      workflow,
      status: 'running',
      next: 0,
      state: JSON.stringify(state),
      startedAt: now,
      updatedAt: now,
    };
    try {
      return await store.create(id, fresh);
    } catch (error) {
      const known = isOmniError(error, 'already-exists') ? await store.get(id) : undefined;
      if (known === undefined) throw error;
      if (known.value.workflow !== workflow) throw new OmniError('already-exists', 'The id is another workflow’s.');
      return known;
    }
  };

  return {
    run: async (actor, workflow, input, services, { id = newId('run') } = {}) => {
      const store = runs.of(actor.tenant);
      let run = await open(store, id, workflow.name, workflow.state.parse(input));
      let state = workflow.state.parse(JSON.parse(run.value.state));

      // With the expected revision: where two processes have the same run, one stops here.
      const keep = async (change: Partial<Run>): Promise<void> => {
        const value = { ...run.value, ...change, state: JSON.stringify(state), updatedAt: isoTime(clock.now()) };
        run = await store.update(id, value, { revision: run.revision });
      };
      const contextOf = (step: string): StepContext => ({ actor, key: `${id}:${step}` });

      const undo = async (from: number): Promise<void> => {
        for (let i = from; i >= 0; i -= 1) {
          const step = workflow.steps[i];
          try {
            if (step !== undefined) await step.undo?.(state, contextOf(step.name), services);
          } catch (error) {
            await keep({ status: 'stuck', next: i });
            throw error;
          }
          await keep({ status: 'undoing', next: i - 1 });
        }
        await keep({ status: 'undone', next: -1 });
      };

      if (run.value.status === 'undoing' || run.value.status === 'stuck') await undo(run.value.next);
      if (run.value.status === 'undone') {
        throw new OmniError('precondition-failed', `The workflow was undone: ${run.value.failure ?? 'internal'}.`);
      }
      for (let i = run.value.next; i < workflow.steps.length; i += 1) {
        const step = workflow.steps[i];
        if (step === undefined) break;
        let patch: Partial<typeof state>;
        try {
          patch = await step.run(state, contextOf(step.name), services);
        } catch (error) {
          await keep({ status: 'undoing', next: i, failure: failureOf(error) });
          await undo(i);
          throw error;
        }
        state = workflow.state.parse({ ...state, ...patch });
        await keep({ next: i + 1 });
      }
      if (run.value.status === 'running') await keep({ status: 'done' });
      return state;
    },
  };
};
