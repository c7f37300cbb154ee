import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  stripeInvoiceView,
  stripePayoutView,
  stripeSchemas,
  subscriptionStatus,
  subscriptionView,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/stripe/subscriptions';
const invoices = '/api/v1/stripe/invoices';
const payouts = '/api/v1/stripe/payouts';
const read = { scopes: ['payments:read'] };
const write = { scopes: ['payments:write'] };
const subscription = subscriptionView.meta({ id: 'Subscription' });
const invoice = stripeInvoiceView.meta({ id: 'StripeInvoice' });
const payout = stripePayoutView.meta({ id: 'StripePayout' });
const refusals = ['precondition-failed', 'idempotency-mismatch', 'unavailable', 'not-found'] as const;
const ofCustomer = { customer: z.string().min(1).max(255).optional() };

const list = endpoint({
  method: 'get',
  path,
  summary: 'List subscriptions',
  description: 'The last changed first. Kept true by the webhooks that Stripe sends.',
  access: read,
  query: pageQuery.extend({ status: subscriptionStatus.optional(), ...ofCustomer }),
  status: 200,
  response: pageSchema(subscription),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get a subscription',
  access: read,
  params: idParams,
  status: 200,
  response: subscription,
  errors: ['not-found'],
});

const create = endpoint({
  method: 'post',
  path,
  summary: 'Begin a subscription',
  description: 'The first payment is taken at once, or after the trial. Without one that works it is `incomplete`.',
  access: write,
  body: stripeSchemas.newSubscriptionSchema,
  status: 201,
  response: subscription,
  errors: refusals,
});

const update = endpoint({
  method: 'patch',
  path: `${path}/{id}`,
  summary: 'Change a subscription',
  access: write,
  params: idParams,
  body: stripeSchemas.subscriptionChangeSchema,
  status: 200,
  response: subscription,
  errors: refusals,
});

const cancel = endpoint({
  method: 'post',
  path: `${path}/{id}/cancel`,
  summary: 'Cancel a subscription at once',
  description: 'What is paid is not given back. To end it with the time that is paid, set `cancelAtPeriodEnd`.',
  access: write,
  params: idParams,
  status: 200,
  response: subscription,
  errors: refusals,
});

const listInvoices = endpoint({
  method: 'get',
  path: invoices,
  summary: "List Stripe's invoices",
  description: 'The last changed first. Kept true by the webhooks that Stripe sends.',
  access: read,
  query: pageQuery.extend(ofCustomer),
  status: 200,
  response: pageSchema(invoice),
  errors: ['invalid-cursor'],
});

const getInvoice = endpoint({
  method: 'get',
  path: `${invoices}/{id}`,
  summary: "Get an invoice of Stripe's",
  access: read,
  params: idParams,
  status: 200,
  response: invoice,
  errors: ['not-found'],
});

const listPayouts = endpoint({
  method: 'get',
  path: payouts,
  summary: "List Stripe's payouts to the bank",
  description: 'The last changed first. Each is in the books, on `bank:stripe`.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(payout),
  errors: ['invalid-cursor'],
});

const getPayout = endpoint({
  method: 'get',
  path: `${payouts}/{id}`,
  summary: 'Get a payout to the bank',
  access: read,
  params: idParams,
  status: 200,
  response: payout,
  errors: ['not-found'],
});

export const stripeSubscriptions = ({
  stripeBilling: billing,
  stripeRecords: records,
  subscriptionService: subscriptions,
}: Pick<PaymentServices, 'stripeBilling' | 'stripeRecords' | 'subscriptionService'>): Route[] => [
  handle(list, ({ actor, query }) => subscriptions.list(actor, query)),
  handle(get, ({ actor, params }) => subscriptions.get(actor, params.id)),
  handle(create, ({ actor, body }) => billing.createSubscription(actor, body)),
  handle(update, ({ actor, params, body }) => billing.updateSubscription(actor, params.id, body)),
  handle(cancel, ({ actor, params }) => billing.cancelSubscription(actor, params.id)),
  handle(listInvoices, ({ actor, query }) => records.listInvoices(actor, query)),
  handle(listPayouts, ({ actor, query }) => records.listPayouts(actor, query)),
  handle(getPayout, ({ actor, params }) => records.getPayout(actor, params.id)),
  handle(getInvoice, ({ actor, params }) => records.getInvoice(actor, params.id)),
];
