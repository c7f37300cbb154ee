import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { predictionSchema } from './prediction.schema.ts';

/** A prediction was stored. The day is UTC; what was known of the customer stays in the store. */
export const predictionMade = defineEvent(
  'ai.prediction.made',
  predictionSchema
    .pick({ kind: true, riskLevel: true, probability: true, modelVersion: true })
    .extend({ predictionId: z.string(), day: z.iso.date() }),
);
export type PredictionMade = z.infer<typeof predictionMade.schema>;
