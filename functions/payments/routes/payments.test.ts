import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { webhooks } from '#functions/webhooks/app.ts';
import { createServices as webhookServices } from '#functions/webhooks/services.ts';
import { startAcmePaySandbox } from '#shared/payments/acmepay-sandbox/acmepay-sandbox.ts';
import { signatureOf } from '#shared/payments/acmepay-sandbox/sandbox.webhooks.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { dumping } from '#tests/support/dump.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { payments } from '../app.ts';
import { createServices } from '../services.ts';

const secret = 'the-secret-of-acmepay';
const sandbox = await startAcmePaySandbox();
afterAll(() => sandbox.stop());
const driver = dumping(embeddedDriver());
const runtime = await testRuntime({
  driver,
  environment: { ACMEPAY_URL: sandbox.baseUrl, ACMEPAY_WEBHOOK_SECRETS: secret },
});
const app = runtime.start(payments, createServices);
const hooks = runtime.start(webhooks, webhookServices);
const path = '/api/v1/payments';
const key = await runtime.key('acme', ['payments:*', 'ledger:*']);
const account = sandbox.open();

const paymentSchema = z.object({ id: z.string(), status: z.string(), gatewayReference: z.string() });
const post = async (at: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await request(app, `${path}${at}`, {
    key,
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, answer };
};
const get = async (at: string): Promise<unknown> => (await request(app, `${path}${at}`, { key })).json();
const itemsOf = async (at: string) => z.object({ items: z.array(z.unknown()) }).parse(await get(at)).items;
const card = (paymentMethod: string) => ({ sources: [{ gateway: 'acmepay', paymentMethod }] });
const order = { amount: 2_500, currency: 'EUR', mode: 'test', ...card('pm_card_ok') };

describe('/api/v1/payments', () => {
  it('connects an account, whose credentials are checked, encrypted and never shown', async () => {
    const wrong = { gateway: 'acmepay', mode: 'test', credentials: { secretKey: 'ak_test_wrong' } };
    expect(await post('/gateway-accounts', wrong)).toMatchObject({ status: 403 });
    expect(await post('/gateway-accounts', { ...wrong, credentials: {} })).toMatchObject({
      status: 400,
      answer: { errors: [{ path: 'body.credentials.secretKey' }] },
    });
    const right = { ...wrong, credentials: { secretKey: account.secretKey } };
    expect(await post('/gateway-accounts', { ...right, mode: 'live' })).toMatchObject({ status: 400 });
    const made = await post('/gateway-accounts', right);
    expect(made).toMatchObject({ status: 201, answer: { id: 'acmepay-test', providerAccount: account.id } });
    expect(JSON.stringify([made, ...(await driver.dump())])).not.toContain(account.secretKey);
    expect(await post('/gateway-accounts', right)).toMatchObject({ status: 409 });
    const rival = await runtime.key('rival', ['payments:*']);
    const taken = await request(app, `${path}/gateway-accounts`, { key: rival, body: right });
    expect(taken.status).toBe(409);
  });

  it('takes a payment, says why there, and pays it back', async () => {
    const { status, answer } = await post('', { ...order, reference: 'order-1' });
    expect([status, answer]).toMatchObject([
      201,
      { status: 'captured', routing: { candidates: [{ account: 'acmepay-test' }] } },
    ]);
    const { id } = paymentSchema.parse(answer);
    runtime.clock.advance(1_000);
    expect(await post(`/${id}/refunds`, { amount: 1_000, reference: 'r1' })).toMatchObject({ status: 201 });
    expect(await post(`/${id}/refunds`, { amount: 1_501 })).toMatchObject({ status: 412 });
    expect(await get(`/${id}/refunds`)).toMatchObject({ items: [{ amount: 1_000, status: 'succeeded' }] });
    expect(await get(`/${id}/timeline`)).toMatchObject({ items: [{ key: 'captured:2500' }, {}, {}, {}] });
    expect(await get('/ledger/trial-balance?currency=EUR&mode=test')).toMatchObject({ difference: 0 });
    expect(await itemsOf(`/ledger/entries?source=${id}`)).toHaveLength(6);
    const statement = await get('/ledger/accounts/test:customers:unapplied@EUR/statement');
    expect(statement).toMatchObject({ opening: 0, closing: 1_500, items: [{ amount: -2_500 }, { amount: 1_000 }] });
  });

  it('repeats a request with its idempotency key once', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const [one, two] = [await post('', order, headers), await post('', order, headers)];
    expect(two).toEqual(one);
    expect(sandbox.engine.list(account, 0)).toHaveLength(2);
  });

  it.each([
    ['a negative amount', { amount: -1 }, 'body.amount'],
    ['an amount that overflows', { amount: 10 ** 12 }, 'body.amount'],
    ['a part of a cent', { amount: 0.5 }, 'body.amount'],
    ['an unknown currency', { currency: 'XXX' }, 'body.currency'],
    ['a payer who is not there, without a means of payment', { offSession: true, sources: [] }, 'body.sources'],
  ])('refuses %s, and charges nothing', async (_what, change, field) => {
    const before = sandbox.engine.list(account, 0).length;
    const { status, answer } = await post('', { ...order, ...change });
    expect([status, answer]).toMatchObject([400, { errors: [{ path: field }] }]);
    expect(sandbox.engine.list(account, 0)).toHaveLength(before);
  });

  it('learns by a webhook what the payer did, once, and refuses a forged one', async () => {
    const { answer } = await post('', { ...order, sources: [] });
    const { id, status, gatewayReference } = paymentSchema.parse(answer);
    expect(status).toBe('requires-action');
    // Whoever reads the database alone can't go on with it.
    const { nextAction } = z.object({ nextAction: z.object({ url: z.string() }) }).parse(answer);
    expect(JSON.stringify([...(await driver.dump())])).not.toContain(nextAction.url);
    runtime.clock.advance(1_000);
    sandbox.engine.act(gatewayReference, { card: 'pm_card_ok' });
    const body = JSON.stringify(sandbox.engine.events(account).at(-1));
    const seconds = Math.floor(runtime.clock.now() / 1_000);
    const send = (signature: string) =>
      request(hooks, '/webhooks/acmepay', { body, headers: { 'acmepay-signature': signature } });
    expect((await send(signatureOf(body, 'forged', seconds))).status).toBe(400);
    expect((await send(signatureOf(body, secret, seconds - 301))).status).toBe(400);
    expect(await (await send(signatureOf(body, secret, seconds))).json()).toEqual({ received: 'published' });
    expect(await (await send(signatureOf(body, secret, seconds))).json()).toEqual({ received: 'duplicate' });
    await runtime.bus.idle();
    expect(await get(`/${id}`)).toMatchObject({ status: 'captured' });
    expect(await post(`/${id}/confirm`)).toMatchObject({ status: 200, answer: { status: 'captured' } });
  });

  it('makes, changes and deletes routing rules, and leaves a trace in the audit log', async () => {
    const rule = { name: 'Euros', priority: 1, currencies: ['EUR'], gateways: ['acmepay'] };
    expect(await post('/routing-rules', { ...rule, gateways: ['acmepay', 'acmepay'] })).toMatchObject({ status: 400 });
    const { answer } = await post('/routing-rules', rule);
    const { id } = z.object({ id: z.string() }).parse(answer);
    const at = `${path}/routing-rules/${id}`;
    const changed = await request(app, at, { key, method: 'PUT', body: { ...rule, priority: 7 } });
    expect(await changed.json()).toMatchObject({ id, priority: 7 });
    expect(await get('/routing-rules')).toMatchObject({ items: [{ id }] });
    expect((await request(app, at, { key, method: 'DELETE' })).status).toBe(204);
    expect((await request(app, at, { key })).status).toBe(404);
    const actions = [...(await driver.dump())].flatMap(([, data]) => ('action' in data ? [data.action] : []));
    expect(actions).toEqual(
      expect.arrayContaining([
        'payments.gateway-account.connected',
        'payments.routing-rule.created',
        'payments.routing-rule.deleted',
      ]),
    );
  });
});
