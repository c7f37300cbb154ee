import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { dumping } from '#tests/support/dump.ts';
import { startOutside, testXpub, usdc } from '#tests/support/onchain.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';
import { tick } from '#tests/support/ticks.ts';
import { payments } from '../app.ts';
import { createServices } from '../services.ts';

const outside = await startOutside();
afterAll(() => outside.stop());
const { chain } = outside;
const driver = dumping(embeddedDriver());
const runtime = await testRuntime({
  driver,
  environment: { ONCHAIN_RPC_URLS: outside.endpoints.join(','), ONCHAIN_RATES_URL: outside.prices.baseUrl },
});
const app = runtime.start(payments, createServices);
const path = '/api/v1/crypto';
const key = await runtime.key('acme', ['payments:*', 'ledger:*']);
outside.clock.set(runtime.clock.now());

const call = async (method: 'GET' | 'POST', at: string, body?: unknown, headers: Record<string, string> = {}) => {
  const response = await request(app, `${path}${at}`, {
    key,
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, answer };
};
const connect = (credentials: object, by = key) =>
  request(app, '/api/v1/payments/gateway-accounts', {
    key: by,
    body: { gateway: 'onchain', mode: 'test', credentials },
  });
const poll = async (schedule = 'onchain-open-addresses'): Promise<void> => {
  runtime.clock.advance(60_000);
  outside.clock.set(runtime.clock.now());
  await tick(runtime, app, { schedule, job: 'payments.start-chain-polls' });
};
const finalPoll = async (): Promise<void> => {
  chain.finalise();
  await poll();
};

const paymentSchema = z.object({ id: z.string(), address: z.string(), units: z.string() });
const order = { amount: 2_500, currency: 'USD', mode: 'test' };
const pay = async (change: object = {}) => {
  const { answer } = await call('POST', '/payments', { ...order, ...change });
  const payment = paymentSchema.parse(answer);
  const send = (units: bigint | string = payment.units, to = payment.address) =>
    chain.mine({ token: usdc, to, units: BigInt(units) })[0] ?? '0x';
  return { ...payment, send };
};
const shop = '0x00000000000000000000000000000000005b0b00';

describe('/api/v1/crypto', () => {
  it('connects a wallet by its public key, which is never shown, and refuses a private one', async () => {
    const wrong = await connect({
      xpub: 'xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi',
    });
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { errors: [{ path: 'body.credentials.xpub' }] }]);
    expect((await connect({ xpub: testXpub, asset: 'USDC-mars' })).status).toBe(400);
    const made = await connect({ xpub: testXpub, asset: 'USDC-sepolia' });
    expect([made.status, await made.clone().json()]).toMatchObject([201, { id: 'onchain-test' }]);
    expect(JSON.stringify([await made.json(), ...(await driver.dump())])).not.toContain(testXpub);
    const rival = await runtime.key('rival', ['payments:*']);
    expect((await connect({ xpub: testXpub }, rival)).status).toBe(409);
    await poll();
  });

  it('lists what can be paid with, and says what an amount is in it', async () => {
    expect(await call('GET', '/assets?mode=test')).toMatchObject({
      status: 200,
      answer: { items: [{ id: 'USDC-sepolia', chainId: 11_155_111, contract: usdc }, { id: 'EURC-sepolia' }] },
    });
    const quote = { amount: 2_500, currency: 'EUR', asset: 'USDC-sepolia' };
    expect(await call('POST', '/quotes', quote)).toMatchObject({
      answer: { units: '27173914', decimal: '27.173914', rate: { price: '0.92', source: 'coinbase' } },
    });
    expect(await call('POST', '/quotes', { ...quote, asset: 'USDC-mars' })).toMatchObject({ status: 400 });
    expect(await call('POST', '/quotes', { ...quote, currency: 'PLN' })).toMatchObject({ status: 400 });
  });

  it('takes a payment once for its reference or its key, and tells how it comes', async () => {
    const { id, address, units, send } = await pay({ reference: 'order-1' });
    expect(paymentSchema.parse((await call('POST', '/payments', { ...order, reference: 'order-1' })).answer)).toEqual({
      id,
      address,
      units,
    });
    expect(await call('POST', '/payments', { ...order, amount: 1, reference: 'order-1' })).toMatchObject({
      status: 422,
    });
    const headers = { 'idempotency-key': 'k-1' };
    const [one, two] = [
      await call('POST', '/payments', order, headers),
      await call('POST', '/payments', order, headers),
    ];
    expect(two).toEqual(one);
    const transaction = send();
    chain.extend(3);
    await poll();
    expect(await call('GET', `/payments/${id}`)).toMatchObject({
      answer: { status: 'pending', missing: '0', transfers: [{ transaction, final: false, confirmations: 4 }] },
    });
    await finalPoll();
    expect(await call('GET', `/payments/${id}`)).toMatchObject({
      answer: { status: 'captured', captured: 2_500, decimal: '25', transfers: [{ final: true }], undecided: false },
    });
    expect(await call('GET', `/payments/${id}/balance`)).toMatchObject({
      answer: { items: [{ token: 'USDC', decimal: '25' }, {}] },
    });
    expect(await call('GET', '/balances?currency=USD&mode=test')).toMatchObject({
      answer: { received: 2_500, surplus: 0 },
    });
    expect(await call('GET', '/addresses')).toMatchObject({
      answer: { items: expect.arrayContaining([expect.objectContaining({ payment: id, path: '0/0' })]) },
    });
  });

  it('refunds what was sent from the wallet, once the chain shows it', async () => {
    const { id, send, address } = await pay();
    send();
    await finalPoll();
    const { answer } = await call('POST', `/payments/${id}/refunds`, { amount: 1_000 });
    const { id: refund } = z.object({ id: z.string() }).parse(answer);
    expect(answer).toMatchObject({ status: 'pending' });
    const settle = (transaction: string) => call('POST', `/payments/${id}/refunds/${refund}/settle`, { transaction });
    const [short, own] = [send(9_999_999n, shop), send(10_000_000n, address)];
    const [right] = chain.mine({ token: usdc, to: shop, units: 10_000_000n });
    expect((await settle(right ?? '')).status).toBe(412);
    chain.finalise();
    for (const wrong of [short, own, `0x${'0'.repeat(64)}`]) expect((await settle(wrong)).status).toBe(412);
    expect(await settle(right ?? '')).toMatchObject({
      status: 200,
      answer: { refunds: [{ id: refund, transaction: right }] },
    });
    // Shown again it is the same.
    expect((await settle(right ?? '')).status).toBe(200);
    const paid = await request(app, `/api/v1/payments/${id}/refunds`, { key });
    expect(await paid.json()).toMatchObject({ items: [{ amount: 1_000, status: 'succeeded' }] });
    expect(await call('POST', `/payments/${id}/refunds`, { amount: 1_501 })).toMatchObject({ status: 412 });
  });

  it('has late and superfluous money wait for a decision: taken as the payment, or sent back', async () => {
    const [late, twice] = [await pay(), await pay()];
    twice.send(30_000_000n);
    await finalPoll();
    runtime.clock.advance(33 * 60_000);
    outside.clock.set(runtime.clock.now());
    late.send();
    await finalPoll();
    await poll('onchain-closed-addresses');
    const waiting = z.object({ items: z.array(z.object({ id: z.string() })) });
    const listed = waiting.parse((await call('GET', '/payments?undecided=true&mode=test')).answer).items;
    expect(listed.map(({ id }) => id)).toEqual(expect.arrayContaining([late.id, twice.id]));
    expect(await call('GET', '/balances?currency=USD&mode=test')).toMatchObject({
      answer: { surplus: 1_500, undecided: 2_500 },
    });
    expect(await call('POST', `/payments/${late.id}/accept`)).toMatchObject({
      status: 200,
      answer: {
        status: 'captured',
        captured: 2_500,
        undecided: false,
        receipts: [{ kind: 'late', status: 'accepted' }],
      },
    });
    expect(await call('POST', `/payments/${late.id}/accept`)).toMatchObject({ status: 200 });
    const { answer } = await call('GET', `/payments/${twice.id}`);
    const [receipt] = z.object({ receipts: z.array(z.object({ id: z.string() })) }).parse(answer).receipts;
    const back = chain.mine({ token: usdc, to: shop, units: 5_000_000n })[0];
    chain.finalise();
    const body = { receipt: receipt?.id, transaction: back };
    expect(await call('POST', `/payments/${twice.id}/returns`, body)).toMatchObject({
      status: 200,
      answer: { undecided: false, receipts: [{ kind: 'surplus', status: 'returned', amount: 500 }] },
    });
    expect((await call('POST', `/payments/${twice.id}/accept`)).status).toBe(412);
    expect(await call('GET', '/balances?currency=USD&mode=test')).toMatchObject({
      answer: { surplus: 1_000, undecided: 0 },
    });
    const trial = await request(app, '/api/v1/payments/ledger/trial-balance?currency=USD&mode=test', { key });
    expect(await trial.json()).toMatchObject({ difference: 0 });
  });

  it('gives up a payment of which nothing was seen', async () => {
    const { id } = await pay();
    expect(await call('POST', `/payments/${id}/cancel`)).toMatchObject({ status: 200, answer: { status: 'canceled' } });
    expect((await call('POST', '/payments/pay_unknown/cancel')).status).toBe(404);
  });

  it.each([
    ['a negative amount', { amount: -1 }, 'body.amount'],
    ['an amount that overflows', { amount: 10 ** 12 }, 'body.amount'],
    ['an unknown currency', { currency: 'XXX' }, 'body.currency'],
    ['what is no asset', { asset: '../x' }, 'body.asset'],
  ])('refuses %s, and gives no address away', async (_what, change, field) => {
    const before = (await call('GET', '/addresses?limit=200')).answer;
    expect(await call('POST', '/payments', { ...order, ...change })).toMatchObject({
      status: 400,
      answer: { errors: [{ path: field }] },
    });
    expect((await call('GET', '/addresses?limit=200')).answer).toEqual(before);
  });

  it('says no to an asset that this deployment does not read', async () => {
    expect(await call('POST', '/payments', { ...order, asset: 'USDC-ethereum' })).toMatchObject({ status: 412 });
  });
});
