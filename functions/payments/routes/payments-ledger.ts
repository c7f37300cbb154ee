import * as z from 'zod';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { pageQuery, pageSchema } from '#shared/http/page.ts';
import {
  accountIdSchema,
  entryViewSchema,
  ledgerAccountViewSchema,
  modeSchema,
  reconciliationViewSchema,
  statementViewSchema,
  transactionInputSchema,
  transactionViewSchema,
  trialBalanceViewSchema,
} from '#shared/payments/index.ts';
import type { PaymentServices } from '../services.ts';

const path = '/api/v1/payments/ledger';
const read = { scopes: ['ledger:read'] };
const post = { scopes: ['ledger:post'] };

const accountParams = z.object({
  account: z
    .string()
    .max(200)
    .regex(/^[\w:@-]+$/)
    .meta({ examples: ['gateway:stripe:pending@EUR'] }),
});
const keyParams = z.object({ key: z.string().regex(/^[\w:.-]{1,200}$/) });
const time = z.iso.datetime();
const currency = z.string().regex(/^[A-Z]{3}$/);
/** Each balance is a query of its own, so a page is short. */
const shortLimit = z.coerce.number().int().min(1).max(50).default(50);
/** Parts of one document rather than lists of things: `after` is the `nextCursor` of the part before. */
const partQuery = z.strictObject({ limit: pageQuery.shape.limit, after: pageQuery.shape.cursor });

const accounts = endpoint({
  method: 'get',
  path: `${path}/accounts`,
  summary: 'List ledger accounts with their balances',
  access: read,
  query: pageQuery,
  status: 200,
  response: pageSchema(ledgerAccountViewSchema),
  errors: ['invalid-cursor'],
});

const entries = endpoint({
  method: 'get',
  path: `${path}/entries`,
  summary: 'List ledger entries',
  description: 'The newest first: of an account, of a source such as a payment, or all.',
  access: read,
  query: pageQuery.extend({
    account: accountParams.shape.account.optional(),
    source: z.string().min(1).max(200).optional(),
  }),
  status: 200,
  response: pageSchema(entryViewSchema),
  errors: ['invalid-cursor'],
});

const trialBalance = endpoint({
  method: 'get',
  path: `${path}/trial-balance`,
  summary: 'Get the trial balance of a currency',
  description:
    'Every account on its side, now or as it was at a time. `difference` is over all accounts, and is 0: the lines of ' +
    'a transaction have one time, so no time parts them.',
  access: read,
  query: partQuery.extend({
    limit: shortLimit,
    currency: currency.default('EUR'),
    mode: modeSchema.default('live'),
    at: time.optional(),
  }),
  status: 200,
  response: trialBalanceViewSchema,
  errors: ['invalid-cursor'],
});

const statement = endpoint({
  method: 'get',
  path: `${path}/accounts/{account}/statement`,
  summary: 'Get the statement of an account',
  description: 'What moved it from one time until just before another, the oldest first, with its balance at both.',
  access: read,
  params: accountParams,
  query: partQuery.extend({
    from: time.default('1970-01-01T00:00:00.000Z'),
    to: time.default('9999-12-31T00:00:00.000Z'),
  }),
  status: 200,
  response: statementViewSchema,
  errors: ['not-found', 'invalid-cursor'],
});

const balance = endpoint({
  method: 'get',
  path: `${path}/accounts/{account}/balance`,
  summary: 'Get the balance of an account',
  description: "Positive on the account's own side; now, or as it was at a time.",
  access: read,
  params: accountParams,
  query: z.strictObject({ at: time.optional() }),
  status: 200,
  response: z.object({ account: z.string(), balance: z.number(), at: time.nullable() }),
  errors: ['not-found'],
});

const postOne = endpoint({
  method: 'post',
  path: `${path}/transactions`,
  summary: 'Post a transaction',
  description:
    'As a payout that has reached the bank. Its lines sum to zero in every currency. The same key is posted once; with ' +
    'other content it is refused. What is posted is never changed: reverse it.',
  access: post,
  body: transactionInputSchema,
  status: 201,
  response: transactionViewSchema,
  errors: ['idempotency-mismatch'],
});

const getTransaction = endpoint({
  method: 'get',
  path: `${path}/transactions/{key}`,
  summary: 'Get a transaction',
  access: read,
  params: keyParams,
  status: 200,
  response: transactionViewSchema,
  errors: ['not-found'],
});

const reverse = endpoint({
  method: 'post',
  path: `${path}/transactions/{key}/reverse`,
  summary: 'Reverse a transaction',
  description: 'Posts its opposite, once.',
  access: post,
  params: keyParams,
  status: 201,
  response: transactionViewSchema,
  errors: ['not-found', 'idempotency-mismatch'],
});

const reconcile = endpoint({
  method: 'post',
  path: `${path}/reconciliations`,
  summary: "Compare a gateway's balance with the books",
  description: 'With what explains a difference: what is not booked yet, and what is no payment of yours.',
  access: read,
  body: z.strictObject({ account: accountIdSchema, since: time.default('1970-01-01T00:00:00.000Z') }).meta({
    id: 'LedgerReconciliationInput',
    examples: [{ account: 'acmepay-live', since: '2026-01-01T00:00:00.000Z' }],
  }),
  status: 200,
  response: reconciliationViewSchema,
  errors: ['not-found', 'precondition-failed', 'unavailable'],
});

export const paymentsLedger = ({ ledger, balances }: Pick<PaymentServices, 'ledger' | 'balances'>): Route[] => [
  handle(accounts, ({ actor, query }) => ledger.accounts(actor, query)),
  handle(entries, ({ actor, query }) => ledger.entries(actor, query)),
  handle(trialBalance, ({ actor, query: { mode, after, ...query } }) =>
    ledger.trialBalance(actor, { ...query, book: mode, cursor: after }),
  ),
  handle(statement, ({ actor, params, query: { after, ...query } }) =>
    ledger.statement(actor, params.account, { ...query, cursor: after }),
  ),
  handle(balance, async ({ actor, params: { account }, query: { at } }) => ({
    account,
    balance: await ledger.balance(actor, account, at),
    at: at ?? null,
  })),
  handle(postOne, ({ actor, body: { lines, ...rest } }) =>
    ledger.post(actor, {
      ...rest,
      lines: lines.map(({ account, amount, currency }) => ({ account, amount: { amount, currency } })),
    }),
  ),
  handle(getTransaction, ({ actor, params }) => ledger.get(actor, params.key)),
  handle(reverse, ({ actor, params }) => ledger.reverse(actor, params.key)),
  handle(reconcile, ({ actor, body }) => balances.reconcile(actor, body.account, body.since)),
];
