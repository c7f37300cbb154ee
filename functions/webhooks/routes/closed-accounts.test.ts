import { createHmac } from 'node:crypto';
import Stripe from 'stripe';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { tenantErasureDue } from '#shared/erasure/index.ts';
import { tenantCollection } from '#shared/platform/index.ts';
import { databaseOn } from '#shared/store/database.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { accountCollection, closedAccountCollection, webhooksEraser } from '#shared/webhooks/index.ts';
import { killAt } from '#tests/support/crashing.ts';
import { dumping } from '#tests/support/dump.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { webhooks } from '../app.ts';
import { createServices } from '../services.ts';

const [stripeSecret, shopifySecret] = ['whsec_test', 'shpss_test'];
const driver = dumping(embeddedDriver());
const runtime = await testRuntime({
  driver,
  environment: { STRIPE_WEBHOOK_SECRETS: stripeSecret, SHOPIFY_WEBHOOK_SECRETS: shopifySecret },
});
const app = runtime.start(webhooks, createServices);
const services = createServices(runtime);
const accounts = runtime.database.platform(accountCollection);
const closed = runtime.database.platform(closedAccountCollection);
const day = 86_400_000;
const shopper = 'someone@example.com';

let last = 0;
/** What providers send, signed as they do it, with something personal in it. */
const senders = {
  stripe: (account: string) => {
    last += 1;
    const payload = JSON.stringify({
      id: `evt_${last}`,
      object: 'event',
      type: 'customer.updated',
      account,
      created: Math.floor(runtime.clock.now() / 1_000),
      livemode: true,
      data: { object: { id: 'cus_1', object: 'customer', email: shopper } },
    });
    const timestamp = Math.floor(runtime.clock.now() / 1_000);
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: stripeSecret, timestamp });
    return request(app, '/webhooks/stripe', { body: payload, headers: { 'stripe-signature': signature } });
  },
  shopify: (account: string) => {
    last += 1;
    const body = JSON.stringify({ id: last, email: shopper, shipping_address: { name: 'Some One' } });
    return request(app, '/webhooks/shopify', {
      body,
      headers: {
        'x-shopify-topic': 'orders/create',
        'x-shopify-shop-domain': account,
        'x-shopify-event-id': `event-${last}`,
        'x-shopify-webhook-id': `webhook-${last}`,
        'x-shopify-triggered-at': new Date(runtime.clock.now()).toISOString(),
        'x-shopify-hmac-sha256': createHmac('sha256', shopifySecret).update(body).digest('base64'),
      },
    });
  },
} as const;
type Provider = keyof typeof senders;

const send = async (provider: Provider, account: string) => {
  const response = await senders[provider](account);
  return [response.status, z.object({ received: z.string() }).parse(await response.json()).received];
};

const connected = async (provider: Provider, account: string, tenant: string): Promise<void> => {
  await runtime.tenants.ensure(tenant, { name: tenant });
  await services.webhooks.connect(provider, account, tenant);
  await runtime.bus.idle();
};

/** As the last of its erasure: its domain's part, and then its record. */
const erase = async (tenant: string): Promise<void> => {
  const data = { scope: { kind: 'tenant' }, round: 1 } as const;
  const event = runtime.makeEvent(tenantErasureDue, { tenant, subject: tenant, data });
  await runtime.database.transaction((transaction) => transaction.emit(event));
  await runtime.bus.idle();
  await runtime.database.platform(tenantCollection).delete(tenant);
  // What instances knew of its accounts.
  runtime.clock.advance(30_000);
};

/** Paths of documents that say anything of an account. */
const naming = async (text: string): Promise<string[]> =>
  [...(await driver.dump())].filter((one) => JSON.stringify(one).includes(text)).map(([path]) => path);

describe.each([
  ['stripe', 'acct_closed'],
  ['shopify', 'closed-shop.myshopify.com'],
] as const)('a webhook of %s for an account whose tenant was erased', (provider, account) => {
  const erased = `erased-${provider}`;

  it('is acknowledged and dropped, and nothing of it or its account is kept', async () => {
    await connected(provider, account, erased);
    expect(await send(provider, account)).toEqual([200, 'published']);
    await erase(erased);
    expect(await accounts.get(`${provider}:${account}`)).toBeUndefined();
    expect(await send(provider, account)).toEqual([200, 'ignored']);
    await runtime.bus.idle();
    expect(await naming(account)).toEqual([]);
    expect((await naming('closedProviderAccounts/')).length).toBeGreaterThan(0);
    // One of which nobody knows waits as ever for who connects it.
    expect(await send(provider, `other-${account}`)).toEqual([200, 'parked']);
  });

  it('is taken for another tenant that connects the account, and dropped again once that is erased too', async () => {
    const next = `next-${provider}`;
    await connected(provider, account, next);
    expect(await send(provider, account)).toEqual([200, 'published']);
    runtime.clock.advance(300 * day);
    await erase(next);
    // Longer than the first tombstone was to last.
    runtime.clock.advance(390 * day);
    expect(await send(provider, account)).toEqual([200, 'ignored']);
  });

  it('is parked as of an unknown account again 400 days after', async () => {
    runtime.clock.advance(10 * day);
    expect(await send(provider, account)).toEqual([200, 'parked']);
  });
});

describe('a webhook of PayPal, of which nothing can be verified any more,', () => {
  const post = (merchant: string) =>
    request(app, `/webhooks/paypal/${merchant}`, { body: JSON.stringify({ id: 'WH-1', payer: shopper }) });

  it('is acknowledged unread for the account of a tenant that was erased, and for no other', async () => {
    await runtime.tenants.ensure('erased-paypal', { name: 'x' });
    const webhook = { id: 'webhook-1', livemode: false };
    await services.webhooks.connect('paypal', 'MERCHANT1', 'erased-paypal', webhook);
    expect((await post('MERCHANT1')).status).toBe(400);
    await erase('erased-paypal');
    const response = await post('MERCHANT1');
    expect([response.status, await response.json()]).toEqual([200, { received: 'ignored' }]);
    expect((await post('MERCHANT2')).status).toBe(404);
    expect(await naming('MERCHANT1')).toEqual([]);
  });
});

describe('the erasure of accounts', () => {
  const there = async (tenant: string, count: number) => {
    const connectedAt = new Date(runtime.clock.now()).toISOString();
    for (let i = 0; i < count; i += 1) await accounts.create(`stripe:${tenant}-${i}`, { tenant, connectedAt });
  };
  const { blobs, clock } = runtime;

  it('leaves the tombstone also of one that is found in the last look', async () => {
    await there('late', 1);
    expect(await webhooksEraser.sweep({ database: runtime.database, blobs, clock }, 'late')).toBe(true);
    expect(await send('stripe', 'late-0')).toEqual([200, 'ignored']);
  });

  it.each(['before', 'after'] as const)('leaves an account or its tombstone when it dies %s any call', async (when) => {
    const count = 3;
    let calls = 0;
    for (let nth = 1; calls === 0; nth += 1) {
      const tenant = `dying-${when}-${nth}`;
      await there(tenant, count);
      const killer = killAt(nth, when);
      const erasing = { database: databaseOn(killer.driver(driver), { now: clock.now }), blobs, clock };
      await webhooksEraser.sweep(erasing, tenant).catch(() => undefined);
      for (let i = 0; i < count; i += 1) {
        const isThere = (await accounts.get(`stripe:${tenant}-${i}`)) !== undefined;
        expect(isThere || (await send('stripe', `${tenant}-${i}`))[1] === 'ignored').toBe(true);
      }
      await webhooksEraser.sweep({ database: runtime.database, blobs, clock }, tenant);
      expect(await send('stripe', `${tenant}-0`)).toEqual([200, 'ignored']);
      if (killer.calls() < nth) calls = killer.calls();
    }
    expect(calls).toBeGreaterThanOrEqual(4);
  });

  it('keeps no more than a hash and two times', async () => {
    const { items } = await closed.query({ limit: 10 });
    expect(items.length).toBeGreaterThan(0);
    for (const { id, value } of items) {
      expect(id).toMatch(/^[\da-f]{64}$/);
      expect(Object.keys(value).sort()).toEqual(['closedAt', 'expiresAt']);
    }
  });
});
