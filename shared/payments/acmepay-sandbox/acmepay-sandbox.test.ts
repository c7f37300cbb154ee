import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { listen } from '#scripts/lib/ports.ts';
import { manualClock } from '../../kernel/clock.ts';
import { acmepayVerifier } from '../../webhooks/index.ts';
import { startAcmePaySandbox } from './acmepay-sandbox.ts';

const secret = 'the-secret-of-the-endpoint';

const setup = async () => {
  const clock = manualClock();
  const received: { readonly type: string; readonly id: string }[] = [];
  let status = 200;
  const verify = acmepayVerifier({ secrets: [secret], now: clock.now });
  const server = createServer(async (request, response) => {
    const body = await text(request);
    verify(Buffer.from(body), String(request.headers['acmepay-signature']));
    if (status < 300) received.push(z.object({ type: z.string(), id: z.string() }).parse(JSON.parse(body)));
    response.writeHead(status).end();
  });
  const url = `http://127.0.0.1:${await listen(server, 0)}/`;
  const sandbox = await startAcmePaySandbox({ clock });
  afterAll(async () => {
    server.close();
    await sandbox.stop();
  });
  sandbox.webhooks.connect({ url, secret });
  const account = sandbox.open();
  const pay = (reference: string) =>
    sandbox.engine.create(account, {
      reference,
      amount: 500,
      currency: 'EUR',
      capture_method: 'automatic',
      off_session: false,
      payment_method: 'pm_card_ok',
      metadata: {},
    });
  const answer = (next: number): void => {
    status = next;
  };
  return { clock, sandbox, account, received, pay, answer, types: () => received.map(({ type }) => type) };
};

describe("AcmePay's sandbox", () => {
  it('sends signed webhooks in order, and again until they are taken', async () => {
    const { clock, sandbox, pay, answer, types, received } = await setup();
    answer(503);
    pay('one');
    await sandbox.deliver();
    expect([received.length, sandbox.webhooks.waiting()]).toEqual([0, 2]);
    answer(200);
    await sandbox.deliver();
    expect(received).toEqual([]);
    clock.advance(5_000);
    await sandbox.deliver();
    expect([types(), sandbox.webhooks.waiting()]).toEqual([['payment.created', 'payment.captured'], 0]);
  });

  it('loses, repeats and reorders them when it is told to', async () => {
    const { sandbox, pay, types } = await setup();
    sandbox.webhooks.fail('drop', 'duplicate');
    pay('one');
    await sandbox.deliver();
    expect(types()).toEqual(['payment.captured', 'payment.captured']);
    sandbox.webhooks.fail('duplicate', 'reorder');
    pay('two');
    await sandbox.deliver();
    expect(types().slice(2)).toEqual(['payment.created', 'payment.captured', 'payment.created']);
  });

  it('is run over HTTP too, by whoever has its token', async () => {
    const { sandbox, account, pay } = await setup();
    const payment = pay('one');
    const post = (path: string, body: object, token = sandbox.adminToken) =>
      fetch(`${sandbox.baseUrl}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
    const dispute = { account: account.id, payment: payment.id, amount: 200 };
    expect((await post('/sandbox/disputes', dispute, 'nobody')).status).toBe(404);
    expect((await post('/sandbox/disputes', dispute)).status).toBe(201);
    expect(sandbox.engine.find(account, payment.id).disputes).toMatchObject([{ amount: 200, status: 'open' }]);
    expect((await post('/sandbox/faults', { faults: [{ on: 'retrieve', kind: 'fail' }] })).status).toBe(201);
    const get = () =>
      fetch(`${sandbox.baseUrl}/v1/payments/${payment.id}`, {
        headers: { authorization: `Bearer ${account.secretKey}` },
      });
    expect([(await get()).status, (await get()).status]).toEqual([500, 200]);
    const card = { number: '4242424242424242', exp_month: 12, exp_year: 2030, cvc: '123' };
    const made = await post('/v1/payment_methods', card, account.publishableKey);
    expect([made.status, await made.json()]).toMatchObject([201, { last4: '4242' }]);
  });
});
