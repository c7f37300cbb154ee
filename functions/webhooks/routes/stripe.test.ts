import Stripe from 'stripe';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { payments } from '#functions/payments/app.ts';
import { createServices as paymentServices } from '#functions/payments/services.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import { type Tenant, tenantCollection } from '#shared/platform/index.ts';
import { functionApp } from '#shared/runtime/function-app.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { createCustomer, createSubscription } from '#tests/support/stripe/billing.ts';
import { startStripeServer } from '#tests/support/stripe-server.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const [oldSecret, newSecret] = ['whsec_old', 'whsec_new'];
const server = await startStripeServer();
afterAll(server.stop);
const runtime = await testRuntime({
  environment: {
    STRIPE_WEBHOOK_SECRETS: `${oldSecret},${newSecret}`,
    STRIPE_SECRET_KEY: server.secretKey,
    STRIPE_API_URL: server.baseUrl,
  },
});
const app = runtime.start(webhooks, createServices);
const paymentsApp = runtime.start(payments, paymentServices);
const services = createServices(runtime);

const minute = 60_000;
const seconds = () => Math.floor(runtime.clock.now() / 1000);

let last = 0;
/** Of a subscription that Stripe has. */
const subscriptionEvent = (change: { readonly account?: string } = {}) => {
  last += 1;
  const state = server.of(change.account ?? 'platform');
  const customer = createCustomer(state, { invoice_settings: { default_payment_method: 'pm_card_visa' } });
  const subscription = createSubscription(state, { customer: customer.id, items: [{ price: 'price_monthly' }] });
  return {
    id: `evt_${last}`,
    object: 'event',
    type: 'customer.subscription.updated',
    created: seconds(),
    livemode: false,
    api_version: '2026-01-28',
    data: {
      object: {
        id: subscription.id,
        object: 'subscription',
        customer: customer.id,
        status: 'active',
        cancel_at_period_end: false,
        items: {
          data: [{ id: 'si_1', price: { id: 'price_1' }, quantity: 2, current_period_end: seconds() + 86_400 }],
        },
      },
    },
    ...change,
  };
};

const sign = (payload: string, { secret = newSecret, timestamp = seconds() } = {}): string =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp });

const deliver = (payload: string, signature = sign(payload)) =>
  request(app, '/webhooks/stripe', { body: payload, headers: { 'stripe-signature': signature } });

const receipt = z.object({ received: z.string() });
const stored = async () => (await services.intake.query({ limit: 1000 })).items.length;

describe('POST /webhooks/stripe', () => {
  it('keeps and publishes an event of a known account, which ends as a record that can be asked for', async () => {
    await runtime.tenants.ensure('acme', { name: 'Acme' });
    await services.webhooks.connect('stripe', 'platform', 'acme');
    const event = subscriptionEvent();
    const response = await deliver(JSON.stringify(event));
    expect([response.status, await response.json()]).toEqual([200, { received: 'published' }]);
    await runtime.bus.idle();
    const key = await runtime.key('acme', ['payments:read']);
    const record = await request(paymentsApp, `/api/v1/stripe/subscriptions/${event.data.object.id}`, { key });
    expect(await record.json()).toMatchObject({
      customer: event.data.object.customer,
      status: 'active',
      deleted: false,
      livemode: false,
    });
  });

  it.each([oldSecret, newSecret])('takes each of the secrets that are valid: %s', async (secret) => {
    const payload = JSON.stringify(subscriptionEvent());
    expect((await deliver(payload, sign(payload, { secret }))).status).toBe(200);
  });

  it('is over the bytes as they came, not over what they mean', async () => {
    const payload = JSON.stringify(subscriptionEvent(), null, 3);
    expect((await deliver(payload)).status).toBe(200);
    expect((await deliver(JSON.stringify(JSON.parse(payload)), sign(payload))).status).toBe(400);
  });

  it('takes a signature that is 300 s old, and none that is older', async () => {
    const payload = JSON.stringify(subscriptionEvent());
    const timestamp = seconds();
    const signature = sign(payload, { timestamp });
    runtime.clock.advance(300_000);
    expect((await deliver(payload, signature)).status).toBe(200);
    runtime.clock.advance(1_000);
    expect((await deliver(payload, signature)).status).toBe(400);
  });

  it.each([
    ['no signature', ''],
    ['nonsense', 'nonsense'],
    ['an empty scheme', 't=1,v1='],
    ['another secret', undefined],
  ])('refuses %s with 400 and keeps nothing', async (_what, signature) => {
    const payload = JSON.stringify(subscriptionEvent());
    const before = await stored();
    const response = await deliver(payload, signature ?? sign(payload, { secret: 'whsec_forged' }));
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'invalid-signature' }]);
    expect(await stored()).toBe(before);
  });

  it('knows an event that comes again, also twenty times at once', async () => {
    const payload = JSON.stringify(subscriptionEvent());
    const all = await Promise.all(Array.from({ length: 20 }, () => deliver(payload)));
    const received = await Promise.all(all.map(async (response) => receipt.parse(await response.json()).received));
    expect(all.every(({ status }) => status === 200)).toBe(true);
    expect(received.filter((outcome) => outcome === 'published')).toHaveLength(1);
    expect(received.filter((outcome) => outcome === 'duplicate')).toHaveLength(19);
  });

  it('keeps events of two accounts with one id apart', async () => {
    await services.webhooks.connect('stripe', 'acct_2', 'acme');
    const event = subscriptionEvent();
    expect(await (await deliver(JSON.stringify(event))).json()).toEqual({ received: 'published' });
    const other = await deliver(JSON.stringify({ ...event, account: 'acct_2' }));
    expect(await other.json()).toEqual({ received: 'published' });
  });

  it('parks what comes for an unknown account, and publishes it to the tenant that connects it', async () => {
    const event = subscriptionEvent({ account: 'acct_new' });
    expect(await (await deliver(JSON.stringify(event))).json()).toEqual({ received: 'parked' });
    await runtime.tenants.ensure('late', { name: 'Late' });
    await services.webhooks.connect('stripe', 'acct_new', 'late');
    await runtime.bus.idle();
    const key = await runtime.key('late', ['payments:read']);
    const list = await request(paymentsApp, '/api/v1/stripe/subscriptions', { key });
    expect(await list.json()).toMatchObject({ items: [{ id: event.data.object.id }], nextCursor: null });
  });

  it('writes nothing for a tenant that is about to be erased, or was, whatever an instance still knows of it', async () => {
    const tenant = 'ending';
    const account = 'acct_ending';
    await runtime.tenants.ensure(tenant, { name: 'x' });
    await services.webhooks.connect('stripe', account, tenant);
    const tenants = runtime.database.platform(tenantCollection);
    const change = async (value: Partial<Tenant>) => {
      const { value: before, revision } = (await tenants.get(tenant)) ?? expect.fail('There is no tenant.');
      await tenants.update(tenant, { ...before, ...value }, { revision });
    };
    const send = async () => {
      const response = await deliver(JSON.stringify(subscriptionEvent({ account })));
      return response.status === 200 ? receipt.parse(await response.json()).received : response.status;
    };
    const kept = async () =>
      (await services.intake.query({ where: [{ field: 'account', op: '==', value: account }], limit: 100 })).items;
    expect(await send()).toBe('published');
    const now = runtime.clock.now();
    const deletion = { requestedAt: isoTime(now), eraseAt: isoTime(now + 20 * minute), by: 'usr_1' };
    await change({ status: 'deleting', deletion });
    runtime.clock.advance(30_000);
    // It may be restored, and is to know then what happened meanwhile.
    expect(await send()).toBe('published');
    runtime.clock.advance(10 * minute - 30_000);
    expect(await send()).toBe(503);
    await change({ status: 'erasing' });
    expect(await send()).toBe('ignored');
    await tenants.delete(tenant);
    expect(await send()).toBe('ignored');
    expect(await kept()).toHaveLength(2);
  });

  it('leaves an account with the tenant that has it', async () => {
    await services.webhooks.connect('stripe', 'acct_taken', 'acme');
    await expect(services.webhooks.connect('stripe', 'acct_taken', 'late')).rejects.toMatchObject({
      code: 'already-exists',
    });
  });

  it('answers 5xx when the event can not be kept, so that Stripe sends it again', async () => {
    const down = {
      ...runtime,
      database: { ...runtime.database, transaction: () => Promise.reject(new OmniError('unavailable', 'down')) },
    };
    const failing = functionApp(webhooks, down, createServices(down));
    const payload = JSON.stringify(subscriptionEvent());
    const headers = { 'stripe-signature': sign(payload) };
    expect((await request(failing, '/webhooks/stripe', { body: payload, headers })).status).toBe(503);
    expect((await deliver(payload)).status).toBe(200);
  });

  it('takes an event while the bus is down, and the sweep publishes it', async () => {
    const bus = { ...runtime.bus, publish: () => Promise.reject(new OmniError('unavailable', 'down')) };
    const deaf = { ...runtime, bus };
    const event = subscriptionEvent();
    const payload = JSON.stringify(event);
    const headers = { 'stripe-signature': sign(payload) };
    const response = await request(functionApp(webhooks, deaf, createServices(deaf)), '/webhooks/stripe', {
      body: payload,
      headers,
    });
    expect(await response.json()).toEqual({ received: 'published' });
    await runtime.bus.idle();
    const key = await runtime.key('acme', ['payments:read']);
    const path = `/api/v1/stripe/subscriptions/${event.data.object.id}`;
    expect((await request(paymentsApp, path, { key })).status).toBe(200);
  });

  it('publishes what comes again once more, and the job knows it; what is old is looked up first', async () => {
    const published: string[] = [];
    const bus: typeof runtime.bus = {
      ...runtime.bus,
      publish: async (events) => {
        published.push(...events.map(({ id }) => id));
        await runtime.bus.publish(events);
      },
    };
    const watched = { ...runtime, bus };
    const app = functionApp(webhooks, watched, createServices(watched));
    const payload = JSON.stringify(subscriptionEvent());
    const send = () =>
      request(app, '/webhooks/stripe', { body: payload, headers: { 'stripe-signature': sign(payload) } });
    expect(await (await send()).json()).toEqual({ received: 'published' });
    expect(await (await send()).json()).toEqual({ received: 'duplicate' });
    expect(published).toHaveLength(2);
    expect(new Set(published).size).toBe(1);
    runtime.clock.advance(8 * 86_400_000);
    expect(await (await send()).json()).toEqual({ received: 'duplicate' });
    expect(published).toHaveLength(2);
  });

  it.each([
    ['no JSON', 'not json', 'malformed-json'],
    ['no event', '{"id":"evt_x"}', 'invalid-request'],
  ])('refuses a well-signed body that is %s', async (_what, payload, code) => {
    const response = await deliver(payload);
    expect([response.status, await response.json()]).toMatchObject([400, { code }]);
  });

  it('refuses a body that no document could hold', async () => {
    const payload = JSON.stringify({ padding: 'x'.repeat(700_000) });
    expect((await deliver(payload)).status).toBe(413);
  });
});
