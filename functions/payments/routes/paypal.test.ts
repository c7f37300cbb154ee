import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { webhooks } from '#functions/webhooks/app.ts';
import { createServices as webhookServices } from '#functions/webhooks/services.ts';
import { isoTime } from '#shared/kernel/clock.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { dumping } from '#tests/support/dump.ts';
import type { PayPalEvent } from '#tests/support/paypal/book.ts';
import { eventBody } from '#tests/support/paypal/notifications.ts';
import { paypalAuthorities, transmissionOf } from '#tests/support/paypal/signing.ts';
import { startPayPalServer } from '#tests/support/paypal-server.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { payments } from '../app.ts';
import { createServices } from '../services.ts';

const server = await startPayPalServer();
afterAll(server.stop);
const driver = dumping(embeddedDriver());
const runtime = await testRuntime({
  driver,
  environment: {
    PAYPAL_API_URL: server.baseUrl,
    PAYPAL_AUTHORITIES: paypalAuthorities.root.pem,
    PAYPAL_WEBHOOK_URL: 'https://api.omni.example/webhooks/paypal',
  },
});
const app = runtime.start(payments, createServices);
const hooks = runtime.start(webhooks, webhookServices);
const key = await runtime.key('acme', ['payments:*', 'ledger:*']);
const path = '/api/v1/paypal/orders';

const call = async (
  to: string,
  body?: unknown,
  options: { headers?: Record<string, string>; method?: string } = {},
) => {
  const { headers = {}, method = 'POST' } = options;
  const response = await request(app, to, { key, method, headers, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  const answer: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: response.status, answer };
};
const post = (at: string, body?: unknown, headers: Record<string, string> = {}) =>
  call(`${path}${at}`, body, { headers });
const get = async (to: string): Promise<unknown> => (await call(to, undefined, { method: 'GET' })).answer;
const orderSchema = z.object({ id: z.string(), payment: z.string() });
const order = { amount: { amount: 2_500, currency: 'EUR' }, mode: 'test', returnUrl: 'https://shop.example.com/' };
const make = async (change: object = {}) => orderSchema.parse((await post('', { ...order, ...change })).answer);
/** An order that its payer has agreed to, and that is captured. */
const paid = async () => {
  const made = await make();
  server.approve(made.id);
  expect((await post(`/${made.id}/capture`, {})).answer).toMatchObject({ status: 'captured' });
  return made;
};

let told = 0;
/** PayPal tells of everything that has happened since, to the webhook that it was asked for. */
const tellAll = async (change: (events: readonly PayPalEvent[]) => readonly PayPalEvent[] = (all) => all) => {
  const [webhook] = server.webhooks.values();
  const fresh = change(server.events.slice(told));
  told = server.events.length;
  const answers: unknown[] = [];
  runtime.clock.advance(10_000);
  for (const event of fresh) {
    const body = eventBody(event);
    const headers = transmissionOf(body, { webhook: webhook?.id ?? '', time: isoTime(runtime.clock.now()) });
    answers.push(await (await request(hooks, `/webhooks/paypal/${server.merchant}`, { body, headers })).json());
    await runtime.bus.idle();
  }
  return answers;
};
const balanceOf = async (account: string) =>
  z.object({ balance: z.number() }).parse(await get(`/api/v1/payments/ledger/accounts/test:${account}@EUR/balance`))
    .balance;
const captures = () => server.requests.filter(({ path: at }) => at.endsWith('/capture')).length;

describe('an account at PayPal', () => {
  const accounts = '/api/v1/payments/gateway-accounts';
  const account = (credentials: object) => ({ gateway: 'paypal', mode: 'test', credentials });
  const right = { clientId: server.clientId, clientSecret: server.clientSecret };

  it('is refused with wrong credentials, and with a webhook of somebody else', async () => {
    expect(await call(accounts, account({ ...right, clientSecret: 'wrong' }))).toMatchObject({ status: 403 });
    server.webhooks.set('8PTOTHER', { id: '8PTOTHER', merchant: 'other', url: 'https://x.example/', event_types: [] });
    expect(await call(accounts, account({ ...right, webhookId: '8PTOTHER' }))).toMatchObject({
      status: 400,
      answer: { errors: [{ path: 'body.credentials.webhookId' }] },
    });
    server.webhooks.clear();
  });

  it('is connected with a webhook that leads here, and belongs to one tenant', async () => {
    expect(await call(accounts, account(right))).toMatchObject({
      status: 201,
      answer: { id: 'paypal-test', providerAccount: server.merchant },
    });
    const url = `https://api.omni.example/webhooks/paypal/${server.merchant}`;
    expect([...server.webhooks.values()]).toMatchObject([{ merchant: server.merchant, url }]);
    const rival = await runtime.key('rival', ['payments:*']);
    const taken = await request(app, accounts, { key: rival, body: account(right) });
    expect(taken.status).toBe(409);
    expect(server.webhooks.size).toBe(1);
    expect(JSON.stringify(await driver.dump())).not.toContain(`"${server.clientSecret}"`);
  });
});

describe('/api/v1/paypal/orders', () => {
  it('makes an order, sends its payer to PayPal, and captures it once the payer has agreed', async () => {
    const { status, answer } = await post('', { ...order, reference: 'order-1' });
    expect([status, answer]).toMatchObject([
      201,
      { status: 'requires-action', intent: 'capture', reference: 'order-1' },
    ]);
    const { id, payment } = orderSchema.parse(answer);
    expect(answer).toMatchObject({ approveUrl: `https://www.sandbox.paypal.com/checkoutnow?token=${id}` });
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 412 });
    server.approve(id);
    const captured = { status: 'captured', captured: { amount: 2_500, currency: 'EUR' }, fee: { amount: 136 } };
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 200, answer: captured });
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 200, answer: captured });
    expect(await get(`${path}/${id}`)).toMatchObject(captured);
    expect(await get(`/api/v1/payments/${payment}`)).toMatchObject({ gateway: 'paypal', status: 'captured' });
    expect(await balanceOf('gateway:paypal:pending')).toBe(2_500 - 136);
  });

  it('captures once, for twenty who ask at once', async () => {
    const { id, payment } = await make();
    server.approve(id);
    const all = await Promise.all(Array.from({ length: 20 }, () => post(`/${id}/capture`, {})));
    expect(all.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    expect(all.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    expect(server.find(id).captures).toHaveLength(1);
    expect(await get(`/api/v1/payments/${payment}/timeline`)).toMatchObject({
      items: [{ key: 'captured:2500' }, { key: 'fee:EUR:136' }],
    });
  });

  it('captures once, where the answer is lost after PayPal has taken the money', async () => {
    const { id } = await make();
    server.approve(id);
    const before = captures();
    server.behaveOn(({ path: at }) => at === `/v2/checkout/orders/${id}/capture`, 'reset-after');
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 200, answer: { status: 'captured' } });
    expect(captures()).toBe(before + 2);
    expect(server.find(id).captures).toHaveLength(1);
    const keys = server.requests
      .filter(({ path: at }) => at === `/v2/checkout/orders/${id}/capture`)
      .map((one) => one.key);
    expect(new Set(keys).size).toBe(1);
  });

  it('makes one order for a reference and for an idempotency key, however often', async () => {
    const before = server.orders.size;
    const same = { ...order, reference: 'once' };
    const all = await Promise.all(Array.from({ length: 20 }, () => post('', same)));
    const ids = new Set(all.flatMap(({ status, answer }) => (status === 201 ? [orderSchema.parse(answer).id] : [])));
    expect(ids.size).toBe(1);
    const headers = { 'idempotency-key': 'k-1' };
    expect(await post('', order, headers)).toEqual(await post('', order, headers));
    expect(server.orders.size).toBe(before + 2);
    expect(await post('', { ...same, amount: { amount: 1, currency: 'EUR' } })).toMatchObject({ status: 422 });
  });

  it('fails where the payer is declined, and can not be taken after that', async () => {
    const { id } = await make();
    server.approve(id, 'declined');
    const failed = { status: 'failed', decline: 'card-declined', approveUrl: null };
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 200, answer: failed });
    await tellAll();
    expect(await get(`${path}/${id}`)).toMatchObject(failed);
    expect(await post(`/${id}/capture`, {})).toMatchObject({ answer: failed });
    expect(server.find(id).captures).toEqual([]);
  });

  it('holds, captures a part, and gives the rest up', async () => {
    const { id } = await make({ intent: 'authorize' });
    server.approve(id);
    expect(await post(`/${id}/capture`, {})).toMatchObject({ status: 412 });
    expect(await post(`/${id}/authorize`)).toMatchObject({ status: 200, answer: { status: 'authorised' } });
    expect(await post(`/${id}/capture`, { amount: 2_501 })).toMatchObject({ status: 412 });
    expect(await post(`/${id}/capture`, { amount: 1_000 })).toMatchObject({ answer: { captured: { amount: 1_000 } } });
    const other = await make();
    expect(await post(`/${other.id}/authorize`)).toMatchObject({ status: 412 });
  });

  it('gives up what is held, and what nobody has agreed to', async () => {
    const [held, open] = [await make({ intent: 'authorize' }), await make()];
    server.approve(held.id);
    await post(`/${held.id}/authorize`);
    for (const { id } of [held, open]) {
      expect(await post(`/${id}/void`)).toMatchObject({
        status: 200,
        answer: { status: 'canceled', approveUrl: null },
      });
    }
    // The payer agrees all the same: nobody takes it.
    server.approve(open.id);
    await tellAll();
    expect(await get(`${path}/${open.id}`)).toMatchObject({ status: 'canceled' });
    expect(await post(`/${open.id}/capture`, {})).toMatchObject({ answer: { status: 'canceled' } });
  });

  it('refunds in parts, never more than was captured', async () => {
    const { id } = await paid();
    expect(await post(`/${id}/refunds`, { amount: 1_000, reference: 'r1' })).toMatchObject({ status: 201 });
    expect(await post(`/${id}/refunds`, { amount: 1_000, reference: 'r1' })).toMatchObject({ status: 201 });
    expect(await post(`/${id}/refunds`, { amount: 1_501 })).toMatchObject({ status: 412 });
    expect(await post(`/${id}/refunds`, {})).toMatchObject({ status: 201, answer: { amount: 1_500 } });
    expect(await get(`${path}/${id}/refunds`)).toMatchObject({ items: [{ amount: 1_000 }, { amount: 1_500 }] });
    expect(await get(`${path}/${id}`)).toMatchObject({ refunded: { amount: 2_500 } });
  });

  it('refuses decimals of currencies that PayPal takes whole, and sends the others whole', async () => {
    for (const currency of ['HUF', 'TWD']) {
      expect(await post('', { ...order, amount: { amount: 120_050, currency } })).toMatchObject({
        status: 400,
        answer: { errors: [{ path: 'body.amount.amount' }] },
      });
      const { id } = await make({ amount: { amount: 120_000, currency } });
      expect(server.find(id).amount).toEqual({ currency_code: currency, value: '1200' });
    }
    const { id } = await make({ amount: { amount: 500, currency: 'JPY' } });
    expect(server.find(id).amount.value).toBe('500');
  });

  it('says that it does not know where PayPal gives no answer, and finds out by the same request', async () => {
    for (let i = 0; i < 3; i += 1) server.behaveOn(({ path: at }) => at === '/v2/checkout/orders', 'fail');
    const unsure = { ...order, reference: 'unsure' };
    expect(await post('', unsure)).toMatchObject({ status: 503 });
    expect(await post('', unsure)).toMatchObject({ status: 201, answer: { status: 'requires-action' } });
  });

  it('lists orders by pages, and keeps those of another tenant apart', async () => {
    const first = z.object({ items: z.array(orderSchema), nextCursor: z.string() }).parse(await get(`${path}?limit=2`));
    expect(first.items).toHaveLength(2);
    const [one] = first.items;
    const rival = await runtime.key('rival', ['payments:*']);
    expect((await request(app, `${path}/${one?.id}`, { key: rival })).status).toBe(404);
    expect(await (await request(app, path, { key: rival })).json()).toMatchObject({ items: [] });
  });
});

describe("what PayPal's webhooks tell of", () => {
  const disputes = '/api/v1/payments/disputes';

  it('is looked at and booked once: a refund by hand, a dispute that is lost, and its reversal', async () => {
    const { id, payment } = await paid();
    await tellAll();
    const before = await balanceOf('gateway:paypal:pending');
    server.refundByHand(id, 300);
    await tellAll();
    runtime.clock.advance(60_000);
    server.dispute(id, 1_000);
    const answers = await tellAll((all) => [...all, ...all]);
    expect(answers).toEqual([{ received: 'published' }, { received: 'duplicate' }]);
    expect(await get(`${path}/${id}`)).toMatchObject({ refunded: { amount: 300 }, disputed: { amount: 1_000 } });
    expect(await get(`${disputes}?payment=${payment}`)).toMatchObject({
      items: [{ status: 'open', amount: 1_000, gateway: 'paypal', reason: 'MERCHANDISE_OR_SERVICE_NOT_RECEIVED' }],
    });
    expect(await balanceOf('disputes:paypal')).toBe(1_000);
    server.closeDispute(id, 'RESOLVED_BUYER_FAVOUR', 800);
    await tellAll((all) => all.toReversed());
    expect(await get(`${disputes}?status=lost`)).toMatchObject({ items: [{ lost: 800, payment }] });
    expect(await get(`${path}/${id}`)).toMatchObject({ refunded: { amount: 300 }, disputed: { amount: 800 } });
    expect(await balanceOf('gateway:paypal:pending')).toBe(before - 300 - 800);
    expect(await balanceOf('disputes:paypal')).toBe(0);
    expect(await balanceOf('losses:disputes')).toBe(800);
  });

  it('is a dispute that is won, of which nothing is lost', async () => {
    const { id, payment } = await paid();
    server.dispute(id, 2_500);
    await tellAll();
    server.closeDispute(id, 'RESOLVED_SELLER_FAVOUR');
    await tellAll();
    const { items } = z
      .object({ items: z.array(z.object({ id: z.string() })) })
      .parse(await get(`${disputes}?payment=${payment}`));
    expect(await get(`${disputes}/${items[0]?.id}`)).toMatchObject({ status: 'won', lost: 0 });
    expect(await balanceOf('disputes:paypal')).toBe(0);
  });

  it.each([
    ['comes', true, 'captured'],
    ['is denied', false, 'failed'],
  ])('is a capture that was pending, and %s', async (_what, comes, status) => {
    const { id } = await make();
    server.approve(id, 'pending');
    expect(await post(`/${id}/capture`, {})).toMatchObject({ answer: { status: 'pending' } });
    server.settle(id, comes);
    await tellAll();
    expect(await get(`${path}/${id}`)).toMatchObject({ status });
  });

  it('is what was taken for an order that nobody here has asked for: it is kept aside', async () => {
    const foreign = [...server.orders.values()].at(-1);
    if (foreign === undefined) throw new Error('There is no order.');
    const other = { ...foreign, id: 'BYHAND', customId: undefined, status: 'PAYER_ACTION_REQUIRED', captures: [] };
    server.orders.set(other.id, other);
    server.approve(other.id);
    await tellAll();
    expect(await get('/api/v1/payments/unmatched')).toMatchObject({ items: [{ gatewayReference: 'BYHAND' }] });
    server.orders.delete(other.id);
  });

  it('adds up to what PayPal says that it owes, what it holds back for disputes included', async () => {
    const { id } = await paid();
    server.dispute(id, 500);
    await tellAll();
    const balances = z.object({ items: z.array(z.object({ currency: z.string(), withheld: z.number() })) });
    const { items } = balances.parse(await get('/api/v1/payments/gateway-accounts/paypal-test/balances'));
    expect(items.find(({ currency }) => currency === 'EUR')).toMatchObject({ withheld: 500 });
    const input = { account: 'paypal-test' };
    const { answer } = await call('/api/v1/payments/ledger/reconciliations', input);
    const euros = z.object({ currencies: z.array(z.looseObject({ currency: z.string() })) }).parse(answer).currencies;
    expect(euros.find(({ currency }) => currency === 'EUR')).toMatchObject({ difference: 0, unexplained: 0 });
    expect(await get('/api/v1/payments/ledger/trial-balance?currency=EUR&mode=test')).toMatchObject({ difference: 0 });
  });

  it('explains a difference by what PayPal has told of and nobody has booked yet', async () => {
    const { id } = await paid();
    server.refundByHand(id, 700);
    const { answer } = await call('/api/v1/payments/ledger/reconciliations', { account: 'paypal-test' });
    expect(answer).toMatchObject({
      currencies: expect.arrayContaining([expect.objectContaining({ difference: -700, explained: -700 })]),
    });
  });
});
