import * as z from 'zod';
import { endpoint, handle, type Route, sensitive } from '#shared/http/endpoint.ts';
import { idParams } from '#shared/http/page.ts';
import {
  gatewayAccountSettingsSchema,
  gatewayAccountViewSchema,
  newGatewayAccountSchema,
  routingRuleInputSchema,
  routingRuleViewSchema,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const rules = '/api/v1/payments/routing-rules';
const accounts = '/api/v1/payments/gateway-accounts';
const read = { scopes: ['payments:read'] };
/** Where a tenant's money goes. */
const manage = { scopes: ['payments:manage'], stepUp: sensitive };

const connect = endpoint({
  method: 'post',
  path: accounts,
  summary: 'Connect an account at a gateway',
  description: 'The credentials are checked with the gateway, stored encrypted, and never shown.',
  access: manage,
  confidential: true,
  body: newGatewayAccountSchema,
  status: 201,
  response: gatewayAccountViewSchema,
  errors: ['already-exists', 'precondition-failed', 'not-found', 'unavailable'],
});

const listAccounts = endpoint({
  method: 'get',
  path: accounts,
  summary: 'List accounts at gateways',
  description: 'At most one for each gateway and mode, with how the gateway answers.',
  access: read,
  status: 200,
  response: z.object({ items: z.array(gatewayAccountViewSchema).readonly() }),
});

const getAccount = endpoint({
  method: 'get',
  path: `${accounts}/{id}`,
  summary: 'Get an account at a gateway',
  access: read,
  params: idParams,
  status: 200,
  response: gatewayAccountViewSchema,
  errors: ['not-found'],
});

const updateAccount = endpoint({
  method: 'put',
  path: `${accounts}/{id}`,
  summary: 'Change an account at a gateway',
  description: 'New credentials have to be of the same account. What is disabled gets no new payments.',
  access: manage,
  confidential: true,
  params: idParams,
  body: gatewayAccountSettingsSchema,
  status: 200,
  response: gatewayAccountViewSchema,
  errors: ['not-found', 'precondition-failed', 'revision-conflict', 'unavailable'],
});

const removeAccount = endpoint({
  method: 'delete',
  path: `${accounts}/{id}`,
  summary: 'Forget an account at a gateway',
  description: 'Its credentials are deleted. Refused while payments are open there: disable it until they have ended.',
  access: manage,
  params: idParams,
  status: 204,
  errors: ['not-found', 'precondition-failed', 'revision-conflict'],
});

const createRule = endpoint({
  method: 'post',
  path: rules,
  summary: 'Make a routing rule',
  description: 'The first that matches a payment decides which gateways may take it, and in which order.',
  access: manage,
  body: routingRuleInputSchema,
  status: 201,
  response: routingRuleViewSchema,
  errors: ['already-exists', 'precondition-failed'],
});

const listRules = endpoint({
  method: 'get',
  path: rules,
  summary: 'List routing rules',
  description: 'All, in the order in which they decide.',
  access: read,
  status: 200,
  response: z.object({ items: z.array(routingRuleViewSchema).readonly() }),
});

const getRule = endpoint({
  method: 'get',
  path: `${rules}/{id}`,
  summary: 'Get a routing rule',
  access: read,
  params: idParams,
  status: 200,
  response: routingRuleViewSchema,
  errors: ['not-found'],
});

const updateRule = endpoint({
  method: 'put',
  path: `${rules}/{id}`,
  summary: 'Replace a routing rule',
  access: manage,
  params: idParams,
  body: routingRuleInputSchema,
  status: 200,
  response: routingRuleViewSchema,
  errors: ['not-found', 'revision-conflict'],
});

const removeRule = endpoint({
  method: 'delete',
  path: `${rules}/{id}`,
  summary: 'Delete a routing rule',
  access: manage,
  params: idParams,
  status: 204,
  errors: ['not-found', 'revision-conflict'],
});

type Services = Pick<PaymentServices, 'gatewayAccounts' | 'routingRules'>;

export const paymentsSetup = ({ gatewayAccounts, routingRules }: Services): Route[] => [
  handle(connect, ({ actor, body }) => gatewayAccounts.connect(actor, body)),
  handle(listAccounts, async ({ actor }) => ({ items: await gatewayAccounts.list(actor) })),
  handle(getAccount, ({ actor, params }) => gatewayAccounts.get(actor, params.id)),
  handle(updateAccount, ({ actor, params, body }) => gatewayAccounts.update(actor, params.id, body)),
  handle(removeAccount, async ({ actor, params }) => {
    await gatewayAccounts.remove(actor, params.id);
    return undefined;
  }),
  handle(createRule, ({ actor, body }) => routingRules.create(actor, body)),
  handle(listRules, async ({ actor }) => ({ items: await routingRules.list(actor) })),
  handle(getRule, ({ actor, params }) => routingRules.get(actor, params.id)),
  handle(updateRule, ({ actor, params, body }) => routingRules.update(actor, params.id, body)),
  handle(removeRule, async ({ actor, params }) => {
    await routingRules.remove(actor, params.id);
    return undefined;
  }),
];
