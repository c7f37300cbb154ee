import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Filter, Stored, TenantStore } from '../../store/store.ts';
import type { Metrics } from '../../telemetry/index.ts';
import type { ChurnModel } from '../churn/churn-model.ts';
import type { RiskLevel } from '../churn/churn-score.schema.ts';
import { predictionMade } from './prediction.events.ts';
import { type RollupShard, type RollupView, readRollup } from './prediction.rollup.ts';
import type { ChurnInput, Prediction, PredictionView } from './prediction.schema.ts';

export interface PredictionFilter extends PageRequest {
  readonly riskLevel?: RiskLevel | undefined;
  readonly customerId?: string | undefined;
}

export interface PredictionService {
  /** Scores one customer and stores the prediction. Fails with `idempotency-mismatch`. */
  predictChurn(actor: Actor, input: ChurnInput): Promise<PredictionView>;
  /** At most `maxBatch`, in the order of the inputs; all are stored or none. Fails with `idempotency-mismatch`. */
  predictChurnBatch(actor: Actor, inputs: readonly ChurnInput[]): Promise<readonly PredictionView[]>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<PredictionView>;
  /** Newest first. */
  list(actor: Actor, filter: PredictionFilter): Promise<Page<PredictionView>>;
  /** One UTC day's churn predictions in sum; zeros for a day without any. */
  rollup(actor: Actor, day: string): Promise<RollupView>;
}

export interface PredictionServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly predictions: TenantStore<Prediction>;
  readonly rollups: TenantStore<RollupShard>;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
  readonly model: ChurnModel;
  readonly metrics: Pick<Metrics, 'counter'>;
}

/** A prediction is two writes, itself and its event, and one commit takes 500 at most. */
export const maxBatch = 100;

const viewOf = ({ id, value }: Stored<Prediction>): PredictionView => ({ id, ...value });

const isSameQuestion = (a: ChurnInput, b: ChurnInput): boolean =>
  a.customerId === b.customerId && canonicalJson(a.customer) === canonicalJson(b.customer);

export const createPredictionService = ({
  database,
  predictions,
  rollups,
  makeEvent,
  newId,
  clock,
  model,
  metrics,
}: PredictionServiceOptions): PredictionService => {
  const made = metrics.counter('ml_predictions_total', 'Predictions by what became of them.', ['model', 'outcome']);

  const eventOf = (tenant: string, { id, kind, riskLevel, probability, modelVersion, createdAt }: PredictionView) =>
    makeEvent(predictionMade, {
      tenant,
      subject: id,
      data: { predictionId: id, kind, riskLevel, probability, modelVersion, day: createdAt.slice(0, 10) },
    });

  /** What an earlier attempt of the same request has stored. */
  const storedBefore = async (tenant: string, drafts: readonly PredictionView[]): Promise<PredictionView[]> => {
    const found = await predictions.of(tenant).getMany(drafts.map(({ id }) => id));
    return drafts.map((draft, i) => {
      const stored = found[i];
      if (stored !== undefined && isSameQuestion(stored.value, draft)) return viewOf(stored);
      throw new OmniError('idempotency-mismatch', 'This key came with other customers before. Use a new key.');
    });
  };

  const store = async (tenant: string, drafts: readonly PredictionView[]): Promise<readonly PredictionView[]> => {
    const events = drafts.map((draft) => eventOf(tenant, draft));
    try {
      await database.transaction((transaction) => {
        for (const { id, ...prediction } of drafts) transaction.create(predictions.of(tenant), id, prediction);
        for (const event of events) transaction.emit(event);
      });
      made.add({ model: 'churn', outcome: 'stored' }, drafts.length);
      return drafts;
    } catch (error) {
      const outcome = isOmniError(error, 'already-exists') ? 'repeated' : 'failed';
      made.add({ model: 'churn', outcome }, drafts.length);
      if (outcome === 'failed') throw error;
      return storedBefore(tenant, drafts);
    }
  };

  const predictChurnBatch: PredictionService['predictChurnBatch'] = async (actor, inputs) => {
    const nextId = idsFor(actor, newId);
    const createdAt = isoTime(clock.now());
    const drafts = inputs.map((input): PredictionView => {
      const score = model.predict(input.customer);
      return { id: nextId('pred'), kind: 'churn', ...input, ...score, createdAt };
    });
    return store(actor.tenant, drafts);
  };

  return {
    predictChurnBatch,
    predictChurn: async (actor, input) => {
      const [prediction] = await predictChurnBatch(actor, [input]);
      if (prediction === undefined) throw new Error('A batch of one came back empty.');
      return prediction;
    },
    get: async ({ tenant }, id) => {
      const stored = await predictions.of(tenant).get(id);
      if (stored === undefined) throw new OmniError('not-found', 'There is no such prediction.');
      return viewOf(stored);
    },
    list: async ({ tenant }, { riskLevel, customerId, limit, cursor }) => {
      const where: Filter[] = [];
      if (riskLevel !== undefined) where.push({ field: 'riskLevel', op: '==', value: riskLevel });
      if (customerId !== undefined) where.push({ field: 'customerId', op: '==', value: customerId });
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await predictions.of(tenant).query({ where, orderBy, limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    rollup: ({ tenant }, day) => readRollup(rollups.of(tenant), { kind: 'churn', day }),
  };
};
