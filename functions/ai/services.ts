import churnModel from '#shared/ai/churn/churn.model.json' with { type: 'json' };
import {
  createPredictionService,
  loadChurnModel,
  type PredictionJobServices,
  type PredictionService,
  predictionCollection,
  rollupCollection,
} from '#shared/ai/index.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface AiServices extends PredictionJobServices {
  readonly predictions: PredictionService;
}

export const createServices = ({ database, makeEvent, newId, clock, metrics }: Runtime): AiServices => {
  const rollups = database.tenants(rollupCollection);
  return {
    rollups,
    predictions: createPredictionService({
      database,
      predictions: database.tenants(predictionCollection),
      rollups,
      makeEvent,
      newId,
      clock,
      model: loadChurnModel(churnModel),
      metrics,
    }),
  };
};
