import { beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { invoiceViewSchema, revenueMetricsSchema } from '#shared/business/index.ts';
import { problemSchema } from '#shared/http/problem.ts';
import { request, type TestRequest, testRuntime } from '#tests/support/runtime.ts';
import { business } from '../app.ts';
import { createServices } from '../services.ts';

const runtime = await testRuntime();
const app = runtime.start(business, createServices);
let key: string;
beforeAll(async () => {
  key = await runtime.key('acme', ['billing:*', 'monetization:*']);
});

const send = (path: string, options: TestRequest = {}) => request(app, `/api/v1/${path}`, { key, ...options });
const made = async (path: string, body: unknown) => {
  const response = await send(path, { body });
  expect([path, response.status]).toEqual([path, 201]);
  return response.json();
};
const idOf = (value: unknown): string => z.object({ id: z.string() }).parse(value).id;
const refusal = async (response: Response) => {
  const { status, code, errors } = problemSchema.parse(await response.json());
  return { status, code, paths: [...new Set(errors?.map(({ path }) => path))] };
};

const address = { line1: 'Unter den Linden 1', postalCode: '10117', city: 'Berlin' };
const seller = { name: 'Seller GmbH', address, country: 'DE', vatId: 'DE136695976' };

describe('a client that knows the API alone', () => {
  it('goes from a catalogue to a paid invoice, its PDF and the month’s revenue', async () => {
    expect((await send('billing/settings', { method: 'PUT', body: { seller } })).status).toBe(200);
    const product = idOf(
      await made('billing/products', { name: 'Pro', features: [{ feature: 'sso', kind: 'switch' }] }),
    );
    const amounts = { EUR: { model: 'per-unit', unitAmount: 2_900 } };
    const price = idOf(await made('billing/prices', { product, interval: { unit: 'month', count: 1 }, amounts }));
    const customer = idOf(await made('billing/customers', { name: 'Ada', country: 'DE' }));
    const result = z
      .object({ subscription: z.object({ id: z.string() }), invoice: z.string() })
      .parse(await made('billing/subscriptions', { customer, items: [{ price, quantity: 10 }] }));
    const invoice = invoiceViewSchema.parse(await (await send(`billing/invoices/${result.invoice}`)).json());
    expect(invoice).toMatchObject({ number: 'INV-000001', status: 'open', total: 34_510 });
    const paid = await send(`billing/invoices/${result.invoice}/pay`, { body: {} });
    expect(await paid.json()).toMatchObject({ status: 'paid', due: 0 });
    const { url } = z
      .object({ url: z.string() })
      .parse(await (await send(`billing/invoices/${result.invoice}/pdf`)).json());
    expect(url).toContain(`${result.invoice}.pdf`);
    await runtime.bus.idle();
    const metrics = revenueMetricsSchema.parse(await (await send('monetization/metrics')).json());
    expect(metrics).toMatchObject({ mrr: 29_000, arr: 348_000, customers: 1 });
    const decision = await send('monetization/decisions', { body: { customer, feature: 'sso' } });
    expect(await decision.json()).toMatchObject({ allowed: true, reason: 'granted' });
  });

  it('is renewed by the timer', async () => {
    runtime.clock.set(Date.parse('2026-02-01T00:07:00Z'));
    runtime.bus.publishRaw({ schedule: 'billing-run' }, { type: 'schedule.billing-run' });
    await runtime.bus.idle();
    const { items } = z
      .object({ items: z.array(invoiceViewSchema) })
      .parse(await (await send('billing/invoices')).json());
    expect(items.map(({ number }) => number)).toEqual(['INV-000002', 'INV-000001']);
  });
});

describe('what is wrong', () => {
  it.each<[string, string, object, string[]]>([
    [
      'a negative amount',
      'prices',
      { product: 'prod_x', interval: null, amounts: { EUR: { model: 'flat', amount: -1 } } },
      ['body.amounts.EUR.amount'],
    ],
    [
      'an amount that would overflow',
      'prices',
      { product: 'prod_x', interval: null, amounts: { EUR: { model: 'flat', amount: 2 ** 53 } } },
      ['body.amounts.EUR.amount'],
    ],
    [
      'an unknown currency',
      'prices',
      { product: 'prod_x', interval: null, amounts: { XXX: { model: 'flat', amount: 1 } } },
      ['body.amounts.XXX', 'body.amounts'],
    ],
    [
      'models that are mixed',
      'prices',
      {
        product: 'prod_x',
        interval: null,
        amounts: { EUR: { model: 'flat', amount: 1 }, USD: { model: 'per-unit', unitAmount: 1 } },
      },
      ['body.amounts'],
    ],
    [
      'a product that is not there',
      'prices',
      { product: 'prod_x', interval: null, amounts: { EUR: { model: 'flat', amount: 1 } } },
      ['body.product'],
    ],
    [
      'a VAT number of another country',
      'customers',
      { name: 'A', country: 'DE', vatId: 'FR12345678901' },
      ['body.vatId'],
    ],
    ['a control character', 'customers', { name: 'A\u0007', country: 'DE' }, ['body.name']],
    [
      'a customer that is not there',
      'subscriptions',
      { customer: 'cus_x', items: [{ price: 'price_x' }] },
      ['body.customer'],
    ],
    ['no events', 'usage-events', { events: [] }, ['body.events']],
  ])('is refused: %s', async (_what, path, body, paths) => {
    expect(await refusal(await send(`billing/${path}`, { body }))).toEqual({
      status: 400,
      code: 'invalid-request',
      paths,
    });
  });
});
