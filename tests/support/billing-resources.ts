import * as z from 'zod';
import type { Requests } from './bodies.ts';
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
  const draft = () => make('invoices', { customer: buyer, lines: [line] });
  const open = async (): Promise<string> => {
    const id = await draft();
    await send('POST', 'invoices/{id}/finalise', undefined, { id });
    return id;
  };
  const invoice = await open();
  /** One of which something is to be paid back. */
  const overpaid = async (): Promise<string> => {
    const id = await open();
    await send('POST', 'invoices/{id}/pay', {}, { id });
    await send('POST', 'invoices/{id}/credit-notes', { reason: 'Outage', refund: 'elsewhere' }, { id });
    return id;
  };
  // What can be done once needs one of its own.
  const invoices = {
    finalise: await draft(),
    pay: await open(),
    void: await open(),
    'give-up': await open(),
    charge: await open(),
    'credit-notes': await open(),
    refunds: await overpaid(),
  };
  const acted = async (verb: string, body?: unknown): Promise<string> => {
    const id = await make('subscriptions', subscribed);
    if (verb !== '') await send('POST', `subscriptions/{id}/${verb}`, body, { id });
    return id;
  };
  const subscriptions = {
    change: await acted(''),
    cancel: await acted(''),
    pause: await acted(''),
    keep: await acted('cancel', { when: 'period-end' }),
    resume: await acted('pause', {}),
  };
  const business = await make('customers', { ...who, kind: 'business', vatId: 'DE136695976' });
  await send('POST', 'customers/{id}/credits', { amount: 500, currency: 'EUR', reason: 'Gift' }, { id: customer });
  const held = await send('POST', 'customers/{id}/holds', { amount: 100, currency: 'EUR' }, { id: customer });
  const { id: hold } = z.object({ id: z.string() }).parse(await held.json());

  const variants = [
    { key: 'control', price },
    { key: 'other', price },
  ];
  const trial = { name: 'Trial', variants, baseRate: 0.1, effect: 0.02 };
  const [experiment, stopped] = [
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
    ...of('customers/{id}', { id: customer }, ['wallet', 'credits', 'holds']),
    [`${base}/customers/{id}/vat-check`, { id: business }],
    ...of('customers/{id}/holds/{hold}/settle', { id: customer, hold }),
    ...of('subscriptions/{id}', { id: subscription }, ['preview']),
    ...Object.entries(subscriptions).map(([verb, id]) => [`${base}/subscriptions/{id}/${verb}`, { id }]),
    ...of('meters/{id}', { id: meter }, ['corrections']),
    ...of('customers/{id}/usage/{meter}', { id: customer, meter }),
    [`/api/v1/monetization/customers/{id}/entitlements`, { id: customer }],
    [`/api/v1/monetization/experiments/{id}/stop`, { id: stopped }],
    ...['', '/assignments', '/conversions'].map((verb) => [
      `/api/v1/monetization/experiments/{id}${verb}`,
      { id: experiment },
    ]),
    ...of('invoices/{id}', { id: invoice }, ['pdf', 'xml']),
    ...Object.entries(invoices).map(([verb, id]) => [`${base}/invoices/{id}/${verb}`, { id }]),
  ]);
};

/** What can be done once with each of these: a second time the state refuses it. */
export const billingOnce: readonly string[] = [
  ...['finalise', 'pay', 'void', 'give-up'].map((verb) => `${base}/invoices/{id}/${verb}`),
  ...['cancel', 'keep', 'pause', 'resume'].map((verb) => `${base}/subscriptions/{id}/${verb}`),
  `${base}/customers/{id}/holds/{hold}/settle`,
];

/** Bodies that name what the tenant sells, and to whom. */
export const billingRequests = (
  resources: Readonly<Record<string, Readonly<Record<string, string>>>>,
  tenant: string,
): Requests => {
  const idIn = (path: string): string => resources[`${base}/${path}`]?.id ?? '';
  const [product, price, coupon] = [idIn('products/{id}'), idIn('prices/{id}'), idIn('coupons/{id}')];
  const [customer, meter] = [idIn('customers/{id}'), idIn('meters/{id}')];
  const amounts = { EUR: { model: 'flat', amount: 900 } };
  const items = [{ price, quantity: 2 }];
  const address = { line1: 'Street 1', postalCode: '10117', city: 'Berlin' };
  const variants = [
    { key: 'control', price },
    { key: 'other', price },
  ];
  const event = { id: 'call-1', customer, meter, at: '2026-01-01T00:00:00.000Z', value: 1 };
  const bodies = {
    'PUT settings': { seller: { name: 'Seller', address, country: 'DE', vatId: 'DE136695976' } },
    'POST products': { name: 'Basic' },
    'PATCH products/{id}': { name: 'Pro' },
    'POST prices': { product, interval: { unit: 'month', count: 1 }, amounts },
    'PATCH prices/{id}': { name: 'Monthly' },
    'POST prices/{id}/quote': { quantity: 3 },
    'POST coupons': { name: 'Less', discount: { kind: 'percent', basisPoints: 100 }, duration: { kind: 'once' } },
    'PATCH coupons/{id}': { active: true },
    'POST promotion-codes': { coupon, code: `NEW-${tenant.toUpperCase()}` },
    'PATCH promotion-codes/{code}': { active: true },
    'POST customers': { name: 'Grace', country: 'DE' },
    'PATCH customers/{id}': { name: 'Grace' },
    'POST customers/{id}/credits': { amount: 500, currency: 'EUR', reason: 'Gift' },
    'POST customers/{id}/holds': { amount: 1, currency: 'EUR', seconds: 60 },
    'POST customers/{id}/holds/{hold}/settle': { used: 50 },
    'POST subscriptions': { customer: idIn('customers/{id}/vat-check'), items },
    'POST subscriptions/{id}/preview': { items },
    'POST subscriptions/{id}/change': { items },
    'POST subscriptions/{id}/cancel': { when: 'period-end' },
    'POST subscriptions/{id}/pause': {},
    'POST meters': { id: `more-of-${tenant}`, aggregation: 'sum' },
    'POST meters/{id}/corrections': { customer, day: '2026-01-01', value: 5, reason: 'Counted twice' },
    'POST usage-events': { events: [event] },
    'POST invoices': { customer, lines: [{ description: 'Work', unitAmount: 1_000 }] },
    'POST invoices/{id}/pay': {},
    'POST invoices/{id}/charge': { returnUrl: 'https://app.example.com/' },
    'POST invoices/{id}/refunds': { to: 'elsewhere', amount: 1 },
    'POST invoices/{id}/credit-notes': { reason: 'Outage', lines: [{ line: 0, amount: 1 }], refund: 'elsewhere' },
    'POST ../monetization/decisions': { customer, feature: 'sso' },
    'POST ../monetization/experiments': { name: 'Trial', variants, baseRate: 0.1, effect: 0.02 },
    'POST ../monetization/experiments/{id}/assignments': { customer },
    'POST ../monetization/experiments/{id}/conversions': { customer, revenue: 900 },
  };
  return Object.fromEntries(
    Object.entries(bodies).map(([name, body]) => {
      const [method, path] = name.split(' ');
      return [`${method} ${`${base}/${path}`.replace('/billing/../', '/')}`, { body }];
    }),
  );
};
