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

  /** 50,000 EUR a bitcoin: 0.018 are the 900.00 that are asked for. */
  const receipt = (value: string, change: object) => ({ reference: expect.stringMatching(`-${value}$`), ...change });
  it.each([
    ['PaidPartial', 'Expired', [['0.010', -60]], [['partial', 50_000, 'held']], 0],
    ['PaidLate', 'Expired', [['0.018', 60]], [['late', 90_000, 'held']], 0],
    [
      'PaidPartial',
      'Expired',
      [
        ['0.010', -60],
        ['0.008', 60],
      ],
      [
        ['partial', 50_000, 'held'],
        ['late', 40_000, 'held'],
      ],
      0,
    ],
    ['PaidOver', 'Settled', [['0.020', -60]], [['surplus', 10_000, 'held']], 90_000],
    [
      'PaidOver',
      'Settled',
      [
        ['0.0179', -90],
        ['0.0021', -60],
      ],
      [['surplus', 10_000, 'held']],
      90_000,
    ],
    ['None', 'Settled', [['0.018', -60]], [], 90_000],
    ['Marked', 'Settled', [['0.010', -60]], [['partial', 50_000, 'accepted']], 50_000],
    ['Marked', 'Settled', [], [], 90_000],
    ['None', 'Invalid', [['0.010', -60]], [['partial', 50_000, 'held']], 0],
    ['Marked', 'Invalid', [['0.018', 60]], [['late', 90_000, 'held']], 0],
  ] as const)(
    'tells what came otherwise than asked: %s, %s %o',
    async (additional, status, payments, receipts, captured) => {
      const id = `pay_${additional}_${status}_${JSON.stringify(payments)}`;
      const { reference } = await gateway.create({ ...asked, amount: money(90_000, 'EUR'), payment: id }, 'k');
      for (const [value, after] of payments) server.pay(reference, value, { after });
      server.become(reference, status, additional);
      const payment = await gateway.retrieve(reference);
      expect(payment?.captured).toEqual(money(captured, 'EUR'));
      expect(payment?.receipts?.map((one) => [one.kind, one.amount.amount, one.status])).toEqual(receipts);
    },
  );

  it('holds nothing of what the chain has not confirmed', async () => {
    const { reference } = await gateway.create({ ...asked, amount: money(90_000, 'EUR'), payment: 'pay_slow' }, 'k');
    server.pay(reference, '0.018', { status: 'Processing', after: 60 });
    server.become(reference, 'Expired', 'PaidLate');
    expect((await gateway.retrieve(reference))?.receipts).toEqual([]);
    server.pay(reference, '0.018', { status: 'Settled', after: 60 });
    expect((await gateway.retrieve(reference))?.receipts).toMatchObject([receipt('0.018', { kind: 'late' })]);
  });

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
