import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { idParams, pageQuery, pageSchema } from '#shared/http/page.ts';
import { cryptoSchemas, modeSchema, refundInputSchema, refundViewSchema } from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/crypto';
const read = { scopes: ['payments:read'] };
const write = { scopes: ['payments:write'] };
const refunds = { scopes: ['payments:refund'] };
const view = cryptoSchemas.cryptoPaymentSchema;
const refusals = ['not-found', 'precondition-failed', 'revision-conflict', 'unavailable'] as const;

const listAssets = endpoint({
  method: 'get',
  path: `${path}/assets`,
  summary: 'List what can be paid with',
  description: 'Tokens on the chains that this deployment reads. All there are.',
  access: read,
  query: z.strictObject({ mode: modeSchema.optional() }),
  status: 200,
  response: z.object({ items: z.array(cryptoSchemas.assetViewSchema).readonly() }),
});

const quote = endpoint({
  method: 'post',
  path: `${path}/quotes`,
  summary: 'Ask what an amount is in a token',
  description: 'At the rate of now. Nothing is kept: the rate is locked when a payment is made.',
  access: read,
  body: cryptoSchemas.quoteInputSchema,
  status: 200,
  response: cryptoSchemas.quoteViewSchema,
  errors: ['unavailable'],
});

const create = endpoint({
  method: 'post',
  path: `${path}/payments`,
  summary: 'Take a payment on a chain',
  description:
    'To an address of your own wallet, which is given to no other payment. The rate is locked for 30 minutes. With a ' +
    '`reference` there is one payment for it. It is captured once what was sent is final on its chain.',
  access: write,
  body: cryptoSchemas.cryptoPaymentInputSchema,
  status: 201,
  response: view,
  errors: ['precondition-failed', 'idempotency-mismatch', 'revision-conflict', 'unavailable'],
});

const list = endpoint({
  method: 'get',
  path: `${path}/payments`,
  summary: 'List payments on chains',
  description: 'The newest first. `undecided=true` are those that wait for you.',
  access: read,
  query: pageQuery.extend({ mode: modeSchema.optional(), undecided: z.enum(['true', 'false']).optional() }),
  status: 200,
  response: pageSchema(view),
  errors: ['invalid-cursor'],
});

const getOne = endpoint({
  method: 'get',
  path: `${path}/payments/{id}`,
  summary: 'Get a payment on a chain',
  description: 'With what was seen of it so far, and how many blocks are on top of that.',
  access: read,
  params: idParams,
  status: 200,
  response: view,
  errors: ['not-found'],
});

const cancel = endpoint({
  method: 'post',
  path: `${path}/payments/{id}/cancel`,
  summary: 'Give up a payment of which nothing was seen',
  description: 'Its address is looked at for another 30 days: what comes is held.',
  access: write,
  params: idParams,
  status: 200,
  response: view,
  errors: refusals,
});

const accept = endpoint({
  method: 'post',
  path: `${path}/payments/{id}/accept`,
  summary: 'Take what came otherwise than asked as the payment',
  description: 'All that is held: too little, too much, late or in another token. It is captured for what it is worth.',
  access: write,
  params: idParams,
  status: 200,
  response: view,
  errors: refusals,
});

const giveBack = endpoint({
  method: 'post',
  path: `${path}/payments/{id}/returns`,
  summary: 'Show the transaction that sent a receipt back',
  description: 'You send it from your wallet. It has to be final, of the same token, and as much as came.',
  access: refunds,
  params: idParams,
  body: cryptoSchemas.returnInputSchema,
  status: 200,
  response: view,
  errors: refusals,
});

const refund = endpoint({
  method: 'post',
  path: `${path}/payments/{id}/refunds`,
  summary: 'Note a refund of a payment, or of a part of it',
  description: 'It is `pending`, and owed, until the transaction is shown that pays it from your wallet.',
  access: refunds,
  params: idParams,
  body: refundInputSchema,
  status: 201,
  response: refundViewSchema,
  errors: [...refusals, 'idempotency-mismatch'],
});

const settle = endpoint({
  method: 'post',
  path: `${path}/payments/{id}/refunds/{refund}/settle`,
  summary: 'Show the transaction that paid a refund',
  description: 'It has to be final, of the same token, and at least the units of the refund.',
  access: refunds,
  params: idParams.extend({ refund: idParams.shape.id }),
  body: cryptoSchemas.settleInputSchema,
  status: 200,
  response: view,
  errors: refusals,
});

const addressBalance = endpoint({
  method: 'get',
  path: `${path}/payments/{id}/balance`,
  summary: "Get what is at a payment's address now",
  description: 'As two nodes of its chain say, whenever it came.',
  access: read,
  params: idParams,
  status: 200,
  response: cryptoSchemas.addressBalanceSchema,
  errors: ['not-found', 'precondition-failed', 'unavailable'],
});

const listAddresses = endpoint({
  method: 'get',
  path: `${path}/addresses`,
  summary: 'List addresses that were given out',
  description: 'The newest first, with their paths below the extended public key.',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(cryptoSchemas.addressViewSchema),
  errors: ['invalid-cursor'],
});

const balance = endpoint({
  method: 'get',
  path: `${path}/balances`,
  summary: 'Get what the books say of what came',
  access: read,
  query: z.strictObject({
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/)
      .default('USD')
      .meta({ examples: ['USD'] }),
    mode: modeSchema.default('live'),
  }),
  status: 200,
  response: cryptoSchemas.cryptoBalanceSchema,
});

export const crypto = ({ crypto: service }: Pick<PaymentServices, 'crypto'>): Route[] => [
  handle(listAssets, ({ query }) => Promise.resolve({ items: service.assets(query.mode) })),
  handle(quote, ({ body }) => service.quote(body)),
  handle(create, async ({ actor, body, c }) => {
    const payment = await service.create(actor, body);
    c.header('location', `${path}/payments/${payment.id}`);
    return payment;
  }),
  handle(list, ({ actor, query: { undecided, ...query } }) =>
    service.list(actor, undecided === undefined ? query : { ...query, undecided: undecided === 'true' }),
  ),
  handle(getOne, ({ actor, params }) => service.get(actor, params.id)),
  handle(cancel, ({ actor, params }) => service.cancel(actor, params.id)),
  handle(accept, ({ actor, params }) => service.accept(actor, params.id)),
  handle(giveBack, ({ actor, params, body }) => service.giveBack(actor, params.id, body.receipt, body.transaction)),
  handle(refund, ({ actor, params, body }) => service.refund(actor, params.id, body)),
  handle(settle, ({ actor, params, body }) => service.settle(actor, params.id, params.refund, body.transaction)),
  handle(addressBalance, ({ actor, params }) => service.addressBalance(actor, params.id)),
  handle(listAddresses, ({ actor, query }) => service.addresses(actor, query)),
  handle(balance, ({ actor, query }) => service.balance(actor, query.currency, query.mode)),
];
