import { aiEraser, predictionCollection, rollupCollection, updateRollup } from '#shared/ai/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { aiIntelligence } from './routes/ai-intelligence.ts';
import type { AiServices } from './services.ts';

export const ai = defineFunction<AiServices>({
  name: 'ai',
  paths: ['/api/v1/ai-intelligence'],
  routes: aiIntelligence,
  jobs: [updateRollup, aiEraser.job],
  schedules: [],
  collections: [predictionCollection, rollupCollection],
  secrets: [],
});
