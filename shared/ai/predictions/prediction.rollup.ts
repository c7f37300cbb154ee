import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { shardedCounter } from '../../store/sharded-counter.ts';
import type { Store, Transaction } from '../../store/store.ts';
import { riskLevelSchema } from '../churn/churn-score.schema.ts';
import type { PredictionMade } from './prediction.events.ts';
import { predictionSchema } from './prediction.schema.ts';

const keySchema = z.object({
  kind: predictionSchema.shape.kind,
  /** UTC. */
  day: z.iso.date(),
});

/** A share of one day's predictions; the day's shards add up to its roll-up. */
export const rollupShardSchema = keySchema.extend({
  count: z.int().min(0),
  probabilitySum: z.number(),
  byRiskLevel: z.partialRecord(riskLevelSchema, z.int().min(0)),
});
export type RollupShard = z.infer<typeof rollupShardSchema>;

export const rollupCollection = tenantCollection<RollupShard>({
  name: 'predictionRollups',
  schema: rollupShardSchema,
  unindexed: ['count', 'probabilitySum', 'byRiskLevel'],
});

export const rollupViewSchema = keySchema
  .extend({
    count: z
      .int()
      .min(0)
      .meta({ description: 'Predictions made on that day, UTC.', examples: [3] }),
    averageProbability: z.number().nullable().meta({ description: 'Null on a day without predictions.' }),
    byRiskLevel: z.record(riskLevelSchema, z.int().min(0)),
  })
  .meta({ id: 'ChurnRollup', description: "A day's predictions in sum. It trails them by seconds." });
export type RollupView = z.infer<typeof rollupViewSchema>;

/** Firestore takes about one sustained write a second into a document: a hundred predictions a second of one tenant. */
const shards = 100;

const counterOf = (store: Store<RollupShard>) => shardedCounter(store, { shards });
const idOf = ({ kind, day }: z.infer<typeof keySchema>): string => `${kind}:${day}`;

/** Adds one prediction within a transaction. */
export const addToRollup = (
  transaction: Transaction,
  store: Store<RollupShard>,
  { kind, day, riskLevel, probability }: PredictionMade,
): void => {
  const by = { count: 1, probabilitySum: probability, [`byRiskLevel.${riskLevel}`]: 1 };
  counterOf(store).addIn(transaction, idOf({ kind, day }), by, { kind, day });
};

/** A day's shards in sum. */
export const readRollup = async (
  store: Store<RollupShard>,
  key: Pick<RollupShard, 'kind' | 'day'>,
): Promise<RollupView> => {
  const levels = riskLevelSchema.options;
  const fields = ['count', 'probabilitySum', ...levels.map((level) => `byRiskLevel.${level}`)];
  const { count = 0, probabilitySum = 0, ...byLevel } = await counterOf(store).read(idOf(key), fields);
  const countOf = (level: (typeof levels)[number]): number => byLevel[`byRiskLevel.${level}`] ?? 0;
  return {
    ...key,
    count,
    averageProbability: count === 0 ? null : probabilitySum / count,
    byRiskLevel: {
      low: countOf('low'),
      medium: countOf('medium'),
      high: countOf('high'),
      critical: countOf('critical'),
    },
  };
};
