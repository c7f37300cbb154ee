import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  captureInputSchema,
  factViewSchema,
  gatewayNameSchema,
  modeSchema,
  parkedViewSchema,
  paymentInputSchema,
  paymentStatusSchema,
  paymentViewSchema,
  refundInputSchema,
  refundViewSchema,
  routeViewSchema,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/payments';
const read = { scopes: ['payments:read'] };
const write = { scopes: ['payments:write'] };
const refunds = { scopes: ['payments:refund'] };

const create = endpoint({
  method: 'post',
  path,
  summary: 'Take a payment',
  description:
    'Through the gateway that suits it best; `routing` says which, and why. With a `reference` there is one payment for ' +
    'it, however often it is asked for. A payment that is `created` was asked of its gateway, whose answer is not known ' +
    'yet: it is found out, and never charged again. Where the payer has something to do, `nextAction` says what.',
  access: write,
  body: paymentInputSchema,
  status: 201,
  response: paymentViewSchema,
  errors: ['precondition-failed', 'idempotency-mismatch', 'revision-conflict', 'unavailable'],
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List payments',
  description: 'The newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    status: paymentStatusSchema.optional(),
    customer: z.string().min(1).max(128).optional(),
    mode: modeSchema.optional(),
    gateway: gatewayNameSchema.optional(),
  }),
  status: 200,
  response: pageSchema(paymentViewSchema),
  errors: ['invalid-cursor'],
});

const preview = endpoint({
  method: 'post',
  path: `${path}/route`,
  summary: 'Ask where a payment would go',
  description: 'And why. Nothing is charged or kept.',
  access: read,
  body: paymentInputSchema,
  status: 200,
  response: routeViewSchema,
});

const unmatched = endpoint({
  method: 'get',
  path: `${path}/unmatched`,
  summary: 'List what gateways told of that is no payment of yours',
  description: 'As one that was made at the gateway itself. Kept for 30 days.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(parkedViewSchema),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get a payment',
  access: read,
  params: idParams,
  status: 200,
  response: paymentViewSchema,
  errors: ['not-found'],
});

const changes = [
  'not-found',
  'precondition-failed',
  'idempotency-mismatch',
  'revision-conflict',
  'unavailable',
] as const;

const confirm = endpoint({
  method: 'post',
  path: `${path}/{id}/confirm`,
  summary: 'Confirm a payment after its payer has come back',
  description: "It may be called before or after the gateway's webhook, and any number of times.",
  access: write,
  params: idParams,
  status: 200,
  response: paymentViewSchema,
  errors: changes,
});

const capture = endpoint({
  method: 'post',
  path: `${path}/{id}/capture`,
  summary: 'Capture what is held',
  access: write,
  params: idParams,
  body: captureInputSchema,
  status: 200,
  response: paymentViewSchema,
  errors: changes,
});

const cancel = endpoint({
  method: 'post',
  path: `${path}/{id}/cancel`,
  summary: 'Give up a payment that is not captured',
  access: write,
  params: idParams,
  status: 200,
  response: paymentViewSchema,
  errors: changes,
});

const refund = endpoint({
  method: 'post',
  path: `${path}/{id}/refunds`,
  summary: 'Pay back a payment, or a part of it',
  description: 'Never more than was captured. A refund that is `created` was asked of the gateway; it is found out.',
  access: refunds,
  params: idParams,
  body: refundInputSchema,
  status: 201,
  response: refundViewSchema,
  errors: changes,
});

const listRefunds = endpoint({
  method: 'get',
  path: `${path}/{id}/refunds`,
  summary: 'List the refunds of a payment',
  description: 'All there are, at most 100 of ours.',
  access: read,
  params: idParams,
  status: 200,
  response: z.object({ items: z.array(refundViewSchema).readonly() }),
  errors: ['not-found'],
});

const timeline = endpoint({
  method: 'get',
  path: `${path}/{id}/timeline`,
  summary: 'Get what happened to a payment',
  description: 'Each fact once, in the order in which it became known.',
  access: read,
  params: idParams,
  status: 200,
  response: z.object({ items: z.array(factViewSchema).readonly() }),
  errors: ['not-found'],
});

export const payments = ({ paymentService: service }: Pick<PaymentServices, 'paymentService'>): Route[] => [
  handle(create, async ({ actor, body, c }) => {
    const payment = await service.create(actor, body);
    c.header('location', `${path}/${payment.id}`);
    return payment;
  }),
  handle(list, ({ actor, query }) => service.list(actor, query)),
  handle(preview, ({ actor, body }) => service.route(actor, body)),
  handle(unmatched, ({ actor, query }) => service.parked(actor, query)),
  handle(getOne, ({ actor, params }) => service.get(actor, params.id)),
  handle(confirm, ({ actor, params }) => service.confirm(actor, params.id)),
  handle(capture, ({ actor, params, body }) => service.capture(actor, params.id, body.amount)),
  handle(cancel, ({ actor, params }) => service.cancel(actor, params.id)),
  handle(refund, ({ actor, params, body }) => service.refund(actor, params.id, body)),
  handle(listRefunds, async ({ actor, params }) => ({ items: await service.refunds(actor, params.id) })),
  handle(timeline, async ({ actor, params }) => ({ items: await service.timeline(actor, params.id) })),
];
