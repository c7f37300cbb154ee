import * as z from 'zod';
import {
  cohortsSchema,
  currencySchema,
  entitlementSchema,
  experimentResultSchema,
  experimentViewSchema,
  featureKeySchema,
  newExperimentSchema,
  paywallSchema,
  planSchema,
  referenceOf,
  revenueMetricsSchema,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/monetization';
const read = { scopes: ['monetization:read'] };
const write = { scopes: ['monetization:write'] };
const customer = referenceOf('cus');
const assigned = z.object({ variant: z.string(), price: z.string().meta({ description: 'What they are shown.' }) });

const listPlans = endpoint({
  method: 'get',
  path: `${path}/plans`,
  summary: 'List the plans that are sold',
  description: 'By id: products with their features and prices.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(planSchema),
  errors: ['invalid-cursor'],
});

const getEntitlements = endpoint({
  method: 'get',
  path: `${path}/customers/{id}/entitlements`,
  summary: 'Get what a customer may do',
  description: 'Of all that they have subscribed to. Up to 30 seconds old.',
  access: read,
  params: idParams,
  status: 200,
  response: z.object({ items: z.array(entitlementSchema).readonly() }),
  errors: ['not-found'],
});

const decide = endpoint({
  method: 'post',
  path: `${path}/decisions`,
  summary: 'Decide whether a customer may do something',
  description: 'And which plans would let them, where they may not. Up to 30 seconds old.',
  access: read,
  body: z.strictObject({
    customer,
    feature: featureKeySchema,
    amount: z
      .int()
      .min(0)
      .max(1_000_000_000_000)
      .default(1)
      .meta({ description: 'How many they would have of a limit, or how many more of usage they want.' }),
  }),
  status: 200,
  response: paywallSchema,
});

const getMetrics = endpoint({
  method: 'get',
  path: `${path}/metrics`,
  summary: 'Get recurring revenue, retention and churn',
  description: 'Of one currency, over the last 30 days where nothing else is said. It trails changes by seconds.',
  access: read,
  query: z.strictObject({
    currency: currencySchema.optional(),
    from: z.iso.datetime().optional().meta({ description: 'The start.' }),
    to: z.iso.datetime().optional().meta({ description: 'The end, which is not in it.' }),
  }),
  status: 200,
  response: revenueMetricsSchema,
  errors: ['precondition-failed'],
});

const getCohorts = endpoint({
  method: 'get',
  path: `${path}/cohorts`,
  summary: 'Get customers by the month in which they began',
  description: 'How many still pay at the end of each month, and how much.',
  access: read,
  query: z.strictObject({ currency: currencySchema.optional() }),
  status: 200,
  response: cohortsSchema,
  errors: ['precondition-failed'],
});

const createExperiment = endpoint({
  method: 'post',
  path: `${path}/experiments`,
  summary: 'Begin a price experiment',
  description: 'It says how many customers each variant needs to find the difference that is worth finding.',
  access: write,
  body: newExperimentSchema,
  status: 201,
  response: experimentViewSchema,
});

const listExperiments = endpoint({
  method: 'get',
  path: `${path}/experiments`,
  summary: 'List price experiments',
  description: 'By id.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(experimentViewSchema),
  errors: ['invalid-cursor'],
});

const getExperiment = endpoint({
  method: 'get',
  path: `${path}/experiments/{id}`,
  summary: 'Get a price experiment with its result so far',
  description: 'Conversion and revenue by variant, with intervals; no verdict before each has its sample.',
  access: read,
  params: idParams,
  status: 200,
  response: experimentResultSchema,
  errors: ['not-found'],
});

const stop = endpoint({
  method: 'post',
  path: `${path}/experiments/{id}/stop`,
  summary: 'Stop a price experiment',
  description: 'Nobody new is assigned. Conversions of those who were still count.',
  access: write,
  params: idParams,
  status: 200,
  response: experimentViewSchema,
  errors: ['not-found', 'revision-conflict'],
});

const assign = endpoint({
  method: 'post',
  path: `${path}/experiments/{id}/assignments`,
  summary: 'Get the variant that a customer is shown',
  description: 'The same each time, also when weights were to change.',
  access: write,
  params: idParams,
  body: z.strictObject({ customer }),
  status: 200,
  response: assigned,
  errors: ['not-found', 'precondition-failed'],
});

const convert = endpoint({
  method: 'post',
  path: `${path}/experiments/{id}/conversions`,
  summary: 'Note that a customer bought',
  description: 'Once for each customer; what comes later changes nothing.',
  access: write,
  params: idParams,
  body: z.strictObject({
    customer,
    revenue: z.int().min(0).max(1_000_000_000).meta({ description: 'Minor units.' }),
  }),
  status: 200,
  response: assigned,
  errors: ['not-found', 'precondition-failed'],
});

type Services = Pick<BusinessServices, 'plans' | 'revenueMetrics' | 'experiments'>;

export const monetization = ({ plans, revenueMetrics, experiments }: Services): Route[] => [
  handle(listPlans, ({ actor, query }) => plans.list(actor, query)),
  handle(getEntitlements, async ({ actor, params }) => ({ items: await plans.entitlements(actor, params.id) })),
  handle(decide, ({ actor, body }) => plans.decide(actor, body)),
  handle(getMetrics, ({ actor, query }) => revenueMetrics.revenue(actor, query)),
  handle(getCohorts, ({ actor, query }) => revenueMetrics.cohorts(actor, query.currency)),
  handle(createExperiment, ({ actor, body }) => experiments.create(actor, body)),
  handle(listExperiments, ({ actor, query }) => experiments.list(actor, query)),
  handle(getExperiment, ({ actor, params }) => experiments.result(actor, params.id)),
  handle(stop, ({ actor, params }) => experiments.stop(actor, params.id)),
  handle(assign, ({ actor, params, body }) => experiments.assign(actor, params.id, body.customer)),
  handle(convert, ({ actor, params, body }) => experiments.convert(actor, params.id, body.customer, body.revenue)),
];
