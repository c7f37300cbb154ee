import { createHmac } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { functionApp } from '#shared/runtime/function-app.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const secret = 'shpss_test';
const runtime = await testRuntime({ environment: { SHOPIFY_WEBHOOK_SECRETS: `shpss_old,${secret}` } });
const app = runtime.start(webhooks, createServices);
const services = createServices(runtime);
await runtime.tenants.ensure('acme', { name: 'Acme' });
await services.webhooks.connect('shopify', 'acme.myshopify.com', 'acme');

const sign = (body: string, by = secret): string => createHmac('sha256', by).update(body).digest('base64');
let last = 0;
const headersFor = (body: string, change: Record<string, string> = {}) => {
  last += 1;
  return {
    'x-shopify-hmac-sha256': sign(body),
    'x-shopify-topic': 'orders/create',
    'x-shopify-shop-domain': 'acme.myshopify.com',
    'x-shopify-webhook-id': `b54557e4-${last}`,
    ...change,
  };
};
const deliver = (body: string, headers = headersFor(body), to = app) =>
  request(to, '/webhooks/shopify', { body, headers });

const published: string[] = [];
runtime.bus.subscribe('watch', async (body) => {
  published.push(JSON.stringify(body));
  return 204;
});
const order = JSON.stringify({ id: 820982911946154508n.toString(), total_price: '10.00' });

describe('POST /webhooks/shopify', () => {
  it('keeps and publishes an event', async () => {
    const response = await deliver(order);
    expect([response.status, await response.json()]).toEqual([200, { received: 'published' }]);
  });

  it('takes each of the secrets that are valid', async () => {
    expect(
      (await deliver(order, headersFor(order, { 'x-shopify-hmac-sha256': sign(order, 'shpss_old') }))).status,
    ).toBe(200);
  });

  it.each([
    ['no signature', ''],
    ['a short one', 'AAAA'],
    ['another secret’s', sign(order, 'forged')],
    ['another body’s', sign(`${order} `)],
  ])('refuses %s with 401 and keeps nothing', async (_what, signature) => {
    const before = (await services.intake.query({ limit: 1000 })).items.length;
    const response = await deliver(order, headersFor(order, { 'x-shopify-hmac-sha256': signature }));
    expect([response.status, await response.json()]).toMatchObject([401, { code: 'unauthenticated' }]);
    expect((await services.intake.query({ limit: 1000 })).items).toHaveLength(before);
  });

  it('knows a delivery that comes again by its webhook id', async () => {
    const headers = headersFor(order);
    await deliver(order, headers);
    expect(await (await deliver(order, headers)).json()).toEqual({ received: 'duplicate' });
  });

  it.each(['customers/data_request', 'customers/redact', 'shop/redact'])(
    'accepts the privacy topic %s',
    async (topic) => {
      const body = JSON.stringify({ shop_domain: 'acme.myshopify.com', customer: { id: 1, email: 'ada@example.com' } });
      const response = await deliver(body, headersFor(body, { 'x-shopify-topic': topic }));
      expect(response.status).toBe(200);
      await runtime.bus.idle();
      expect(published.some((message) => message.includes('shopify.privacy.requested'))).toBe(true);
    },
  );

  it('writes no personal datum to the log', () => {
    expect(JSON.stringify(runtime.lines)).not.toContain('ada@example.com');
  });

  it.each([
    ['a topic', 'x-shopify-topic'],
    ['a shop', 'x-shopify-shop-domain'],
    ['an id', 'x-shopify-webhook-id'],
  ])('refuses a webhook without %s', async (_what, name) => {
    expect((await deliver(order, headersFor(order, { [name]: '' }))).status).toBe(400);
  });

  it('answers 503 before Shopify hangs up when the store stalls', async () => {
    vi.useFakeTimers();
    const stalled = {
      ...runtime,
      database: { ...runtime.database, transaction: () => new Promise<never>(() => undefined) },
    };
    const response = deliver(order, headersFor(order), functionApp(webhooks, stalled, createServices(stalled)));
    await vi.advanceTimersByTimeAsync(4_600);
    vi.useRealTimers();
    expect((await response).status).toBe(503);
  });
});
