import { describe, expect, it } from 'vitest';
import { type PayPalFault, type PayPalRequest, startPayPalServer } from '#tests/support/paypal-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { type Money, money } from '../../kernel/money.ts';
import { type Fault, gatewayContract, type Operation } from './gateway.contract.ts';
import { createPayPalClient } from './paypal.client.ts';
import { fromPayPal } from './paypal.money.ts';
import { paypalGateway } from './paypal.ts';

const faults: Readonly<Record<Fault, PayPalFault>> = {
  fail: 'fail',
  stall: 'stall',
  'lose-answer': 'stall-after',
  'rate-limit': 'rate-limit',
  nonsense: 'nonsense',
};

const orders = '/v2/checkout/orders';
const ofOperation: Readonly<Record<Operation, (request: PayPalRequest) => boolean>> = {
  create: ({ method, path }) => method === 'POST' && path === orders,
  confirm: ({ path }) => path.startsWith(orders) && /\/(capture|authorize)$/.test(path),
  capture: ({ path }) => /authorizations\/\w+\/capture$/.test(path),
  cancel: ({ path }) => path.endsWith('/void'),
  refund: ({ path }) => path.endsWith('/refund'),
  retrieve: ({ method, path }) => method === 'GET' && path.startsWith(`${orders}/`),
  find: () => false,
};

const open = async () => {
  const server = await startPayPalServer();
  const { baseUrl, clientId, clientSecret } = server;
  const wait = async () => {};
  const connect = (secret = clientSecret) => {
    const common = { clientId, clientSecret: secret, livemode: false, clock: manualClock(), baseUrl };
    return paypalGateway({ client: createPayPalClient({ ...common, timeout: 0.3, wait }) });
  };
  return { server, connect };
};

gatewayContract('PayPal', async () => {
  const { server, connect } = await open();
  const of = (payment: string) => [...server.orders.values()].filter(({ customId }) => customId === payment);
  const sum = (
    all: readonly { readonly amount: { currency_code: string; value: string } }[],
    currency: string,
  ): Money =>
    money(
      all.reduce((total, { amount }) => total + fromPayPal({ currencyCode: currency, value: amount.value }).amount, 0),
      currency,
    );
  return {
    connect: () => connect(),
    amount: money(2_500, 'EUR'),
    minorUnits: [
      { amount: money(1_050, 'USD'), sent: '10.50' },
      { amount: money(500, 'JPY'), sent: '500' },
      { amount: money(120_000, 'HUF'), sent: '1200' },
      { amount: money(30_000, 'TWD'), sent: '300' },
    ],
    inexact: money(120_050, 'HUF'),
    declines: {},
    act: async ({ reference }) => server.approve(reference),
    fault: (operation, fault) => server.behaveOn(ofOperation[operation], faults[fault]),
    booked: async (payment) =>
      of(payment).map(({ captures, refunds, amount }) => ({
        captured: sum(captures, amount.currency_code),
        refunded: sum(refunds, amount.currency_code),
      })),
    sent: async (payment) => of(payment)[0]?.amount.value,
    webhooks: async ({ reference }) =>
      server.events
        .filter(({ resource }) => JSON.stringify(resource).includes(reference))
        .map(({ event_type, resource }) => ({ type: event_type, object: resource })),
    account: server.merchant,
    stop: server.stop,
  };
});

describe('PayPal', async () => {
  const { server, connect } = await open();
  const gateway = connect();
  const asked = { tenant: 'acme', amount: money(900, 'EUR'), capture: 'automatic', offSession: false } as const;

  it('sends the payer to its page, and takes what they agreed to, with the fee', async () => {
    const made = await gateway.create({ ...asked, payment: 'pay_1', returnUrl: 'https://app.example.com/' }, 'k1');
    expect(made).toMatchObject({ status: 'requires-action', nextAction: { kind: 'redirect' } });
    expect(await gateway.confirm(made.reference, 'k2')).toMatchObject({ status: 'requires-action' });
    server.approve(made.reference);
    expect(await gateway.retrieve(made.reference)).toMatchObject({ status: 'pending' });
    expect(await gateway.confirm(made.reference, 'k3')).toMatchObject({ status: 'captured', fee: money(80, 'EUR') });
  });

  it('fails where the means of payment are declined, and takes nothing', async () => {
    const made = await gateway.create({ ...asked, payment: 'pay_2' }, 'k4');
    server.approve(made.reference, 'declined');
    expect(await gateway.confirm(made.reference, 'k5')).toMatchObject({ status: 'failed', decline: 'card-declined' });
    expect(server.orders.get(made.reference)?.captures).toEqual([]);
  });

  it('charges at once a payer who agreed before', async () => {
    const made = await gateway.create({ ...asked, payment: 'pay_3', paymentMethod: 'vault-1', offSession: true }, 'k6');
    expect(made).toMatchObject({ status: 'captured', captured: money(900, 'EUR') });
  });

  it('refuses a key that came with another order', async () => {
    await expect(gateway.create({ ...asked, payment: 'pay_4' }, 'k1')).rejects.toMatchObject({
      code: 'idempotency-mismatch',
    });
  });

  /** Declined by the payer's bank at first, then taken in parts, as merchants do on PayPal's own pages. */
  const inParts = async (payment: string, parts: readonly string[]) => {
    const { reference } = await gateway.create({ ...asked, payment }, `${payment}:1`);
    server.approve(reference, 'pending');
    await gateway.confirm(reference, `${payment}:2`);
    server.settle(reference, false);
    const order = server.find(reference);
    order.outcome = 'completed';
    for (const value of parts) server.capture(order, { value, currency_code: 'EUR' });
    return { reference, order };
  };
  const back = (refund: string, amount: number) => ({ refund, amount: money(amount, 'EUR') });

  it('pays back from a capture that took something, and not from one that was declined', async () => {
    const { reference } = await inParts('pay_6', ['9.00']);
    expect(await gateway.refund(reference, back('ref_1', 900), 'ref_1')).toMatchObject({ status: 'succeeded' });
    expect(await gateway.retrieve(reference)).toMatchObject({ captured: money(900, 'EUR'), status: 'captured' });
  });

  it('pays back from the capture that has enough left, once, and says what is too much for one', async () => {
    const { reference, order } = await inParts('pay_7', ['3.00', '6.00']);
    await expect(gateway.refund(reference, back('ref_2', 700), 'ref_2')).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('At most 600'),
    });
    await gateway.refund(reference, back('ref_3', 200), 'ref_3');
    await gateway.refund(reference, back('ref_4', 200), 'ref_4');
    // The first has no more than 1.00 left: asked again, it is the refund that was made.
    expect(await gateway.refund(reference, back('ref_3', 200), 'ref_3')).toMatchObject({ refund: 'ref_3' });
    expect(order.captures.map(({ status }) => status)).toEqual([
      'DECLINED',
      'PARTIALLY_REFUNDED',
      'PARTIALLY_REFUNDED',
    ]);
    expect(order.refunds).toHaveLength(2);
  });

  it('lets nobody in with wrong credentials', async () => {
    const other = connect('wrong');
    await expect(other.account()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(other.create({ ...asked, payment: 'pay_5' }, 'k7')).rejects.toMatchObject({ code: 'forbidden' });
  });
});
