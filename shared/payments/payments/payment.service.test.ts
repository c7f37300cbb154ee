import { afterAll, describe, expect, it } from 'vitest';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { acme, asked, type PaymentWorldOptions, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';
import type { Gateway } from '../gateways/gateway.ts';
import { paymentSweep, refreshDuePayment, sweepPayments } from './payment.jobs.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());

const setup = async (change: Partial<PaymentWorldOptions> = {}) => {
  const database = change.database ?? databaseOn(embeddedDriver(), {});
  const account = sandbox.open();
  const world = paymentWorld({ database, clock, sandbox, ...change });
  await world.connect(account.secretKey);
  const charges = () => sandbox.engine.list(account, 0);
  return { ...world, database, account, charges };
};

describe('a payment', () => {
  it('is charged, booked and told once', async () => {
    const { paymentService, charges, ledger, emitted } = await setup();
    const payment = await paymentService.create(acme, asked({ reference: 'order-1', customer: 'c-1' }));
    expect(payment).toMatchObject({ status: 'captured', captured: 2_500, gateway: 'acmepay', fee: { amount: 60 } });
    expect(payment.routing.because).toContain('acmepay-test');
    expect(charges()).toHaveLength(1);
    expect(await ledger.balance(acme, 'test:gateway:acmepay:pending@EUR')).toBe(2_440);
    expect(await ledger.balance(acme, 'test:customers:unapplied@EUR')).toBe(2_500);
    expect((await emitted()).map(({ type }) => type)).toEqual(['payments.payment.succeeded']);
    expect((await paymentService.timeline(acme, payment.id)).map(({ key }) => key)).toEqual([
      'captured:2500',
      'fee:EUR:60',
    ]);
  });

  it('waits for its payer, and is taken when they come back', async () => {
    const { paymentService } = await setup();
    const made = await paymentService.create(acme, asked({ sources: [] }));
    expect(made).toMatchObject({ status: 'requires-action', nextAction: { kind: 'redirect' } });
    const { gatewayReference } = made;
    sandbox.engine.act(gatewayReference ?? '', { card: 'pm_card_ok' });
    expect(await paymentService.confirm(acme, made.id)).toMatchObject({ status: 'captured', nextAction: null });
  });

  it('is held, captured in part, and paid back, never more than there is', async () => {
    const { paymentService, ledger } = await setup();
    const { id } = await paymentService.create(acme, asked({ capture: 'manual' }));
    await expect(paymentService.refund(acme, id, {})).rejects.toMatchObject({ code: 'precondition-failed' });
    await expect(paymentService.capture(acme, id, 2_501)).rejects.toMatchObject({ code: 'precondition-failed' });
    expect(await paymentService.capture(acme, id, 2_000)).toMatchObject({ status: 'captured', captured: 2_000 });
    expect(await paymentService.capture(acme, id, 2_000)).toMatchObject({ status: 'captured' });
    expect(await paymentService.refund(acme, id, { amount: 500, reference: 'r1' })).toMatchObject({
      status: 'succeeded',
    });
    expect(await paymentService.refund(acme, id, { amount: 500, reference: 'r1' })).toMatchObject({
      status: 'succeeded',
    });
    await expect(paymentService.refund(acme, id, { amount: 1_501 })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect(await paymentService.refund(acme, id, {})).toMatchObject({ amount: 1_500 });
    expect(await paymentService.get(acme, id)).toMatchObject({ captured: 2_000, refunded: 2_000 });
    expect(await ledger.balance(acme, 'test:customers:unapplied@EUR')).toBe(0);
    await expect(paymentService.cancel(acme, id)).rejects.toMatchObject({ code: 'precondition-failed' });
  });

  it('is given up', async () => {
    const { paymentService, emitted } = await setup();
    const { id } = await paymentService.create(acme, asked({ capture: 'manual' }));
    expect(await paymentService.cancel(acme, id)).toMatchObject({ status: 'canceled' });
    expect(await paymentService.cancel(acme, id)).toMatchObject({ status: 'canceled' });
    expect((await emitted()).map(({ type }) => type)).toEqual(['payments.payment.canceled']);
  });

  it('fails with the reason of the bank', async () => {
    const { paymentService, emitted } = await setup();
    const sources = [{ gateway: 'acmepay', paymentMethod: 'pm_card_insufficient_funds' }];
    expect(await paymentService.create(acme, asked({ sources }))).toMatchObject({
      status: 'failed',
      decline: 'insufficient-funds',
    });
    expect((await emitted())[0]).toMatchObject({ type: 'payments.payment.failed' });
  });

  it('is one for each reference, and no other may have it', async () => {
    const { paymentService, charges } = await setup();
    const one = await paymentService.create(acme, asked({ reference: 'order-1' }));
    expect((await paymentService.create(acme, asked({ reference: 'order-1' }))).id).toBe(one.id);
    await expect(paymentService.create(acme, asked({ reference: 'order-1', amount: 1 }))).rejects.toMatchObject({
      code: 'idempotency-mismatch',
    });
    expect(charges()).toHaveLength(1);
  });

  it('is of the test mode in a sandbox, whose live accounts are refused', async () => {
    const { paymentService, gatewayAccounts, account } = await setup({ isSandbox: true });
    expect(await paymentService.create(acme, asked({ mode: undefined }))).toMatchObject({ mode: 'test' });
    await expect(paymentService.create(acme, asked({ mode: 'live' }))).rejects.toMatchObject({ code: 'forbidden' });
    const credentials = { secretKey: account.secretKey };
    const settings = { enabled: true, cost: { basisPoints: 0, fixed: 0 }, countries: [] };
    const live = { gateway: 'acmepay', mode: 'live', credentials, ...settings } as const;
    await expect(gatewayAccounts.connect(acme, live)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('is refused where no gateway can take it, with the reasons, and nothing is kept', async () => {
    const { paymentService, gatewayAccounts } = await setup();
    await expect(paymentService.create(acme, asked({ currency: 'KPW' }))).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('does not take KPW'),
    });
    await expect(paymentService.create(acme, asked({ mode: 'live' }))).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect((await paymentService.list(acme, { limit: 10 })).items).toEqual([]);
    expect(await gatewayAccounts.list(acme)).toMatchObject([{ id: 'acmepay-test' }]);
  });
});

describe('nobody is charged twice', () => {
  it('of twenty who ask at once, at two instances on Firestore', async () => {
    const database = testDatabase();
    const { paymentService, charges, account } = await setup({ database });
    const other = paymentWorld({ database, clock, sandbox }).paymentService;
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 ? other : paymentService).create(acme, asked({ reference: 'order-1' })),
      ),
    );
    const made = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(made).toHaveLength(20);
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    expect(charges()).toMatchObject([{ status: 'captured', account: account.id }]);
    expect(await paymentService.get(acme, made[0]?.id ?? '')).toMatchObject({ status: 'captured' });
  });

  it.each(['lose-answer', 'stall-after', 'nonsense'] as const)(
    'when the gateway charges and then does this: %s',
    async (kind) => {
      const { paymentService, charges } = await setup();
      sandbox.fail({ on: 'create', kind });
      const payment = await paymentService.create(acme, asked({ reference: 'order-1' }));
      expect(payment.status).toBe('captured');
      expect(charges()).toHaveLength(1);
    },
  );

  it('when it can not be asked either, by retries of the client, of the job, and of another instance', async () => {
    const world = await setup();
    const { paymentService, charges, makeEvent, watches, emitted, run, database } = world;
    sandbox.fail({ on: 'create', kind: 'lose-answer' }, { on: 'find', kind: 'fail' });
    const payment = await paymentService.create(acme, asked({ reference: 'order-1' }));
    expect(payment.status).toBe('created');
    clock.advance(180_000);
    await run(
      sweepPayments,
      makeEvent(paymentSweep.event, { tenant: platformTenant, subject: 'tick', data: { schedule: 'payments-sweep' } }),
    );
    const due = (await emitted()).find(({ type }) => type === 'payments.refresh.due');
    if (due === undefined) throw new Error('Nothing is due.');
    const other = paymentWorld({ database, clock, sandbox });
    await Promise.all([
      other.run(refreshDuePayment, due),
      paymentService.create(acme, asked({ reference: 'order-1' })),
      other.paymentService.create(acme, asked({ reference: 'order-1' })),
    ]);
    expect(await paymentService.get(acme, payment.id)).toMatchObject({ status: 'captured' });
    expect(charges()).toHaveLength(1);
    expect((await watches.query({ limit: 10 })).items).toEqual([]);
  });

  it('wherever the process dies, and its client asks again', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; ; at += 1) {
        const driver = embeddedDriver();
        const { paymentService, charges, ledger, emitted } = await setup({ database: databaseOn(driver, {}) });
        const killer = killAt(at, when);
        const dying = paymentWorld({
          database: databaseOn(killer.driver(driver), {}),
          clock,
          sandbox,
          step: killer.step,
        });
        await dying.paymentService.create(acme, asked({ reference: 'order-1' })).catch(() => undefined);
        clock.advance(61_000);
        const payment = await paymentService.create(acme, asked({ reference: 'order-1' }));
        expect(payment.status).toBe('captured');
        expect(charges()).toHaveLength(1);
        expect(await ledger.balance(acme, 'test:customers:unapplied@EUR')).toBe(2_500);
        expect((await emitted()).map(({ type }) => type)).toEqual(['payments.payment.succeeded']);
        if (killer.calls() < at) break;
      }
    }
  });

  it('nor paid back twice, by twenty at once and a lost answer', async () => {
    const { paymentService, charges } = await setup();
    const { id } = await paymentService.create(acme, asked());
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    const same = { amount: 1_000, reference: 'r1' };
    await Promise.allSettled(Array.from({ length: 20 }, () => paymentService.refund(acme, id, same)));
    await paymentService.refund(acme, id, same);
    expect(charges()[0]?.refunds).toMatchObject([{ amount: 1_000, status: 'succeeded' }]);
    const more = await Promise.allSettled(
      Array.from({ length: 20 }, () => paymentService.refund(acme, id, { amount: 600 })),
    );
    expect(more.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(2);
    expect(charges()[0]?.refunds.reduce((sum, { amount }) => sum + amount, 0)).toBeLessThanOrEqual(2_500);
  });
});

describe('routing', () => {
  /** Two gateways: the second is AcmePay under another name, with an account of its own. */
  const two = async () => {
    const named: PaymentWorldOptions['named'] = (name, gateway): Gateway => ({ ...gateway, name });
    const world = await setup({ named });
    const second = sandbox.open();
    await world.connect(second.secretKey, 'stripe');
    return { ...world, second, secondCharges: () => sandbox.engine.list(second, 0) };
  };
  const both = [
    { gateway: 'acmepay', paymentMethod: 'pm_card_ok' },
    { gateway: 'stripe', paymentMethod: 'pm_card_ok' },
  ];
  const rule = { name: 'Rule', priority: 1, enabled: true, others: false } as const;

  it('goes to the cheapest, unless a rule says otherwise, and says why', async () => {
    const { paymentService, gatewayAccounts, routingRules } = await two();
    const settings = { enabled: true, countries: [] };
    await gatewayAccounts.update(acme, 'acmepay-test', { ...settings, cost: { basisPoints: 300, fixed: 30 } });
    await gatewayAccounts.update(acme, 'stripe-test', { ...settings, cost: { basisPoints: 150, fixed: 25 } });
    const cheap = await paymentService.route(acme, asked({ sources: both }));
    expect(cheap.candidates.map(({ account, cost }) => [account, cost])).toEqual([
      ['stripe-test', 63],
      ['acmepay-test', 105],
    ]);
    const { id } = await routingRules.create(acme, { ...rule, currencies: ['EUR'], gateways: ['acmepay'] });
    const ruled = await paymentService.create(acme, asked({ sources: both }));
    expect(ruled).toMatchObject({ gateway: 'acmepay', routing: { rule: id } });
    expect(ruled.routing.candidates[1]).toMatchObject({
      eligible: false,
      reasons: ['is not named by the routing rule'],
    });
    const dollars = await paymentService.route(acme, asked({ sources: both, currency: 'USD' }));
    expect(dollars.candidates[0]?.account).toBe('stripe-test');
  });

  it('holds rules by amount and country', async () => {
    const { paymentService, routingRules } = await two();
    await routingRules.create(acme, { ...rule, countries: ['DE'], minAmount: 1_000, gateways: ['stripe'] });
    const first = async (change: object) =>
      (await paymentService.route(acme, asked({ sources: both, ...change }))).candidates[0]?.account;
    expect(await first({ country: 'DE' })).toBe('stripe-test');
    expect(await first({ country: 'DE', amount: 999 })).toBe('acmepay-test');
    expect(await first({ country: 'FR' })).toBe('acmepay-test');
    expect(await first({})).toBe('acmepay-test');
  });

  it('goes on to the next gateway after a refusal that is certain', async () => {
    const { paymentService, charges, secondCharges } = await two();
    sandbox.fail({ on: 'create', kind: 'rate-limit', retryAfter: 60 });
    const payment = await paymentService.create(acme, asked({ sources: both }));
    expect(payment).toMatchObject({ status: 'captured', gateway: 'stripe' });
    expect([charges().length, secondCharges().length]).toEqual([0, 1]);
  });

  it('never goes on where the outcome is not known', async () => {
    const { paymentService, charges, secondCharges } = await two();
    sandbox.fail({ on: 'create', kind: 'lose-answer' }, { on: 'find', kind: 'stall' });
    const payment = await paymentService.create(acme, asked({ sources: both, reference: 'order-1' }));
    expect(payment).toMatchObject({ status: 'created', gateway: 'acmepay' });
    // Refused this time; but the first call may have charged, and it has.
    sandbox.fail({ on: 'find', kind: 'fail' }, { on: 'create', kind: 'rate-limit' });
    const again = await paymentService
      .create(acme, asked({ sources: both, reference: 'order-1' }))
      .catch((error: unknown) => error);
    if (again instanceof Error) expect(isOmniError(again)).toBe(true);
    clock.advance(120_000);
    const end = await paymentService.create(acme, asked({ sources: both, reference: 'order-1' }));
    expect(end).toMatchObject({ status: 'captured', gateway: 'acmepay' });
    expect([charges().length, secondCharges().length]).toEqual([1, 0]);
  });
});
