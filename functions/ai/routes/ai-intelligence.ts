import * as z from 'zod';
import {
  churnInputSchema,
  maxBatch,
  predictionViewSchema,
  riskLevelSchema,
  rollupViewSchema,
} from '#shared/ai/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { AiServices } from '../services.ts';

const path = '/api/v1/ai-intelligence/churn-prediction';
const predict = { scopes: ['ai:predict'] };
const read = { scopes: ['ai:read'] };

const makeOne = endpoint({
  method: 'post',
  path,
  summary: 'Predict whether a customer leaves',
  description:
    'Scores the customer and stores the prediction. The answer has the calibrated probability, the risk level, the ' +
    'features that moved it with sign and size, and what to do about them. Values that are missing, unknown or out of ' +
    'range are never guessed: `notices` says what the score did about each. `location` is where it can be read again.',
  access: predict,
  body: churnInputSchema,
  status: 201,
  response: predictionViewSchema,
});

const makeMany = endpoint({
  method: 'post',
  path: `${path}/batch`,
  summary: 'Predict for many customers at once',
  description: `Scores up to ${maxBatch} customers. All predictions are stored or, when one item is bad, none.`,
  access: predict,
  body: z.strictObject({ customers: z.array(churnInputSchema).min(1).max(maxBatch) }),
  status: 201,
  response: z.object({
    items: z.array(predictionViewSchema).readonly().meta({ description: 'In the order of the customers.' }),
  }),
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List predictions',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    riskLevel: riskLevelSchema.optional(),
    customerId: churnInputSchema.shape.customerId,
  }),
  status: 200,
  response: pageSchema(predictionViewSchema),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get a prediction',
  access: read,
  params: idParams,
  status: 200,
  response: predictionViewSchema,
  errors: ['not-found'],
});

const getRollup = endpoint({
  method: 'get',
  path: `${path}/rollups/{day}`,
  summary: "Get a day's predictions in sum",
  description: 'How many were made on a UTC day, by risk level, and their average probability.',
  access: read,
  params: z.object({ day: z.iso.date().meta({ description: 'YYYY-MM-DD, UTC.', examples: ['2026-01-31'] }) }),
  status: 200,
  response: rollupViewSchema,
});

export const aiIntelligence = ({ predictions }: Pick<AiServices, 'predictions'>): Route[] => [
  handle(makeOne, async ({ actor, body, c }) => {
    const prediction = await predictions.predictChurn(actor, body);
    c.header('location', `${path}/${prediction.id}`);
    return prediction;
  }),
  handle(makeMany, async ({ actor, body }) => ({ items: await predictions.predictChurnBatch(actor, body.customers) })),
  handle(list, ({ actor, query }) => predictions.list(actor, query)),
  handle(getOne, ({ actor, params }) => predictions.get(actor, params.id)),
  handle(getRollup, ({ actor, params }) => predictions.rollup(actor, params.day)),
];
