import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { createDeadLetters, deadLetterCollection } from '../../events/dead-letters.ts';
import { eventMaker } from '../../events/define-event.ts';
import { createInbox, inboxCollection } from '../../events/inbox.ts';
import { createJobRunner } from '../../events/job-runner.ts';
import { manualClock } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { newId } from '../../kernel/ids.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { nullLogger } from '../../telemetry/index.ts';
import type { RiskLevel } from '../churn/churn-score.schema.ts';
import { predictionMade } from './prediction.events.ts';
import { updateRollup } from './prediction.jobs.ts';
import { readRollup, rollupCollection } from './prediction.rollup.ts';

const day = '2026-03-01';
const clock = manualClock(`${day}T12:00:00.000Z`);

type Commit = Database['transaction'];

/** A worker on the database, whose commits go through `commit`, where a test can break them. */
const workerOn = (database: Database, commit: Commit = database.transaction) => {
  const faulty = { transaction: commit };
  const entries = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const runJob = createJobRunner({
    database: faulty,
    inbox: createInbox({ entries, clock }),
    deadLetters: createDeadLetters({ database: faulty, letters, inbox: entries, clock }),
    logger: nullLogger,
  });
  return (event: DomainEvent) => runJob(updateRollup, event, { rollups: database.tenants(rollupCollection) });
};

const makeEvent = eventMaker({ source: 'omni/test', clock, newId });

const someTenant = () => newId('t').toLowerCase();

const madeIn = (tenant: string, riskLevel: RiskLevel = 'high', probability = 0.5): DomainEvent => {
  const predictionId = newId('pred');
  const data = { predictionId, kind: 'churn', riskLevel, probability, modelVersion: '1', day } as const;
  return makeEvent(predictionMade, { tenant, subject: predictionId, data });
};

/** Until it is acknowledged, as the bus does. */
const deliver = async (event: DomainEvent, run: (event: DomainEvent) => Promise<string>): Promise<string> => {
  for (;;) {
    const outcome = await run(event);
    if (outcome !== 'retry' && outcome !== 'busy') return outcome;
  }
};

describe.each([
  ['the embedded store', embeddedDatabase({ now: clock.now })],
  ['Firestore', testDatabase({ now: clock.now })],
])('ai.update-rollup on %s', (_name, database) => {
  const rollup = (tenant: string, of = day) =>
    readRollup(database.tenants(rollupCollection).of(tenant), { kind: 'churn', day: of });

  it('adds predictions up by day, tenant and risk level, over many documents', async () => {
    const tenant = someTenant();
    const events = Array.from({ length: 60 }, (_, i) =>
      i % 3 === 0 ? madeIn(tenant, 'critical', 0.9) : madeIn(tenant, 'low', 0.1),
    );
    const run = workerOn(database);
    await Promise.all([...events, madeIn(someTenant())].map(run));
    const sum = await rollup(tenant);
    expect(sum).toMatchObject({ count: 60, byRiskLevel: { low: 40, medium: 0, high: 0, critical: 20 } });
    expect(sum.averageProbability).toBeCloseTo((40 * 0.1 + 20 * 0.9) / 60, 10);
    const { count } = await database.tenants(rollupCollection).of(tenant).aggregate({});
    // 60 of 100 by chance hit 45, and 25 or fewer not once in a billion runs.
    expect(count).toBeGreaterThan(25);
  });

  it('is all zeros on a day without predictions', async () => {
    expect(await rollup(someTenant(), '2020-01-01')).toEqual({
      kind: 'churn',
      day: '2020-01-01',
      count: 0,
      averageProbability: null,
      byRiskLevel: { low: 0, medium: 0, high: 0, critical: 0 },
    });
  });

  describe('counts an event once', () => {
    it('that is delivered three times', async () => {
      const tenant = someTenant();
      const event = madeIn(tenant);
      const run = workerOn(database);
      expect([await run(event), await run(event), await run(event)]).toEqual(['done', 'duplicate', 'duplicate']);
      expect((await rollup(tenant)).count).toBe(1);
    });

    it('that is delivered to six workers at once', async () => {
      const tenant = someTenant();
      const event = madeIn(tenant);
      const outcomes = await Promise.all(Array.from({ length: 6 }, () => deliver(event, workerOn(database))));
      expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
      expect((await rollup(tenant)).count).toBe(1);
    });

    it.each(['before', 'after'])('whose worker fails just %s its commit', async (when) => {
      const tenant = someTenant();
      const event = madeIn(tenant);
      const fails: Commit = async (work) => {
        if (when === 'after') await database.transaction(work);
        throw new Error('The connection broke.');
      };
      expect(await workerOn(database, fails)(event)).toBe('retry');
      expect(await deliver(event, workerOn(database))).toBe(when === 'after' ? 'duplicate' : 'done');
      expect((await rollup(tenant)).count).toBe(1);
    });

    it('whose worker comes back after its lease was taken over', async () => {
      const tenant = someTenant();
      const event = madeIn(tenant);
      const { promise: stalled, resolve: wake } = Promise.withResolvers<void>();
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
      const stalls: Commit = async (work) => {
        reach();
        await stalled;
        return database.transaction(work);
      };
      const zombie = workerOn(database, stalls)(event);
      await reached;
      expect(await workerOn(database)(event)).toBe('busy');
      clock.advance(10 * 60_000);
      expect(await workerOn(database)(event)).toBe('done');
      wake();
      expect(await zombie).toBe('retry');
      expect(await workerOn(database)(event)).toBe('duplicate');
      expect((await rollup(tenant)).count).toBe(1);
    });
  });
});
