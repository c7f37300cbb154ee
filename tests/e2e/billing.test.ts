import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { business } from '#functions/business/app.ts';
import { createServices as businessServices } from '#functions/business/services.ts';
import { payments } from '#functions/payments/app.ts';
import { createServices as paymentServices } from '#functions/payments/services.ts';
import { platform } from '#functions/platform/app.ts';
import { createServices as platformServices } from '#functions/platform/services.ts';
import { webhooks } from '#functions/webhooks/app.ts';
import { createServices as webhookServices } from '#functions/webhooks/services.ts';
import { invoiceViewSchema, revenueMetricsSchema } from '#shared/business/index.ts';
import type { App } from '#shared/http/app.ts';
import { startAcmePaySandbox } from '#shared/payments/acmepay-sandbox/acmepay-sandbox.ts';
import { signatureOf } from '#shared/payments/acmepay-sandbox/sandbox.webhooks.ts';
import { trialBalanceViewSchema } from '#shared/payments/index.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

const secret = 'the-secret-of-acmepay';
const sandbox = await startAcmePaySandbox();
afterAll(() => sandbox.stop());
const environment = { ACMEPAY_URL: sandbox.baseUrl, ACMEPAY_WEBHOOK_SECRETS: secret };
const runtime = await testRuntime({ environment });
const apps = {
  business: runtime.start(business, businessServices),
  payments: runtime.start(payments, paymentServices),
  platform: runtime.start(platform, platformServices),
  webhooks: runtime.start(webhooks, webhookServices),
};
const account = sandbox.open();

const idSchema = z.object({ id: z.string() });
const itemsSchema = z.object({ items: z.array(invoiceViewSchema) });
const answerOf = async (app: App, path: string, options: Parameters<typeof request>[2]): Promise<unknown> => {
  const response = await request(app, `/api/v1/${path}`, options);
  const body: unknown = await response.json();
  if (response.status >= 400) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
  return body;
};

/** A sandbox of a tenant, made and used over HTTP alone. */
const opened = async () => {
  const outside = await runtime.key('acme', ['*']);
  const { id: tenant } = idSchema.parse(
    await answerOf(apps.platform, 'tenant/sandboxes', { key: outside, body: { name: 'Try' } }),
  );
  const given = await answerOf(apps.platform, `tenant/sandboxes/${tenant}/keys`, { key: outside, method: 'POST' });
  const { key } = z.object({ key: z.string() }).parse(given);

  /** What AcmePay has told so far is delivered by its webhooks, and everything that follows is done. */
  let told = 0;
  const settle = async (): Promise<void> => {
    await runtime.bus.idle();
    for (const event of sandbox.engine.events(account).slice(told)) {
      told += 1;
      const body = JSON.stringify(event);
      const signature = signatureOf(body, secret, Math.floor(runtime.clock.now() / 1_000));
      const sent = await request(apps.webhooks, '/webhooks/acmepay', {
        body,
        headers: { 'acmepay-signature': signature },
      });
      expect(sent.status).toBe(200);
      await runtime.bus.idle();
    }
  };
  const post = (path: string, body?: unknown, method = 'POST') =>
    answerOf(path.startsWith('payments') ? apps.payments : apps.business, path, {
      key,
      method,
      ...(body === undefined ? {} : { body }),
    });
  const get = (path: string) => answerOf(path.startsWith('payments') ? apps.payments : apps.business, path, { key });
  const make = async (path: string, body: unknown) => idSchema.parse(await post(path, body)).id;
  const goTo = async (at: string): Promise<void> => {
    await post('billing/test-clock', { at });
    await settle();
    expect(await get('billing/settings')).toMatchObject({ testClock: at, movingTo: null });
  };
  const invoicesOf = async (customer: string) =>
    itemsSchema.parse(await get(`billing/invoices?customer=${customer}&limit=100`)).items.toReversed();
  const trial = async () => {
    const path = 'payments/ledger/trial-balance?currency=EUR&mode=test&limit=50';
    const { difference, items } = trialBalanceViewSchema.parse(await get(path));
    const balances = new Map(
      items.map(({ account: name, debit, credit }) => [name.replace('test:', ''), debit - credit]),
    );
    return { difference, of: (name: string) => balances.get(name) ?? 0 };
  };
  return { tenant, outside, settle, post, get, make, goTo, invoicesOf, trial };
};
type World = Awaited<ReturnType<typeof opened>>;

const address = { line1: 'Unter den Linden 1', postalCode: '10117', city: 'Berlin' };
const seller = { name: 'Seller GmbH', address, country: 'DE', vatId: 'DE136695976' };
const by = (paymentMethod: string) => ({ paymentSources: [{ gateway: 'acmepay', paymentMethod }] });

const sell = async ({ post, make }: World) => {
  const dunning = { retryAfterDays: [1, 3], finally: 'cancel' };
  await post('billing/settings', { seller, dunning }, 'PUT');
  await post('billing/test-clock', { at: '2026-01-15T00:00:00.000Z' });
  await post('payments/gateway-accounts', {
    gateway: 'acmepay',
    mode: 'test',
    credentials: { secretKey: account.secretKey },
  });
  const product = await make('billing/products', { name: 'Pro' });
  await post('billing/meters', { id: 'calls', aggregation: 'sum' });
  const sold = { product, interval: { unit: 'month', count: 1 } };
  const flat = await make('billing/prices', { ...sold, amounts: { EUR: { model: 'flat', amount: 10_000 } } });
  const perCall = { EUR: { model: 'per-unit', unitAmount: 2 } };
  const calls = await make('billing/prices', { ...sold, meter: 'calls', amounts: perCall });
  const subscribe = async (name: string, card: string) => {
    const customer = await make('billing/customers', { name, country: 'DE', ...by(card) });
    const items = [{ price: flat }, { price: calls }];
    const made = await post('billing/subscriptions', { customer, items, collection: 'automatic' });
    const { subscription, invoice } = z.object({ subscription: idSchema, invoice: z.string() }).parse(made);
    return { customer, subscription: subscription.id, invoice };
  };
  return { subscribe };
};

describe('three months of a business that sells by subscription', () => {
  it('are charged, collected, counted and booked to the cent', async () => {
    const world = await opened();
    const { post, get, settle, goTo, invoicesOf, trial } = world;
    await expect(
      answerOf(apps.business, 'billing/test-clock', { key: world.outside, body: { at: '2026-01-15T00:00:00.000Z' } }),
    ).rejects.toThrow('412');
    const { subscribe } = await sell(world);
    const ada = await subscribe('Ada', 'pm_card_ok');
    const bob = await subscribe('Bob', 'pm_card_insufficient_funds');
    const eve = await subscribe('Eve', 'pm_card_challenge');
    await settle();
    const statesOf = async ({ customer, subscription }: typeof ada) => [
      (await invoicesOf(customer)).map(({ status, lastDecline }) => [status, lastDecline].join(':')).join(' '),
      z.object({ status: z.string() }).parse(await get(`billing/subscriptions/${subscription}`)).status,
    ];
    expect(await statesOf(ada)).toEqual(['paid:', 'active']);
    expect(await statesOf(bob)).toEqual(['open:insufficient-funds', 'past-due']);
    expect(await statesOf(eve)).toEqual(['open:authentication-required', 'past-due']);

    // Eve is sent to her bank, which asks her; the webhook tells that she paid.
    const charged = await post(`billing/invoices/${eve.invoice}/charge`, { returnUrl: 'https://app.example.com/' });
    const { action } = z.object({ action: z.object({ url: z.string() }) }).parse(charged);
    expect(action.url).toContain(sandbox.baseUrl);
    const waiting = sandbox.engine.list(account, 0).find(({ status }) => status === 'requires_action');
    sandbox.engine.act(waiting?.id ?? '', 'approve');
    runtime.clock.advance(1_000);
    await settle();
    expect(await statesOf(eve)).toEqual(['paid:', 'active']);

    // Bob gives another card, and dunning finds it the day after.
    await post(`billing/customers/${bob.customer}`, by('pm_card_ok'), 'PATCH');
    await goTo('2026-01-16T00:00:00.000Z');
    expect(await statesOf(bob)).toEqual(['paid:', 'active']);

    await post(`billing/customers/${ada.customer}/credits`, { amount: 5_000, currency: 'EUR', reason: 'Gift' });
    await goTo('2026-01-31T00:00:00.000Z');
    const events = [1, 2, 3].map((n) => ({
      id: `call-${n}`,
      customer: ada.customer,
      meter: 'calls',
      value: 500,
      at: '2026-01-30T12:00:00.000Z',
    }));
    expect(await post('billing/usage-events', { events: [...events, ...events] })).toMatchObject({ accepted: 3 });
    await goTo('2026-04-16T00:00:00.000Z');

    // 19 % on 100.00 a month; in February 1,500 calls at 0.02 more, and 50.00 from credit.
    const seen = (await invoicesOf(ada.customer)).map(({ issuedAt, status, total, creditApplied, payments: paid }) => [
      issuedAt?.slice(0, 10),
      status,
      total,
      creditApplied,
      paid.map(({ amount }) => amount),
    ]);
    expect(seen).toEqual([
      ['2026-01-15', 'paid', 11_900, 0, [11_900]],
      ['2026-02-15', 'paid', 15_470, 5_000, [10_470]],
      ['2026-03-15', 'paid', 11_900, 0, [11_900]],
      ['2026-04-15', 'paid', 11_900, 0, [11_900]],
    ]);
    expect((await invoicesOf(bob.customer)).map(({ status }) => status)).toEqual(['paid', 'paid', 'paid', 'paid']);
    // Nobody was there when Eve's bank asked: given up after the last attempt, and over.
    expect(await statesOf(eve)).toEqual(['paid: uncollectible:authentication-required', 'canceled']);

    // Part of a payment is paid back at the gateway: a credit note with its tax tells of it.
    const [first] = await invoicesOf(ada.customer);
    const payment = first?.payments[0]?.payment ?? '';
    await post(`payments/${payment}/refunds`, { amount: 1_190 });
    runtime.clock.advance(1_000);
    await settle();
    const notes = (await invoicesOf(ada.customer)).filter(({ kind }) => kind === 'credit-note');
    expect(notes).toMatchObject([{ number: 'CN-000001', net: 1_000, tax: 190, corrects: first?.id }]);

    const { difference, of } = await trial();
    expect(difference).toBe(0);
    // Four months of Ada and of Bob, one of Eve, another of hers that is lost, without what was paid back.
    expect(of('revenue:billing')).toBe(-(4 * 10_000 + 3_000 + 4 * 10_000 + 2 * 10_000 - 1_000));
    expect(of('tax:sales')).toBe(-(4 * 1_900 + 570 + 4 * 1_900 + 2 * 1_900 - 190));
    expect(of('losses:bad-debt')).toBe(11_900);
    expect(of('revenue:credit-given')).toBe(5_000);
    for (const settled of ['receivable:invoices', 'customers:unapplied', 'customers:credit'])
      expect(of(settled)).toBe(0);
    expect(of('gateway:acmepay:pending')).toBe(sandbox.engine.balances(account).get('EUR'));

    const metrics = revenueMetricsSchema.parse(await get('monetization/metrics'));
    expect(metrics).toMatchObject({ mrr: 20_000, arr: 240_000, customers: 2 });
  }, 180_000);
});
