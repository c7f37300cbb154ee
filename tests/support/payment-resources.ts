import * as z from 'zod';
import { systemActor } from '#shared/kernel/actor.ts';
import { type GatewayAccount, gatewayAccountCollection } from '#shared/payments/accounts/gateway-account.schema.ts';
import { disputeCollection } from '#shared/payments/disputes/dispute.schema.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
} from '#shared/payments/ledger/ledger.schema.ts';
import { createLedger } from '#shared/payments/ledger/ledger.service.ts';
import { type Payment, parkedPaymentCollection, paymentCollection } from '#shared/payments/payments/payment.schema.ts';
import { routingRuleCollection } from '#shared/payments/routing/routing-rule.schema.ts';
import { makeCrypto } from './crypto-resources.ts';
import type { Operation } from './operations.ts';
import { request, type TestRuntime } from './runtime.ts';

const at = '2026-01-01T00:00:00.000Z';

/** A payment that is captured, as it is stored. */
const paymentOf = (tenant: string): Payment => ({
  reference: `order-of-${tenant}`,
  status: 'captured',
  amount: 2_500,
  currency: 'EUR',
  capture: 'automatic',
  customer: `customer-of-${tenant}`,
  description: null,
  mode: 'live',
  gateway: 'acmepay',
  account: 'acmepay-live',
  gatewayReference: `acp_of_${tenant}`,
  routing: { rule: null, because: 'acmepay-live costs about 0.', candidates: [] },
  captured: 2_500,
  refunded: 500,
  disputed: 0,
  held: 0,
  fee: null,
  nextAction: null,
  decline: null,
  deleted: false,
  createdAt: at,
  updatedAt: at,
  offSession: false,
  returnUrl: null,
  sources: [],
  hash: 'x',
  attempts: [],
  captureRequested: null,
  captureRequestedAt: null,
  refunds: [
    {
      id: `ref_of_${tenant}`,
      amount: 500,
      currency: 'EUR',
      reason: null,
      status: 'succeeded',
      gatewayReference: `arf_of_${tenant}`,
      detail: null,
      createdAt: at,
      askedAt: at,
    },
  ],
  disputes: [],
  facts: [{ key: `captured:2500:${tenant}`, amount: 2_500, at }],
  syncedAt: at,
});

const path = '/api/v1/payments';
const orders = '/api/v1/paypal/orders';
const orderSchema = z.object({ id: z.string(), payment: z.string() });

/** An account at PayPal in each mode, and orders there: two that are paid, and some that are held. */
const makePayPal = async (operations: readonly Operation[], key: string, tenant: string) => {
  const own = operations.find((operation) => operation.path === orders);
  if (own === undefined) return {};
  const make = async (to: string, body: unknown) => (await request(own.app, to, { key, method: 'POST', body })).json();
  for (const mode of ['live', 'test'] as const) {
    const credentials = { clientId: `${mode}-of-${tenant}`, clientSecret: 'secret' };
    await make(`${path}/gateway-accounts`, { gateway: 'paypal', mode, credentials });
  }
  const order = async (intent: 'capture' | 'authorize') =>
    orderSchema.parse(await make(orders, { amount: { amount: 90_000, currency: 'EUR' }, intent, vaultId: 'vault-1' }));
  const [paid, sold] = [await order('capture'), await order('capture')];
  const hold = () => order('authorize');
  const [first, second, third] = [await hold(), await hold(), await hold()];
  const [captured, canceled] = [await hold(), await hold()];
  return {
    [`${orders}/{id}`]: { id: paid.id },
    [`${orders}/{id}/refunds`]: { id: paid.id },
    [`${orders}/{id}/capture`]: { id: first.id },
    [`${orders}/{id}/authorize`]: { id: second.id },
    [`${orders}/{id}/void`]: { id: third.id },
    [`${path}/{id}`]: { id: sold.payment },
    [`${path}/{id}/confirm`]: { id: sold.payment },
    [`${path}/{id}/refunds`]: { id: sold.payment },
    [`${path}/{id}/timeline`]: { id: sold.payment },
    [`${path}/{id}/capture`]: { id: captured.payment },
    [`${path}/{id}/cancel`]: { id: canceled.payment },
    [`${path}/gateway-accounts/{id}/balances`]: { id: 'paypal-live' },
  };
};

const makeDisputes = async ({ database }: TestRuntime, tenant: string) => {
  const id = `dsp_1_${tenant}`;
  const common = { payment: `pay_1_${tenant}`, gateway: 'paypal', account: 'paypal-live', mode: 'live' } as const;
  const about = { amount: 900, currency: 'EUR', status: 'open', lost: 0, reason: null, respondBy: null } as const;
  const gatewayReference = `PP-D-of-${tenant}`;
  for (const one of [id, `dsp_2_${tenant}`]) {
    await database
      .tenants(disputeCollection)
      .of(tenant)
      .create(one, { ...common, ...about, gatewayReference, openedAt: at, updatedAt: at, changes: 1 });
  }
  return { [`${path}/disputes/{id}`]: { id } };
};

/** Payments, accounts, rules and books of a tenant: at PayPal's local server, and without any gateway. */
export const makePayments = async (
  runtime: TestRuntime,
  operations: readonly Operation[],
  key: string,
  tenant: string,
) => {
  // Before there is a rule, which names other gateways.
  const crypto = await makeCrypto(runtime, operations, key, tenant);
  const { database, clock } = runtime;
  const account: Omit<GatewayAccount, 'mode'> = {
    gateway: 'acmepay',
    providerAccount: `acct_of_${tenant}`,
    enabled: true,
    cost: { basisPoints: 0, fixed: 0 },
    countries: [],
    createdAt: at,
    updatedAt: at,
    credentials: JSON.stringify({ secretKey: `key of ${tenant}` }),
  };
  for (const mode of ['live', 'test'] as const) {
    await database
      .tenants(gatewayAccountCollection)
      .of(tenant)
      .create(`acmepay-${mode}`, { ...account, mode });
  }
  const ids = [`pay_1_${tenant}`, `pay_2_${tenant}`] as const;
  for (const id of ids) await database.tenants(paymentCollection).of(tenant).create(id, paymentOf(tenant));
  const rule = `rul_of_${tenant}`;
  const times = { createdAt: at, updatedAt: at };
  const value = {
    name: `Rule of ${tenant}`,
    priority: 1,
    enabled: true,
    gateways: ['acmepay' as const, 'paypal' as const],
    others: false,
  };
  await database
    .tenants(routingRuleCollection)
    .of(tenant)
    .create(rule, { ...value, ...times });
  for (const n of [1, 2]) {
    await database
      .tenants(parkedPaymentCollection)
      .of(tenant)
      .create(`prk_${n}_${tenant}`, {
        gateway: 'acmepay',
        account: 'acmepay-live',
        gatewayReference: `acp_${n}_of_${tenant}`,
        parkedAt: at,
        expiresAt: '2099-01-01T00:00:00.000Z',
      });
  }
  const ledger = createLedger({
    database,
    accounts: database.tenants(ledgerAccountCollection),
    entries: database.tenants(ledgerEntryCollection),
    balances: database.tenants(ledgerBalanceCollection),
    clock,
  });
  const name = `bank:${tenant}`;
  const amount = { amount: 700 + tenant.length, currency: 'EUR' };
  const deposit = `deposit:${tenant}`;
  await ledger.post(systemActor(tenant, 'test'), {
    key: deposit,
    lines: [
      { account: name, amount },
      { account: `equity:${tenant}`, amount: { ...amount, amount: -amount.amount } },
    ],
    source: ids[0],
  });
  const ledgerAccount = `${name}@EUR`;
  return {
    ...crypto,
    ...(await makeDisputes(runtime, tenant)),
    ...(await makePayPal(operations, key, tenant)),
    [`${path}/gateway-accounts/{id}`]: { id: 'acmepay-live' },
    [`${path}/routing-rules/{id}`]: { id: rule },
    [`${path}/ledger/accounts/{account}/statement`]: { account: ledgerAccount },
    [`${path}/ledger/accounts/{account}/balance`]: { account: ledgerAccount },
    [`${path}/ledger/transactions/{key}`]: { key: deposit },
    [`${path}/ledger/transactions/{key}/reverse`]: { key: deposit },
  };
};
