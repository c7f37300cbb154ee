import * as z from 'zod';
import {
  maxUsageBatch,
  meterViewSchema,
  newMeterSchema,
  usageCorrectionSchema,
  usageEventSchema,
  usageReceiptSchema,
  usageViewSchema,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/billing';
const read = { scopes: ['billing:read'] };

const createMeter = endpoint({
  method: 'post',
  path: `${path}/meters`,
  summary: 'Create a meter',
  description: 'How usage is added up. Its aggregation stays as it is.',
  access: { scopes: ['billing:catalogue'] },
  body: newMeterSchema,
  status: 201,
  response: meterViewSchema,
  errors: ['already-exists'],
});

const listMeters = endpoint({
  method: 'get',
  path: `${path}/meters`,
  summary: 'List meters',
  description: 'The newest first.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(meterViewSchema),
  errors: ['invalid-cursor'],
});

const getMeter = endpoint({
  method: 'get',
  path: `${path}/meters/{id}`,
  summary: 'Get a meter',
  access: read,
  params: idParams,
  status: 200,
  response: meterViewSchema,
  errors: ['not-found'],
});

const record = endpoint({
  method: 'post',
  path: `${path}/usage-events`,
  summary: 'Report usage',
  description:
    `Up to ${maxUsageBatch} events. Each counts once, however often it is sent. Events that come late count for the day ` +
    'when they happened, for 35 days; where that day is billed, the next invoice corrects it.',
  access: { scopes: ['billing:meter'] },
  maxBody: 4 * 1_048_576,
  body: z.strictObject({ events: z.array(usageEventSchema).min(1).max(maxUsageBatch) }),
  status: 200,
  response: usageReceiptSchema,
  errors: ['revision-conflict'],
});

const readUsage = endpoint({
  method: 'get',
  path: `${path}/customers/{id}/usage/{meter}`,
  summary: 'Read the usage of a customer',
  description: 'By days of the tenant’s calendar, both ends included. The last 31 days where none are given.',
  access: read,
  params: idParams.extend({ meter: idParams.shape.id }),
  query: z.strictObject({
    from: z.iso.date().optional().meta({ description: 'First day.' }),
    to: z.iso.date().optional().meta({ description: 'Last day, at most a year later.' }),
  }),
  status: 200,
  response: usageViewSchema,
  errors: ['not-found'],
});

const correct = endpoint({
  method: 'post',
  path: `${path}/meters/{id}/corrections`,
  summary: 'Set what a day counts',
  description: 'In the place of all that was reported for it so far. Where it is billed, the next invoice corrects it.',
  access: { scopes: ['billing:write'] },
  params: idParams,
  body: usageCorrectionSchema,
  status: 200,
  response: usageViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

export const billingMetering = ({ usage }: Pick<BusinessServices, 'usage'>): Route[] => [
  handle(createMeter, ({ actor, body }) => usage.createMeter(actor, body)),
  handle(listMeters, ({ actor, query }) => usage.listMeters(actor, query)),
  handle(getMeter, ({ actor, params }) => usage.getMeter(actor, params.id)),
  handle(record, ({ actor, body }) => usage.record(actor, body.events)),
  handle(readUsage, ({ actor, params, query }) => usage.read(actor, params.meter, { customer: params.id, ...query })),
  handle(correct, ({ actor, params, body }) => usage.correct(actor, params.id, body)),
];
