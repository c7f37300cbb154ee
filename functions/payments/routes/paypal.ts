import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  captureInputSchema,
  modeSchema,
  newPayPalOrderSchema,
  paymentStatusSchema,
  payPalOrderViewSchema,
  refundInputSchema,
  refundViewSchema,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/paypal/orders';
const read = { scopes: ['payments:read'] };
const write = { scopes: ['payments:write'] };
const refunds = { scopes: ['payments:refund'] };
const refusals = [
  'not-found',
  'precondition-failed',
  'idempotency-mismatch',
  'revision-conflict',
  'unavailable',
] as const;

const create = endpoint({
  method: 'post',
  path,
  summary: 'Make an order',
  description:
    'A payment with the gateway `paypal`. The payer agrees at `approveUrl`; then capture the order, or authorize it. Send a ' +
    '`reference` or an `Idempotency-Key`, and repeat with it when no answer comes: there is one order.',
  access: write,
  body: newPayPalOrderSchema,
  status: 201,
  response: payPalOrderViewSchema,
  errors: refusals,
});

const list = endpoint({
  method: 'get',
  path,
  summary: 'List orders',
  description: 'The newest first, as webhooks keep them. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    status: paymentStatusSchema.optional(),
    customer: z.string().min(1).max(128).optional(),
    mode: modeSchema.optional(),
  }),
  status: 200,
  response: pageSchema(payPalOrderViewSchema),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get an order',
  access: read,
  params: idParams,
  status: 200,
  response: payPalOrderViewSchema,
  errors: ['not-found'],
});

const capture = endpoint({
  method: 'post',
  path: `${path}/{id}/capture`,
  summary: 'Capture an order',
  description:
    'What the payer agreed to, or of an order that is authorised what is held, or a part of it. It may be called any ' +
    'number of times: it is captured once. A decline is no error: its `status` is `failed`.',
  access: write,
  params: idParams,
  body: captureInputSchema,
  status: 200,
  response: payPalOrderViewSchema,
  errors: refusals,
});

const authorize = endpoint({
  method: 'post',
  path: `${path}/{id}/authorize`,
  summary: 'Hold the amount of an order',
  description: 'After the payer has agreed, where its intent is to authorize.',
  access: write,
  params: idParams,
  status: 200,
  response: payPalOrderViewSchema,
  errors: refusals,
});

const giveUp = endpoint({
  method: 'post',
  path: `${path}/{id}/void`,
  summary: 'Give up an order that is not captured',
  access: write,
  params: idParams,
  status: 200,
  response: payPalOrderViewSchema,
  errors: refusals,
});

const refund = endpoint({
  method: 'post',
  path: `${path}/{id}/refunds`,
  summary: 'Refund an order, or a part of it',
  description: 'Several refunds together are never more than was captured.',
  access: refunds,
  params: idParams,
  body: refundInputSchema,
  status: 201,
  response: refundViewSchema,
  errors: refusals,
});

const listRefunds = endpoint({
  method: 'get',
  path: `${path}/{id}/refunds`,
  summary: 'List the refunds of an order',
  description: 'All there are, also those that were made at PayPal itself.',
  access: read,
  params: idParams,
  status: 200,
  response: z.object({ items: z.array(refundViewSchema).readonly() }),
  errors: ['not-found'],
});

export const paypal = ({ paypalOrders: orders }: Pick<PaymentServices, 'paypalOrders'>): Route[] => [
  handle(create, async ({ actor, body, c }) => {
    const order = await orders.create(actor, body);
    c.header('location', `${path}/${order.id}`);
    return order;
  }),
  handle(list, ({ actor, query }) => orders.list(actor, query)),
  handle(get, ({ actor, params }) => orders.get(actor, params.id)),
  handle(capture, ({ actor, params, body }) => orders.capture(actor, params.id, body.amount)),
  handle(authorize, ({ actor, params }) => orders.authorize(actor, params.id)),
  handle(giveUp, ({ actor, params }) => orders.void(actor, params.id)),
  handle(refund, ({ actor, params, body }) => orders.refund(actor, params.id, body)),
  handle(listRefunds, async ({ actor, params }) => ({ items: await orders.refunds(actor, params.id) })),
];
