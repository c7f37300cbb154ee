import * as z from 'zod';
import {
  billingSubscriptionViewSchema,
  cancellationSchema,
  invoiceViewSchema,
  newSubscriptionSchema,
  pauseSchema,
  subscriptionChangeSchema,
  subscriptionStatusSchema,
} from '#shared/business/index.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import type { BusinessServices } from '../services.ts';

const path = '/api/v1/billing/subscriptions';
const read = { scopes: ['billing:read'] };
const write = { scopes: ['billing:write'] };

const result = z
  .object({
    subscription: billingSubscriptionViewSchema,
    invoice: z.string().nullable().meta({ description: 'The invoice that this made; null where it made none.' }),
  })
  .meta({ id: 'SubscriptionResult' });

const create = endpoint({
  method: 'post',
  path,
  summary: 'Subscribe a customer',
  description: 'The first period is invoiced at once, or when the trial ends. Usage is invoiced in arrears.',
  access: write,
  body: newSubscriptionSchema,
  status: 201,
  response: result,
  errors: ['precondition-failed', 'revision-conflict'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List subscriptions',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({ customer: idParams.shape.id.optional(), status: subscriptionStatusSchema.optional() }),
  status: 200,
  response: pageSchema(billingSubscriptionViewSchema),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get a subscription',
  access: read,
  params: idParams,
  status: 200,
  response: billingSubscriptionViewSchema,
  errors: ['not-found'],
});

const preview = endpoint({
  method: 'post',
  path: `${path}/{id}/preview`,
  summary: 'Reckon what a change would cost now',
  description: 'Line by line, with discounts and tax. Nothing is stored.',
  access: read,
  params: idParams,
  body: subscriptionChangeSchema,
  status: 200,
  response: invoiceViewSchema,
  errors: ['not-found', 'precondition-failed'],
});

const act = <B>(verb: string, summary: string, description: string, body?: z.ZodType<B>) =>
  endpoint({
    method: 'post',
    path: `${path}/{id}/${verb}`,
    summary,
    description,
    access: write,
    params: idParams,
    ...(body === undefined ? {} : { body }),
    status: 200,
    response: result,
    errors: ['not-found', 'precondition-failed', 'revision-conflict'],
  });

const change = act(
  'change',
  'Change what a subscription consists of',
  'At once, with the rest of the period prorated to the day, or at the end of the period.',
  subscriptionChangeSchema,
);
const cancel = act(
  'cancel',
  'Cancel a subscription',
  'At the end of the period, or now; then unused days may be credited.',
  cancellationSchema,
);
const keep = act('keep', 'Take back what was to happen', 'A cancellation or change at the end of the period.');
const pause = act(
  'pause',
  'Pause a subscription',
  'Nothing is charged until it goes on with a new period.',
  pauseSchema,
);
const resume = act('resume', 'Resume a subscription that is paused', 'A new period begins, and is invoiced.');

type Services = Pick<BusinessServices, 'billingSubscriptions'>;

export const billingSubscriptions = ({ billingSubscriptions: subscriptions }: Services): Route[] => [
  handle(create, async ({ actor, body, c }) => {
    const made = await subscriptions.create(actor, body);
    c.header('location', `${path}/${made.subscription.id}`);
    return made;
  }),
  handle(list, ({ actor, query }) => subscriptions.list(actor, query)),
  handle(getOne, ({ actor, params }) => subscriptions.get(actor, params.id)),
  handle(preview, ({ actor, params, body }) => subscriptions.preview(actor, params.id, body)),
  handle(change, ({ actor, params, body }) => subscriptions.change(actor, params.id, body)),
  handle(cancel, ({ actor, params, body }) => subscriptions.cancel(actor, params.id, body)),
  handle(keep, ({ actor, params }) => subscriptions.keep(actor, params.id)),
  handle(pause, ({ actor, params, body }) => subscriptions.pause(actor, params.id, body)),
  handle(resume, ({ actor, params }) => subscriptions.resume(actor, params.id)),
];
