import { systemActor } from '#shared/kernel/actor.ts';
import { type GatewayAccount, gatewayAccountCollection } from '#shared/payments/accounts/gateway-account.schema.ts';
import {
  ledgerAccountCollection,
  ledgerBalanceCollection,
  ledgerEntryCollection,
} from '#shared/payments/ledger/ledger.schema.ts';
import { createLedger } from '#shared/payments/ledger/ledger.service.ts';
import { onchainAddressCollection, onchainInvoiceCollection } from '#shared/payments/onchain/onchain.schema.ts';
import { invoiceId } from '#shared/payments/onchain/onchain.state.ts';
import { type Payment, parkedPaymentCollection, paymentCollection } from '#shared/payments/payments/payment.schema.ts';
import { routingRuleCollection } from '#shared/payments/routing/routing-rule.schema.ts';
import type { TestRuntime } from './runtime.ts';

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
  refunds: [
    {
      id: `ref_of_${tenant}`,
      amount: 500,
      currency: 'EUR',
      reason: null,
      status: 'succeeded',
      gatewayReference: `arf_of_${tenant}`,
      createdAt: at,
    },
  ],
  facts: [{ key: `captured:2500:${tenant}`, amount: 2_500, at }],
  syncedAt: at,
});

const path = '/api/v1/payments';

const wallet = '0x00000000000000000000000000000000000000aa';

/** Two payments on a chain, one of them with money that waits for a decision. */
const makeOnchain = async ({ database }: TestRuntime, tenant: string) => {
  const path = '/api/v1/crypto';
  const transaction = '0x00000000000000000000000000000000000000000000000000000000000000ab';
  const transfer = { id: `${transaction}-0`, transaction, block: 7, at, from: wallet, token: 'USDC' } as const;
  for (const n of [1, 2]) {
    const payment = `pay_chain_${n}_${tenant}`;
    const allotted = {
      wallet: `wal_${tenant}`,
      index: n,
      path: `0/${n}`,
      address: wallet,
      payment,
      createdAt: at,
    } as const;
    await database.tenants(onchainAddressCollection).of(tenant).create(`wal_${tenant}~${n}`, allotted);
    await database
      .tenants(onchainInvoiceCollection)
      .of(tenant)
      .create(invoiceId(payment), {
        ...allotted,
        livemode: true,
        chain: 'base',
        token: 'USDC',
        decimals: 6,
        amount: 2_500,
        currency: 'USD',
        units: '25000000',
        rate: { price: '1', source: 'par', at },
        expiresAt: at,
        canceledAt: null,
        closedAt: at,
        updatedAt: at,
        transfers: [{ ...transfer, units: '25000000', kind: 'late', value: 2_500 }],
        seen: [],
        uncounted: 0,
        refunds: [{ id: `ref_chain_${tenant}`, amount: 100, units: '1000000', transaction: null }],
        decisions: [],
        undecided: true,
      });
  }
  const id = `pay_chain_1_${tenant}`;
  return {
    [`${path}/payments/{id}`]: { id },
    [`${path}/payments/{id}/cancel`]: { id },
    [`${path}/payments/{id}/accept`]: { id },
    [`${path}/payments/{id}/returns`]: { id },
    [`${path}/payments/{id}/refunds`]: { id },
    [`${path}/payments/{id}/refunds/{refund}/settle`]: { id, refund: `ref_chain_${tenant}` },
    [`${path}/payments/{id}/balance`]: { id },
  };
};

/** Payments, accounts, rules and books of a tenant, without any gateway. */
export const makePayments = async (runtime: TestRuntime, tenant: string) => {
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
    gateways: ['acmepay' as const],
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
  const key = `deposit:${tenant}`;
  await ledger.post(systemActor(tenant, 'test'), {
    key,
    lines: [
      { account: name, amount },
      { account: `equity:${tenant}`, amount: { ...amount, amount: -amount.amount } },
    ],
    source: ids[0],
  });
  const [id] = ids;
  const ledgerAccount = `${name}@EUR`;
  return {
    ...(await makeOnchain(runtime, tenant)),
    [`${path}/{id}`]: { id },
    [`${path}/{id}/confirm`]: { id },
    [`${path}/{id}/capture`]: { id },
    [`${path}/{id}/cancel`]: { id },
    [`${path}/{id}/refunds`]: { id },
    [`${path}/{id}/timeline`]: { id },
    [`${path}/gateway-accounts/{id}`]: { id: 'acmepay-live' },
    [`${path}/routing-rules/{id}`]: { id: rule },
    [`${path}/ledger/accounts/{account}/statement`]: { account: ledgerAccount },
    [`${path}/ledger/accounts/{account}/balance`]: { account: ledgerAccount },
    [`${path}/ledger/transactions/{key}`]: { key },
    [`${path}/ledger/transactions/{key}/reverse`]: { key },
  };
};
