import { describe, expect, it } from 'vitest';
import { testDatabase } from '#tests/support/firestore.ts';
import { eventMaker } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { outboxCollection } from '../../store/outbox.collection.ts';
import type { Database } from '../../store/store.ts';
import { createMetrics } from '../../telemetry/index.ts';
import artefact from '../churn/churn.model.json' with { type: 'json' };
import type { ChurnFeatures } from '../churn/churn-features.ts';
import { loadChurnModel } from '../churn/churn-model.ts';
import { predictionMade } from './prediction.events.ts';
import { rollupCollection } from './prediction.rollup.ts';
import { type ChurnInput, predictionCollection } from './prediction.schema.ts';
import { createPredictionService, maxBatch } from './prediction.service.ts';

const model = loadChurnModel(artefact);
const newcomer: ChurnFeatures = { tenure: 1, monthlyCharges: 95, contract: 'Month-to-month' };
const settled: ChurnFeatures = { tenure: 70, monthlyCharges: 20, contract: 'Two year', internetService: 'No' };

const serviceOn = (database: Database) => {
  const clock = manualClock('2026-03-01T12:00:00.000Z');
  const metrics = createMetrics({ service: 'test' });
  const predictions = createPredictionService({
    database,
    predictions: database.tenants(predictionCollection),
    rollups: database.tenants(rollupCollection),
    makeEvent: eventMaker({ source: 'omni/test', clock, newId }),
    newId,
    clock,
    model,
    metrics,
  });
  return { predictions, clock, metrics };
};

/** A tenant of its own for every test. */
const someone = (idempotencyKey?: string): Actor => ({
  tenant: newId('t').toLowerCase(),
  kind: 'key',
  id: 'key_1',
  scopes: new Set(['ai:*']),
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
});

const eventsOf = async (database: Database, { tenant }: Actor) => {
  const { items } = await database.platform(outboxCollection).query({ limit: 1_000 });
  return items.map(({ value }) => JSON.parse(value.event)).filter((event) => event.tenant === tenant);
};

describe.each([
  ['the embedded store', embeddedDatabase()],
  ['Firestore', testDatabase()],
])('predictions on %s', (_name, database) => {
  const { predictions, clock, metrics } = serviceOn(database);

  it('stores what was asked and what the model said, and gives it back', async () => {
    const actor = someone();
    const made = await predictions.predictChurn(actor, { customerId: 'cus-1', customer: newcomer });
    expect(made).toEqual({
      ...model.predict(newcomer),
      id: expect.stringMatching(/^pred_\w{22}$/),
      kind: 'churn',
      customerId: 'cus-1',
      customer: newcomer,
      createdAt: '2026-03-01T12:00:00.000Z',
    });
    expect(await predictions.get(actor, made.id)).toEqual(made);
  });

  it('says so in one small event, committed with it', async () => {
    const actor = someone();
    const { id, riskLevel, probability } = await predictions.predictChurn(actor, { customer: newcomer });
    expect(await eventsOf(database, actor)).toMatchObject([
      {
        type: predictionMade.type,
        subject: id,
        data: {
          predictionId: id,
          kind: 'churn',
          riskLevel,
          probability,
          modelVersion: artefact.version,
          day: '2026-03-01',
        },
      },
    ]);
  });

  it('stores a full batch with its events in one commit, in the order of the inputs', async () => {
    const actor = someone();
    const inputs = Array.from({ length: maxBatch }, (_, i) => ({
      customerId: `cus-${i}`,
      customer: { tenure: i % 72 },
    }));
    const made = await predictions.predictChurnBatch(actor, inputs);
    expect(made.map(({ customerId }) => customerId)).toEqual(inputs.map(({ customerId }) => customerId));
    expect((await predictions.list(actor, { limit: 200 })).items).toHaveLength(maxBatch);
    expect(await eventsOf(database, actor)).toHaveLength(maxBatch);
  });

  it('lists the newest first, page by page', async () => {
    const actor = someone();
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      clock.advance(1_000);
      made.unshift((await predictions.predictChurn(actor, { customer: newcomer })).id);
    }
    const seen: string[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await predictions.list(actor, { limit: 2, cursor });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(made);
  });

  it('filters by risk level, by customer and by both', async () => {
    const actor = someone();
    const inputs: ChurnInput[] = [
      { customerId: 'a', customer: newcomer },
      { customerId: 'a', customer: settled },
      { customerId: 'b', customer: settled },
    ];
    const [risky, safe] = await predictions.predictChurnBatch(actor, inputs);
    const count = async (filter: { riskLevel?: 'low' | 'critical'; customerId?: string }) =>
      (await predictions.list(actor, { limit: 10, ...filter })).items.length;
    expect([risky?.riskLevel, safe?.riskLevel]).not.toEqual(['low', 'low']);
    expect(safe?.riskLevel).toBe('low');
    expect(await count({ riskLevel: 'low' })).toBe(2);
    expect(await count({ customerId: 'a' })).toBe(2);
    expect(await count({ riskLevel: 'low', customerId: 'a' })).toBe(1);
    expect(await count({ customerId: 'nobody' })).toBe(0);
  });

  it("keeps one tenant's predictions from another", async () => {
    const { id } = await predictions.predictChurn(someone(), { customer: newcomer });
    const stranger = someone();
    await expect(predictions.get(stranger, id)).rejects.toMatchObject({ code: 'not-found' });
    expect((await predictions.list(stranger, { limit: 10 })).items).toEqual([]);
  });

  describe('when a request is repeated after a crash between commit and answer', () => {
    const inputs = [{ customerId: 'a', customer: newcomer }, { customer: { ...settled, techSupport: null } }];

    it('gives back what the first attempt stored, and tells of it once', async () => {
      const actor = someone('idem-1');
      const first = await predictions.predictChurnBatch(actor, inputs);
      clock.advance(60_000);
      expect(await predictions.predictChurnBatch(actor, inputs)).toEqual(first);
      expect(await eventsOf(database, actor)).toHaveLength(2);
    });

    it('has one winner among attempts that run at once', async () => {
      const actor = someone('idem-1');
      const all = await Promise.all(Array.from({ length: 5 }, () => predictions.predictChurnBatch(actor, inputs)));
      expect(new Set(all.map((made) => JSON.stringify(made.map(({ id }) => id)))).size).toBe(1);
      expect(await eventsOf(database, actor)).toHaveLength(2);
    });

    it.each([
      ['another customer', [{ customerId: 'b', customer: newcomer }]],
      ['other features', [{ customerId: 'a', customer: settled }]],
      ['more customers', [...inputs, ...inputs]],
    ])('refuses %s under the same key', async (_what, others: ChurnInput[]) => {
      const actor = someone('idem-1');
      await predictions.predictChurnBatch(actor, inputs);
      await expect(predictions.predictChurnBatch(actor, others)).rejects.toMatchObject({
        code: 'idempotency-mismatch',
      });
      expect((await predictions.list(actor, { limit: 10 })).items).toHaveLength(2);
    });
  });

  it('counts what became of predictions', async () => {
    const { body } = await metrics.render();
    expect(body).toMatch(/ml_predictions_total\{model="churn",outcome="stored",service="test"\} \d+/);
    expect(body).toMatch(/ml_predictions_total\{model="churn",outcome="repeated",service="test"\} \d+/);
  });
});

describe('a store that fails', () => {
  it('fails the prediction, and the metric says so', async () => {
    const database: Database = {
      ...embeddedDatabase(),
      transaction: () => Promise.reject(new Error('The disk is gone.')),
    };
    const { predictions, metrics } = serviceOn(database);
    await expect(predictions.predictChurn(someone(), { customer: newcomer })).rejects.toThrow('The disk is gone.');
    expect((await metrics.render()).body).toContain('outcome="failed",service="test"} 1');
  });
});
