import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  disputeStatusSchema,
  disputeViewSchema,
  gatewayBalanceViewSchema,
  gatewayNameSchema,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/payments/disputes';
const read = { scopes: ['payments:read'] };

const list = endpoint({
  method: 'get',
  path,
  summary: 'List disputes',
  description: 'What payers or their banks want back, of all gateways, the newest first. Filters hold together.',
  access: read,
  query: pageQuery.extend({
    status: disputeStatusSchema.optional(),
    gateway: gatewayNameSchema.optional(),
    payment: z.string().min(1).max(128).optional(),
  }),
  status: 200,
  response: pageSchema(disputeViewSchema),
  errors: ['invalid-cursor'],
});

const get = endpoint({
  method: 'get',
  path: `${path}/{id}`,
  summary: 'Get a dispute',
  access: read,
  params: idParams,
  status: 200,
  response: disputeViewSchema,
  errors: ['not-found'],
});

const balances = endpoint({
  method: 'get',
  path: '/api/v1/payments/gateway-accounts/{id}/balances',
  summary: 'Get what a gateway says that it owes',
  description: 'In each currency, now. `POST /api/v1/payments/ledger/reconciliations` compares it with the books.',
  access: { scopes: ['ledger:read'] },
  params: idParams,
  status: 200,
  response: z.object({ items: z.array(gatewayBalanceViewSchema).readonly() }),
  errors: ['not-found', 'precondition-failed', 'unavailable'],
});

export const paymentsDisputes = (services: Pick<PaymentServices, 'disputeService' | 'balances'>): Route[] => [
  handle(list, ({ actor, query }) => services.disputeService.list(actor, query)),
  handle(get, ({ actor, params }) => services.disputeService.get(actor, params.id)),
  handle(balances, async ({ actor, params }) => ({ items: await services.balances.balances(actor, params.id) })),
];
