import { describe, expect, it } from 'vitest';
import { type BtcPayFault, type BtcPayRequest, startBtcPayServer } from '#tests/support/btcpay-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { fromDecimal, money, sum } from '../../kernel/money.ts';
import { btcPayGateway } from './btcpay.ts';
import { type Fault, gatewayContract, type Operation } from './gateway.contract.ts';

const faults: Readonly<Record<Fault, BtcPayFault>> = {
  fail: 'fail',
  stall: 'stall',
  'lose-answer': 'stall-after',
  'rate-limit': 'rate-limit',
  nonsense: 'nonsense',
};

const ofOperation: Readonly<Record<Operation, (request: BtcPayRequest) => boolean>> = {
  create: ({ method, path }) => method === 'POST' && path === '/invoices',
  confirm: () => false,
  capture: () => false,
  cancel: ({ path }) => path.endsWith('/status'),
  refund: ({ path }) => path.endsWith('/refund'),
  retrieve: ({ method, path }) => method === 'GET' && /^\/invoices\/\w+$/.test(path),
  find: ({ method, path }) => method === 'GET' && path === '/invoices',
};

const open = async () => {
  const server = await startBtcPayServer();
  const { baseUrl, store } = server;
  const wait = async () => {};
  const connect = (apiKey = server.apiKey) =>
    btcPayGateway({ baseUrl, apiKey, store, livemode: false, clock: manualClock(), timeout: 0.3, wait });
  return { server, connect };
};

gatewayContract('BTCPay', async () => {
  const { server, connect } = await open();
  const of = (payment: string) =>
    [...server.invoices.values()].filter(({ archived, metadata }) => !archived && metadata.orderId === payment);
  return {
    connect: () => connect(),
    amount: money(2_500, 'EUR'),
    minorUnits: [
      { amount: money(1_050, 'USD'), sent: '10.50' },
      { amount: money(500, 'JPY'), sent: '500' },
      { amount: money(1_234, 'KWD'), sent: '1.234' },
    ],
    declines: {},
    act: async ({ reference }) => {
      server.see(reference);
      server.settle(reference);
    },
    fault: (operation, fault) => server.behaveOn(ofOperation[operation], faults[fault]),
    booked: async (payment) =>
      of(payment).map(({ id, status, amount, currency }) => ({
        captured: status === 'Settled' ? fromDecimal(amount, currency) : money(0, currency),
        refunded: sum(
          [...server.pulls.values()]
            .filter(({ name }) => name.startsWith(`${id}:`))
            .map((one) => fromDecimal(one.amount, currency)),
          currency,
        ),
      })),
    sent: async (payment) => of(payment)[0]?.amount,
    webhooks: async ({ reference }) =>
      server.events
        .filter(({ invoiceId }) => invoiceId === reference)
        .map((event) => ({ type: event.type, object: { ...event } })),
    account: server.store,
    stop: server.stop,
  };
});

describe('BTCPay', async () => {
  const { server, connect } = await open();
  const gateway = connect();
  const asked = { tenant: 'acme', amount: money(900, 'EUR'), capture: 'automatic', offSession: false } as const;

  it('sends the payer to its page, and is captured only when the chain has confirmed', async () => {
    const { reference, nextAction } = await gateway.create({ ...asked, payment: 'pay_1' }, 'k');
    expect(nextAction).toEqual({ kind: 'redirect', url: `https://btcpay.example/i/${reference}` });
    server.see(reference);
    expect(await gateway.retrieve(reference)).toMatchObject({ status: 'pending', captured: money(0, 'EUR') });
    server.settle(reference);
    expect(await gateway.retrieve(reference)).toMatchObject({ status: 'captured', captured: money(900, 'EUR') });
  });

  it.each(['None', 'PaidPartial', 'PaidLate'] as const)(
    'captures nothing that came otherwise than asked: %s',
    async (how) => {
      const { reference } = await gateway.create({ ...asked, payment: `pay_${how}` }, 'k');
      server.expire(reference, how);
      expect(await gateway.retrieve(reference)).toMatchObject({ status: 'expired', captured: money(0, 'EUR') });
    },
  );

  it('can be canceled until something comes', async () => {
    const one = await gateway.create({ ...asked, payment: 'pay_c1' }, 'k');
    expect(await gateway.cancel(one.reference, 'k')).toMatchObject({ status: 'canceled' });
    expect(await gateway.cancel(one.reference, 'k')).toMatchObject({ status: 'canceled' });
    const two = await gateway.create({ ...asked, payment: 'pay_c2' }, 'k');
    server.see(two.reference);
    await expect(gateway.cancel(two.reference, 'k')).rejects.toMatchObject({ code: 'precondition-failed' });
  });

  it('has refunds pending until the payer has claimed them', async () => {
    const { reference } = await gateway.create({ ...asked, payment: 'pay_r' }, 'k');
    server.settle(reference);
    const refund = await gateway.refund(reference, { refund: 'ref_1', amount: money(400, 'EUR') }, 'ref_1');
    expect(refund).toMatchObject({ refund: 'ref_1', status: 'pending' });
    server.payOut(refund.reference);
    expect((await gateway.retrieve(reference))?.refunds).toMatchObject([{ refund: 'ref_1', status: 'succeeded' }]);
  });

  it('holds nothing, and lets nobody in with a wrong key', async () => {
    await expect(gateway.create({ ...asked, payment: 'pay_m', capture: 'manual' }, 'k')).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    await expect(connect('wrong').account()).rejects.toMatchObject({ code: 'forbidden' });
  });
});
