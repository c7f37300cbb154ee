import { afterAll, describe, expect, it } from 'vitest';
import { acme, asked, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';
import { refreshPayment } from './payment.jobs.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());
const { engine } = sandbox;

const setup = async () => {
  const account = sandbox.open();
  const world = paymentWorld({ database: databaseOn(embeddedDriver(), { now: clock.now }), clock, sandbox });
  await world.connect(account.secretKey);
  const latest = () => {
    const event = engine.events(account).at(-1);
    if (event === undefined) throw new Error('Nothing has happened.');
    return event;
  };
  const pay = async (change: object = {}) => world.paymentService.create(acme, asked(change));
  const requestsDuring = async (work: () => Promise<unknown>): Promise<number> => {
    const before = sandbox.requests.length;
    await work();
    return sandbox.requests.length - before;
  };
  return { ...world, account, latest, pay, requestsDuring };
};

describe('payments.refresh-payment', () => {
  it('takes in what happened at the gateway itself: a refund, a dispute and its end', async () => {
    const { account, latest, pay, run, webhook, paymentService, ledger, emitted } = await setup();
    const { id, gatewayReference } = await pay();
    const reference = gatewayReference ?? '';
    engine.refund(account, reference, { reference: 'by hand', amount: 500, currency: 'EUR', slow: false });
    expect(await run(refreshPayment, webhook(latest()))).toBe('done');
    engine.dispute(account, reference, 700);
    await run(refreshPayment, webhook(latest()));
    expect(await paymentService.get(acme, id)).toMatchObject({ refunded: 500, disputed: 700 });
    const dispute = engine.find(account, reference).disputes[0]?.id ?? '';
    engine.closeDispute(account, reference, dispute, 'lost');
    await run(refreshPayment, webhook(latest()));
    expect(await ledger.balance(acme, 'test:gateway:acmepay:pending@EUR')).toBe(2_500 - 60 - 500 - 700);
    expect(await ledger.balance(acme, 'test:losses:disputes@EUR')).toBe(700);
    expect((await emitted()).map(({ type }) => type).sort()).toEqual([
      'payments.dispute.lost',
      'payments.payment.disputed',
      'payments.payment.refunded',
      'payments.payment.succeeded',
    ]);
    expect((await paymentService.refund(acme, id, {})).amount).toBe(1_300);
  });

  it('asks the gateway once for many events of one payment that were queued', async () => {
    const { account, latest, pay, run, webhook, requestsDuring } = await setup();
    const { gatewayReference } = await pay();
    const queued = [100, 200, 300].map((amount) => {
      engine.refund(account, gatewayReference ?? '', { reference: `r${amount}`, amount, currency: 'EUR', slow: false });
      return webhook(latest());
    });
    clock.advance(10_000);
    const asked = await requestsDuring(async () => {
      for (const event of queued) expect(await run(refreshPayment, event)).toBe('done');
    });
    expect(asked).toBe(1);
  });

  it('leaves a gateway alone that asks for it, and comes back later', async () => {
    const { account, latest, pay, run, webhook, requestsDuring, paymentService } = await setup();
    const { id, gatewayReference } = await pay();
    const reference = gatewayReference ?? '';
    engine.refund(account, reference, { reference: 'r', amount: 100, currency: 'EUR', slow: false });
    sandbox.fail({ on: 'retrieve', kind: 'rate-limit', retryAfter: 30 });
    const event = webhook(latest());
    expect(await run(refreshPayment, event)).toBe('retry');
    expect(await requestsDuring(() => run(refreshPayment, event))).toBe(0);
    clock.advance(31_000);
    expect(await run(refreshPayment, event)).toBe('done');
    expect(await paymentService.get(acme, id)).toMatchObject({ refunded: 100 });
  });

  it('marks what is deleted at the gateway, and keeps what was paid', async () => {
    const { account, latest, pay, run, webhook, paymentService, ledger, emitted } = await setup();
    const [paid, open] = [await pay(), await pay({ sources: [] })];
    for (const { gatewayReference } of [paid, open]) {
      engine.remove(account, gatewayReference ?? '');
      await run(refreshPayment, webhook(latest()));
    }
    expect(await paymentService.get(acme, paid.id)).toMatchObject({ status: 'captured', deleted: true });
    expect(await paymentService.get(acme, open.id)).toMatchObject({ status: 'canceled', deleted: true });
    expect(await ledger.balance(acme, 'test:customers:unapplied@EUR')).toBe(2_500);
    expect((await emitted()).map(({ type }) => type).sort()).toEqual([
      'payments.payment.failed',
      'payments.payment.succeeded',
    ]);
  });

  it('keeps aside what is no payment of ours, until it expires', async () => {
    const { account, latest, run, webhook, paymentService, ledger } = await setup();
    engine.create(account, {
      reference: 'made by hand',
      amount: 900,
      currency: 'EUR',
      capture_method: 'automatic',
      off_session: false,
      payment_method: 'pm_card_ok',
      metadata: { tenant: 'rival' },
    });
    const event = webhook(latest());
    expect(await run(refreshPayment, event)).toBe('done');
    await run(refreshPayment, { ...event, id: 'whk_again' });
    const { items } = await paymentService.parked(acme, { limit: 10 });
    expect(items).toMatchObject([{ gateway: 'acmepay', account: 'acmepay-test' }]);
    expect((await ledger.entries(acme, { limit: 10 })).items).toEqual([]);
    clock.advance(31 * 86_400_000);
    expect((await paymentService.parked(acme, { limit: 10 })).items).toEqual([]);
  });

  it('does nothing for an event of another mode, another account, or another tenant', async () => {
    const { account, latest, pay, run, webhook, paymentService, requestsDuring } = await setup();
    const { id, gatewayReference } = await pay();
    engine.refund(account, gatewayReference ?? '', { reference: 'r', amount: 100, currency: 'EUR', slow: false });
    const event = latest();
    const asked = await requestsDuring(async () => {
      await run(refreshPayment, webhook({ ...event, id: 'e1', livemode: true }));
      await run(refreshPayment, webhook({ ...event, id: 'e2', account: 'acct_of_others' }));
      await run(refreshPayment, webhook({ ...event, id: 'e3' }, 'rival'));
    });
    expect(asked).toBe(0);
    expect(await paymentService.get(acme, id)).toMatchObject({ refunded: 0 });
  });

  it('finds a payment whose answer never came back', async () => {
    const { latest, pay, run, webhook, paymentService } = await setup();
    sandbox.fail({ on: 'create', kind: 'lose-answer' }, { on: 'find', kind: 'fail' });
    const { id, status } = await pay();
    expect(status).toBe('created');
    expect(await run(refreshPayment, webhook(latest()))).toBe('done');
    expect(await paymentService.get(acme, id)).toMatchObject({ status: 'captured', captured: 2_500 });
  });
});

describe('the balance at a gateway', () => {
  it('is the books’, and what differs is explained payment by payment', async () => {
    const { account, pay, balances, ledger, gatewayAccounts } = await setup();
    const { id, gatewayReference } = await pay();
    const epoch = '1970-01-01T00:00:00.000Z';
    expect((await balances.reconcile(acme, 'acmepay-test', epoch)).currencies).toMatchObject([
      { currency: 'EUR', gateway: 2_440, ledger: 2_440, difference: 0 },
    ]);
    engine.refund(account, gatewayReference ?? '', { reference: 'r', amount: 100, currency: 'EUR', slow: false });
    await ledger.post(acme, {
      key: 'payout:1',
      lines: [
        { account: 'test:bank:main', amount: { amount: 1_000, currency: 'EUR' } },
        { account: 'test:gateway:acmepay:pending', amount: { amount: -1_000, currency: 'EUR' } },
      ],
    });
    const differing = await balances.reconcile(acme, 'acmepay-test', epoch);
    expect(differing).toMatchObject({
      complete: true,
      currencies: [{ gateway: 2_340, ledger: 1_440, difference: 900, explained: -100, unexplained: 1_000 }],
      items: [{ payment: id, amount: -100, reason: expect.stringContaining('not booked yet: refund:') }],
    });
    expect(await gatewayAccounts.list(acme)).toMatchObject([{ healthy: true }]);
  });
});
