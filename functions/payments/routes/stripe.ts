import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { stripeCustomerView, stripeSchemas } from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/stripe';
const read = { scopes: ['payments:read'] };
const write = { scopes: ['payments:write'] };
const customer = stripeCustomerView.meta({ id: 'StripeCustomer' });
/** What Stripe, or the lack of an account there, can say to a change. */
const refusals = ['precondition-failed', 'idempotency-mismatch', 'unavailable', 'not-found'] as const;

const createCustomer = endpoint({
  method: 'post',
  path: `${path}/customers`,
  summary: 'Make a customer',
  access: write,
  body: stripeSchemas.newCustomerSchema,
  status: 201,
  response: customer,
  errors: refusals,
});

const listCustomers = endpoint({
  method: 'get',
  path: `${path}/customers`,
  summary: 'List customers',
  description: 'The last changed first, as webhooks keep them.',
  access: read,
  query: pageQuery.extend({ email: z.string().min(1).max(254).optional() }),
  status: 200,
  response: pageSchema(customer),
  errors: ['invalid-cursor'],
});

const getCustomer = endpoint({
  method: 'get',
  path: `${path}/customers/{id}`,
  summary: 'Get a customer',
  access: read,
  params: idParams,
  status: 200,
  response: customer,
  errors: ['not-found'],
});

const updateCustomer = endpoint({
  method: 'patch',
  path: `${path}/customers/{id}`,
  summary: 'Change a customer',
  access: write,
  params: idParams,
  body: stripeSchemas.customerChangeSchema,
  status: 200,
  response: customer,
  errors: refusals,
});

const deleteCustomer = endpoint({
  method: 'delete',
  path: `${path}/customers/{id}`,
  summary: 'Delete a customer',
  description: 'With all subscriptions, at once. What names a person is gone; that there was a customer stays.',
  access: write,
  params: idParams,
  status: 200,
  response: customer,
  errors: refusals,
});

const createCheckout = endpoint({
  method: 'post',
  path: `${path}/checkout-sessions`,
  summary: 'Begin a checkout',
  description: "A page of Stripe's on which a payer pays once or subscribes.",
  access: write,
  body: stripeSchemas.newCheckoutSchema,
  status: 201,
  response: stripeSchemas.checkoutView,
  errors: refusals,
});

const getCheckout = endpoint({
  method: 'get',
  path: `${path}/checkout-sessions/{id}`,
  summary: 'Get a checkout',
  description: 'As Stripe has it now. Where it is complete, the customer and the subscription are there too.',
  access: read,
  params: idParams,
  status: 200,
  response: stripeSchemas.checkoutView,
  errors: refusals,
});

const createPortal = endpoint({
  method: 'post',
  path: `${path}/portal-sessions`,
  summary: 'Open the billing portal',
  description: "A page of Stripe's on which a customer changes cards and subscriptions.",
  access: write,
  body: stripeSchemas.newPortalSchema,
  status: 201,
  response: z.object({ url: z.string() }).meta({ id: 'StripePortalSession' }),
  errors: refusals,
});

export const stripe = ({ stripeBilling: billing }: Pick<PaymentServices, 'stripeBilling'>): Route[] => [
  handle(createCustomer, ({ actor, body }) => billing.createCustomer(actor, body)),
  handle(listCustomers, ({ actor, query }) => billing.listCustomers(actor, query)),
  handle(getCustomer, ({ actor, params }) => billing.getCustomer(actor, params.id)),
  handle(updateCustomer, ({ actor, params, body }) => billing.updateCustomer(actor, params.id, body)),
  handle(deleteCustomer, ({ actor, params }) => billing.deleteCustomer(actor, params.id)),
  handle(createCheckout, ({ actor, body }) => billing.createCheckout(actor, body)),
  handle(getCheckout, ({ actor, params }) => billing.getCheckout(actor, params.id)),
  handle(createPortal, ({ actor, body }) => billing.createPortal(actor, body.customer, body.returnUrl)),
];
