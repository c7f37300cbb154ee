import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { subscriptionStatus, subscriptionView } from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const access = { scopes: ['payments:read'] };

const list = endpoint({
  method: 'get',
  path: '/api/v1/stripe/subscriptions',
  summary: 'List subscriptions',
  description: 'The last changed first. Kept true by the webhooks that Stripe sends.',
  access,
  query: pageQuery.extend({ status: subscriptionStatus.optional(), customer: z.string().min(1).max(255).optional() }),
  status: 200,
  response: pageSchema(subscriptionView.meta({ id: 'Subscription' })),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: '/api/v1/stripe/subscriptions/{id}',
  summary: 'Get a subscription',
  access,
  params: idParams,
  status: 200,
  response: subscriptionView,
  errors: ['not-found'],
});

export const stripe = ({ subscriptionService }: PaymentServices): Route[] => [
  handle(list, ({ actor, query }) => subscriptionService.list(actor, query)),
  handle(get, ({ actor, params }) => subscriptionService.get(actor, params.id)),
];
