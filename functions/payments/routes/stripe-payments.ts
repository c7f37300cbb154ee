import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams } from '#shared/http/page.ts';
import { stripeSchemas } from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/stripe';
const { intentView } = stripeSchemas;
const refusals = ['precondition-failed', 'idempotency-mismatch', 'unavailable', 'not-found'] as const;

const create = endpoint({
  method: 'post',
  path: `${path}/payment-intents`,
  summary: 'Take a payment',
  description:
    'At once with `paymentMethod`; else the payer chooses how, by `clientSecret`. A decline is no error: its `status` is ' +
    '`failed`. Send an `Idempotency-Key`, and repeat with it when no answer comes: it is charged once.',
  access: { scopes: ['payments:write'] },
  body: stripeSchemas.newIntentSchema,
  status: 201,
  response: intentView,
  errors: refusals,
});

const get = endpoint({
  method: 'get',
  path: `${path}/payment-intents/{id}`,
  summary: 'Get a payment as Stripe has it now',
  access: { scopes: ['payments:read'] },
  params: idParams,
  status: 200,
  response: intentView,
  errors: refusals,
});

const capture = endpoint({
  method: 'post',
  path: `${path}/payment-intents/{id}/capture`,
  summary: 'Capture what is held',
  access: { scopes: ['payments:write'] },
  params: idParams,
  body: stripeSchemas.captureSchema,
  status: 200,
  response: intentView,
  errors: refusals,
});

const cancel = endpoint({
  method: 'post',
  path: `${path}/payment-intents/{id}/cancel`,
  summary: 'Cancel a payment',
  description: 'What is held is given up. What is captured can only be refunded.',
  access: { scopes: ['payments:write'] },
  params: idParams,
  status: 200,
  response: intentView,
  errors: refusals,
});

const refund = endpoint({
  method: 'post',
  path: `${path}/refunds`,
  summary: 'Refund a payment',
  description: 'All of it or a part. Several refunds together are never more than was captured.',
  access: { scopes: ['payments:refund'] },
  body: stripeSchemas.newRefundSchema,
  status: 201,
  response: stripeSchemas.refundView,
  errors: refusals,
});

const balance = endpoint({
  method: 'get',
  path: `${path}/balance`,
  summary: "Compare Stripe's balance with the books",
  description:
    'By currency. A difference is mostly what came, or was paid out, in the last minutes. Payments of all ' +
    'your accounts at Stripe are on the same account of the books.',
  access: { scopes: ['ledger:read'] },
  status: 200,
  response: stripeSchemas.balanceView,
  errors: refusals,
});

type Services = Pick<PaymentServices, 'stripePayments' | 'stripeBalances'>;

export const stripePayments = ({ stripePayments: payments, stripeBalances: balances }: Services): Route[] => [
  handle(create, ({ actor, body }) => payments.create(actor, body)),
  handle(get, ({ actor, params }) => payments.get(actor, params.id)),
  handle(capture, ({ actor, params, body }) => payments.capture(actor, params.id, body.amount)),
  handle(cancel, ({ actor, params }) => payments.cancel(actor, params.id)),
  handle(balance, ({ actor }) => balances.compare(actor)),
  handle(refund, ({ actor, body }) => payments.refund(actor, body)),
];
