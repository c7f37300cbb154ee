import * as z from 'zod';
import { type Operation, pathWith } from './operations.ts';
import { request } from './runtime.ts';

const base = '/api/v1/billing';
const madeSchema = z.union([
  z.object({ id: z.string() }),
  z.object({ subscription: z.object({ id: z.string() }) }).transform(({ subscription }) => subscription),
]);

/** Something of everything that billing has, twice where it is listed. */
export const makeBilling = async (operations: readonly Operation[], key: string, tenant: string) => {
  const own = operations.find(({ path }) => path.startsWith(base));
  if (own === undefined) return {};
  const send = (method: string, path: string, body?: unknown, ids: Readonly<Record<string, string>> = {}) =>
    request(own.app, pathWith(`${base}/${path}`.replace('/billing/../', '/'), ids), {
      key,
      method,
      ...(body === undefined ? {} : { body }),
    });
  const make = async (path: string, body: unknown): Promise<string> =>
    madeSchema.parse(await (await send('POST', path, body)).json()).id;

  const address = { line1: 'Street 1', postalCode: '10117', city: 'Berlin' };
  const seller = { name: `Seller ${tenant}`.replace('acme', 'A'), address, country: 'DE', vatId: 'DE136695976' };
  await send('PUT', 'settings', { seller });
  const [product] = [await make('products', { name: 'Pro' }), await make('products', { name: 'Team' })];
  const sold = { product, interval: { unit: 'month', count: 1 }, amounts: { EUR: { model: 'flat', amount: 900 } } };
  const [price] = [await make('prices', sold), await make('prices', sold)];
  const off = { name: 'Less', discount: { kind: 'percent', basisPoints: 100 }, duration: { kind: 'once' } };
  const [coupon] = [await make('coupons', off), await make('coupons', off)];
  const code = `ONE-${tenant.toUpperCase()}`.slice(0, 40);
  await make('promotion-codes', { coupon, code });
  await make('promotion-codes', { coupon, code: `TWO-${tenant.toUpperCase()}`.slice(0, 40) });
  const who = { name: 'Ada', country: 'DE' };
  const [customer, buyer] = [await make('customers', who), await make('customers', who)];
  const subscribed = { customer: buyer, items: [{ price }] };
  const [subscription] = [await make('subscriptions', subscribed), await make('subscriptions', subscribed)];
  const meter = `calls-${tenant}`;
  await make('meters', { id: meter, aggregation: 'sum' });
  await make('meters', { id: `${meter}-2`, aggregation: 'sum' });
  const line = { description: 'Work', unitAmount: 1_000 };
  const invoice = await make('invoices', { customer: buyer, lines: [line] });
  await send('POST', 'invoices/{id}/finalise', undefined, { id: invoice });
  await send('POST', 'customers/{id}/credits', { amount: 500, currency: 'EUR', reason: 'Gift' }, { id: customer });
  const held = await send('POST', 'customers/{id}/holds', { amount: 100, currency: 'EUR' }, { id: customer });
  const { id: hold } = z.object({ id: z.string() }).parse(await held.json());

  const variants = [
    { key: 'control', price },
    { key: 'other', price },
  ];
  const trial = { name: 'Trial', variants, baseRate: 0.1, effect: 0.02 };
  const [experiment] = [
    await make('../monetization/experiments', trial),
    await make('../monetization/experiments', trial),
  ];

  const of = (path: string, ids: Readonly<Record<string, string>>, verbs: readonly string[] = []) =>
    ['', ...verbs.map((verb) => `/${verb}`)].map((verb) => [`${base}/${path}${verb}`, ids] as const);
  return Object.fromEntries([
    ...of('products/{id}', { id: product }),
    ...of('prices/{id}', { id: price }, ['quote']),
    ...of('coupons/{id}', { id: coupon }),
    ...of('promotion-codes/{code}', { code }),
    ...of('customers/{id}', { id: customer }, ['vat-check', 'wallet', 'credits', 'holds']),
    ...of('customers/{id}/holds/{hold}/settle', { id: customer, hold }),
    ...of('subscriptions/{id}', { id: subscription }, ['preview', 'change', 'cancel', 'keep', 'pause', 'resume']),
    ...of('meters/{id}', { id: meter }, ['corrections']),
    ...of('customers/{id}/usage/{meter}', { id: customer, meter }),
    [`/api/v1/monetization/customers/{id}/entitlements`, { id: customer }],
    ...['', '/stop', '/assignments', '/conversions'].map((verb) => [
      `/api/v1/monetization/experiments/{id}${verb}`,
      { id: experiment },
    ]),
    ...of('invoices/{id}', { id: invoice }, ['finalise', 'pay', 'void', 'give-up', 'credit-notes', 'pdf', 'xml']),
  ]);
};
