import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const [oldSecret, newSecret] = ['old-secret', 'new-secret'];
const runtime = await testRuntime({ environment: { BTCPAY_WEBHOOK_SECRETS: `${oldSecret},${newSecret}` } });
const app = runtime.start(webhooks, createServices);
const services = createServices(runtime);

let last = 0;
const event = (change: object = {}) => {
  last += 1;
  const timestamp = Math.floor(runtime.clock.now() / 1_000);
  return {
    deliveryId: `dlv-${last}`,
    type: 'InvoiceSettled',
    timestamp,
    storeId: 'store-1',
    invoiceId: 'inv-1',
    ...change,
  };
};
const sign = (body: string, secret = newSecret) => `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const deliver = (body: string, signature = sign(body)) =>
  request(app, '/webhooks/crypto', { body, headers: { 'btcpay-sig': signature } });

describe('POST /webhooks/crypto', () => {
  it('parks what comes for an unknown store, and publishes it to the tenant that connects it', async () => {
    expect(await (await deliver(JSON.stringify(event()))).json()).toEqual({ received: 'parked' });
    await runtime.tenants.ensure('acme', { name: 'Acme' });
    await services.webhooks.connect('btcpay', 'store-1', 'acme');
    expect(await (await deliver(JSON.stringify(event()))).json()).toEqual({ received: 'published' });
  });

  it('knows a redelivery by what it repeats', async () => {
    const first = event({ storeId: 'store-1' });
    await deliver(JSON.stringify(first));
    const again = event({ originalDeliveryId: first.deliveryId, isRedelivery: true });
    expect(await (await deliver(JSON.stringify(again))).json()).toEqual({ received: 'duplicate' });
  });

  it.each([oldSecret, newSecret])('takes each of the secrets that are valid: %s', async (secret) => {
    const body = JSON.stringify(event());
    expect((await deliver(body, sign(body, secret))).status).toBe(200);
  });

  it.each([
    ['nothing', ''],
    ['another secret', sign('{}', 'forged')],
    ['hex alone', sign('{}').slice('sha256='.length)],
    ['capitals', sign('{}').toUpperCase()],
  ])('refuses a body that is signed with %s', async (_what, signature) => {
    expect((await deliver('{}', signature)).status).toBe(401);
  });

  it.each([['{}'], ['[]'], [JSON.stringify(event({ invoiceId: null }))], [JSON.stringify(event({ storeId: '../x' }))]])(
    'refuses what is no event, though it is well signed: %s',
    async (body) => {
      expect(await (await deliver(body)).json()).toMatchObject({ code: 'invalid-request' });
    },
  );
});
