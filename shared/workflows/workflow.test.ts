import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type Killer, killAt } from '#tests/support/crashing.ts';
import { systemActor } from '../kernel/actor.ts';
import { manualClock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import { sequentialIds } from '../kernel/ids.ts';
import { databaseOn } from '../store/database.ts';
import { embeddedDriver } from '../store/embedded.ts';
import { createWorkflows, defineWorkflow, workflowRunCollection } from './workflow.ts';

/** An outside system that knows idempotency keys, as all that steps talk to must. */
const shop = (refuses?: string) => {
  const done = new Map<string, string>();
  const log: string[] = [];
  return {
    done,
    log,
    act: async (what: string, key: string) => {
      log.push(what);
      if (what === refuses) throw new OmniError('precondition-failed', `No ${what}.`);
      done.set(key, what);
    },
    takeBack: async (what: string, key: string) => {
      log.push(`undo ${what}`);
      done.delete(key);
    },
  };
};
type Shop = ReturnType<typeof shop>;

const step = (name: string) => ({
  name,
  run: async (_state: { order: string }, { key }: { key: string }, services: Shop) => {
    await services.act(name, key);
    return {};
  },
  undo: (_state: { order: string }, { key }: { key: string }, services: Shop) => services.takeBack(name, key),
});

const checkout = defineWorkflow({
  name: 'checkout',
  state: z.object({ order: z.string() }),
  steps: [step('reserve'), step('charge'), step('ship')],
});

const actor = systemActor('acme', 'test');

const workflowsOn = (driver = embeddedDriver(), killer?: Killer) =>
  createWorkflows({
    runs: databaseOn(killer?.driver(driver) ?? driver, {}).tenants(workflowRunCollection),
    clock: manualClock(),
    newId: sequentialIds(),
  });

describe('a workflow', () => {
  it('runs its steps in order and answers with the state', async () => {
    const services = shop();
    expect(await workflowsOn().run(actor, checkout, { order: 'o1' }, services)).toEqual({ order: 'o1' });
    expect(services.log).toEqual(['reserve', 'charge', 'ship']);
  });

  it('hands on what its steps add', async () => {
    const counting = defineWorkflow({
      name: 'counting',
      state: z.object({ n: z.number() }),
      steps: [1, 2, 3].map((by) => ({ name: `add-${by}`, run: async ({ n }: { n: number }) => ({ n: n + by }) })),
    });
    expect(await workflowsOn().run(actor, counting, { n: 0 }, {})).toEqual({ n: 6 });
  });

  it('undoes what failed and what came before it, last first, and throws the cause', async () => {
    const services = shop('ship');
    await expect(workflowsOn().run(actor, checkout, { order: 'o1' }, services)).rejects.toThrow('No ship.');
    expect(services.log).toEqual(['reserve', 'charge', 'ship', 'undo ship', 'undo charge', 'undo reserve']);
    expect(services.done.size).toBe(0);
  });

  it('answers a second call for a finished run without doing anything', async () => {
    const services = shop();
    const workflows = workflowsOn();
    await workflows.run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' });
    await workflows.run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' });
    expect(services.log).toHaveLength(3);
  });

  it('whose undo fails is stuck, and a later call finishes the undo', async () => {
    const services = shop('ship');
    const workflows = workflowsOn();
    const broken: Shop = { ...services, takeBack: () => Promise.reject(new Error('down')) };
    await expect(workflows.run(actor, checkout, { order: 'o1' }, broken, { id: 'run-1' })).rejects.toThrow('down');
    expect(services.done.size).toBe(2);
    await expect(workflows.run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect(services.done.size).toBe(0);
  });

  it.each(['before', 'after'] as const)('that is killed just %s any call goes on where it was', async (when) => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const services = shop();
      const killer = killAt(at, when);
      const run = (workflows: ReturnType<typeof workflowsOn>) =>
        workflows.run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' });
      await run(workflowsOn(driver, killer)).catch(() => undefined);
      await run(workflowsOn(driver));
      expect([...services.done.values()]).toEqual(['reserve', 'charge', 'ship']);
      if (killer.calls() < at) return expect(at).toBeGreaterThan(4);
    }
  });

  it.each(['before', 'after'] as const)('that is killed just %s any call of its undo finishes it', async (when) => {
    for (let at = 1; ; at += 1) {
      const driver = embeddedDriver();
      const services = shop('ship');
      const killer = killAt(at, when);
      const run = (workflows: ReturnType<typeof workflowsOn>) =>
        workflows.run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' }).catch(() => undefined);
      await run(workflowsOn(driver, killer));
      await run(workflowsOn(driver));
      expect(services.done.size).toBe(0);
      if (killer.calls() < at) return;
    }
  });

  it('is run by one of two processes that have it at once', async () => {
    const driver = embeddedDriver();
    const services = shop();
    const both = await Promise.allSettled(
      [1, 2].map(() => workflowsOn(driver).run(actor, checkout, { order: 'o1' }, services, { id: 'run-1' })),
    );
    expect([...services.done.values()]).toEqual(['reserve', 'charge', 'ship']);
    expect(both.some(({ status }) => status === 'fulfilled')).toBe(true);
  });
});
