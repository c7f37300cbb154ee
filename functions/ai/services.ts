import churnModel from '#shared/ai/churn/churn.model.json' with { type: 'json' };
import {
  createPredictionService,
  loadChurnModel,
  type PredictionJobServices,
  type PredictionService,
  predictionCollection,
  rollupCollection,
} from '#shared/ai/index.ts';
import { type ErasureServices, erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export interface AiServices extends PredictionJobServices, ErasureServices {
  readonly predictions: PredictionService;
}

export const createServices = (runtime: Runtime): AiServices => {
  const { database, makeEvent, newId, clock, metrics } = runtime;
  const rollups = database.tenants(rollupCollection);
  return {
    erasing: erasingOf(runtime),
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
