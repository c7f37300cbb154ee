export { aiEraser } from './ai.eraser.ts';
export { type ChurnModel, loadChurnModel } from './churn/churn-model.ts';
export { riskLevelSchema } from './churn/churn-score.schema.ts';
export { predictionMade } from './predictions/prediction.events.ts';
export { type PredictionJobServices, updateRollup } from './predictions/prediction.jobs.ts';
export { rollupCollection, rollupViewSchema } from './predictions/prediction.rollup.ts';
export { churnInputSchema, predictionCollection, predictionViewSchema } from './predictions/prediction.schema.ts';
export { createPredictionService, maxBatch, type PredictionService } from './predictions/prediction.service.ts';
