import * as z from 'zod';
import type { Operation } from './operations.ts';
import { request, type TestRequest } from './runtime.ts';

type Requests = Readonly<Record<string, Pick<TestRequest, 'body' | 'headers'>>>;

const idSchema = z.object({ id: z.string() });

/** What payments, at PayPal's local server and in the books, take. */
export const paymentBodies = (tenant: string): Requests => {
  const path = '/api/v1/payments';
  const orders = '/api/v1/paypal/orders';
  const payment = {
    amount: 2_500,
    currency: 'EUR',
    mode: 'live',
    sources: [{ gateway: 'paypal', paymentMethod: 'vault-1' }],
  };
  const rule = { name: `Euros of ${tenant}`.replace('acme', 'A'), priority: 7, gateways: ['paypal'] };
  const lines = [
    { account: 'bank:main', amount: 100, currency: 'EUR' },
    { account: 'equity:own', amount: -100, currency: 'EUR' },
  ];
  const credentials = { clientId: `live-of-${tenant}`, clientSecret: 'secret' };
  const some = { body: { amount: 100 } };
  return {
    [`POST ${path}`]: { body: payment },
    [`POST ${path}/route`]: { body: payment },
    [`POST ${path}/{id}/capture`]: { body: {} },
    [`POST ${path}/{id}/refunds`]: some,
    [`POST ${path}/gateway-accounts`]: { body: { gateway: 'paypal', mode: 'live', credentials } },
    [`PUT ${path}/gateway-accounts/{id}`]: { body: { enabled: true } },
    [`POST ${path}/routing-rules`]: { body: rule },
    [`PUT ${path}/routing-rules/{id}`]: { body: rule },
    [`POST ${path}/ledger/transactions`]: { body: { key: 'deposit:one', lines } },
    [`POST ${path}/ledger/reconciliations`]: { body: { account: 'paypal-live' } },
    [`POST ${orders}`]: { body: { amount: { amount: 2_500, currency: 'EUR' }, vaultId: 'vault-1' } },
    [`POST ${orders}/{id}/capture`]: { body: {} },
    [`POST ${orders}/{id}/refunds`]: some,
  };
};

/** What Stripe's local server takes: those that name something of the account are given it. */
export const stripeBodies = async (operations: readonly Operation[], key: string): Promise<Requests> => {
  const path = '/api/v1/stripe';
  const own = operations.find((operation) => operation.path === `${path}/customers`);
  if (own === undefined) return {};
  const make = async (what: string, body: unknown): Promise<string> =>
    idSchema.parse(await (await request(own.app, `${path}/${what}`, { key, body })).json()).id;
  const paymentMethod = 'pm_card_visa';
  const amount = { amount: 1_000, currency: 'EUR' };
  const customer = await make('customers', { paymentMethod });
  const payment = await make('payment-intents', { amount: { ...amount, amount: 90_000 }, paymentMethod });
  const successUrl = 'https://shop.example.com/';
  return {
    [`POST ${path}/customers`]: { body: { name: 'Ada' } },
    [`PATCH ${path}/customers/{id}`]: { body: { name: 'Ada' } },
    [`POST ${path}/checkout-sessions`]: { body: { mode: 'payment', items: [{ price: 'price_once' }], successUrl } },
    [`POST ${path}/portal-sessions`]: { body: { customer } },
    [`POST ${path}/payment-intents`]: { body: { amount, paymentMethod } },
    [`POST ${path}/payment-intents/{id}/capture`]: { body: {} },
    [`POST ${path}/refunds`]: { body: { payment, amount: { ...amount, amount: 100 } } },
    [`POST ${path}/subscriptions`]: { body: { customer, items: [{ price: 'price_monthly' }] } },
    [`PATCH ${path}/subscriptions/{id}`]: { body: { cancelAtPeriodEnd: true } },
  };
};
