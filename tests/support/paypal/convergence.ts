import fc from 'fast-check';
import { expect } from 'vitest';
import { manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { createPayPalClient } from '#shared/payments/gateways/paypal.client.ts';
import { paypalGateway } from '#shared/payments/gateways/paypal.ts';
import { refreshPayment } from '#shared/payments/payments/payment.jobs.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import type { Planted } from '../convergence.ts';
import { convergenceSteps } from '../convergence-steps.ts';
import { killAt } from '../crashing.ts';
import { acme, asked, type PaymentWorld, paymentWorld } from '../payments.ts';
import { type PayPalServer, startPayPalServer } from '../paypal-server.ts';
import { PayPalRefusal } from './schema.ts';

/** What happens to an order at PayPal, whoever does it. What does not fit its state is refused there. */
const action = fc.record({
  kind: fc.constantFrom(
    ...([
      'approve',
      'approve-slowly',
      'take',
      'take',
      'capture',
      'void',
      'settle',
      'deny',
      'refund',
      'slow-refund',
      'slow-refund',
    ] as const),
    ...(['fail-refund', 'fail-refund', 'finish-refund', 'dispute', 'win', 'lose', 'lose-a-part'] as const),
  ),
  amount: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 100, max: 2_500 })),
});

/** What becomes of one event on its way. */
const fate = fc.record({
  dropped: fc.boolean(),
  copies: fc.integer({ min: 1, max: 3 }),
  late: fc.integer({ min: 0, max: 4 }),
  /** At which of its calls the first worker dies; 0 where none does. */
  dies: fc.integer({ min: 0, max: 16 }),
  when: fc.constantFrom('before' as const, 'after' as const),
  place: fc.integer(),
});

const story = fc.record({
  capture: fc.constantFrom('automatic' as const, 'manual' as const),
  /** Krona are changed into euros, which is all that the account has. */
  currency: fc.constantFrom('EUR' as const, 'SEK' as const),
  fees: fc.record({ feesThere: fc.boolean(), feesBack: fc.boolean() }),
  /** Most orders are agreed to and taken before anything else can happen to them. */
  paid: fc.constantFrom(true, true, false),
  actions: fc.array(action, { maxLength: 8 }),
  fates: fc.array(fate, { minLength: 40, maxLength: 40 }),
});
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;
type Action = Story['actions'][number];

const act = async (server: PayPalServer, client: string, id: string, { kind, amount }: Action): Promise<void> => {
  const { currency_code: currency } = server.find(id).amount;
  const { baseUrl, clientSecret } = server;
  const options = { clientId: client, clientSecret, livemode: false, clock: manualClock(), baseUrl };
  const gateway = paypalGateway({ client: createPayPalClient(options) });
  const acts: Readonly<Record<Action['kind'], () => unknown>> = {
    approve: () => server.approve(id),
    'approve-slowly': () => server.approve(id, 'pending'),
    // As by an instance that dies before it has kept the answer.
    take: () => gateway.confirm(id, `${id}:confirm`),
    capture: () => gateway.capture(id, { amount, currency }, `${id}:capture:${amount}`),
    void: () => gateway.cancel(id, `${id}:cancel`),
    settle: () => server.settle(id, true),
    deny: () => server.settle(id, false),
    refund: () => server.refundByHand(id, amount),
    'slow-refund': () => server.refundByHand(id, amount, true),
    'fail-refund': () => server.failRefund(id),
    'finish-refund': () => server.finishRefund(id),
    dispute: () => server.dispute(id, amount),
    win: () => server.closeDispute(id, 'RESOLVED_SELLER_FAVOUR'),
    lose: () => server.closeDispute(id, 'RESOLVED_BUYER_FAVOUR'),
    'lose-a-part': () => server.closeDispute(id, 'RESOLVED_BUYER_FAVOUR', 50),
  };
  try {
    await acts[kind]();
  } catch (error) {
    const isRefused = error instanceof PayPalRefusal || (error instanceof Error && error.name === 'OmniError');
    if (!isRefused) throw error;
  }
};

/** One server for all runs; each has a merchant of its own. */
export const openPayPalConvergence = async ({ driver: faulty = (one) => one, gateway: told }: Planted = {}) => {
  const clock = manualClock();
  const server = await startPayPalServer({ clock });
  const { until, ending, reconcile } = convergenceSteps(clock);
  let runs = 0;

  const worldOn = (driver: Driver, step?: <R>(call: () => Promise<R>) => Promise<R>): PaymentWorld =>
    paymentWorld({
      database: databaseOn(faulty(driver), { now: clock.now }),
      clock,
      paypal: server,
      ...(step && { step }),
      ...(told && { named: (_name, gateway) => told(gateway) }),
    });

  /** What PayPal owes by the books: what it holds back for disputes included. */
  const bookedBy = async (world: PaymentWorld, currency: string): Promise<number> => {
    const { items } = await world.ledger.accounts(acme, { limit: 50 });
    return items
      .filter((one) => one.currency === currency)
      .filter(({ name }) => name === 'test:gateway:paypal:pending' || name === 'test:disputes:paypal')
      .reduce((sum, { balance }) => sum + balance, 0);
  };

  const run = async ({ capture, currency, fees, paid, actions, fates }: Story): Promise<void> => {
    runs += 1;
    const client = `client-${runs}`;
    const drivers = [embeddedDriver(), embeddedDriver()] as const;
    const [inOrder, shuffled] = [worldOn(drivers[0]), worldOn(drivers[1])];
    const request = asked({ reference: `story-${runs}`, capture, currency, sources: [{ gateway: 'paypal' }] });
    for (const world of [inOrder, shuffled]) await world.connectPayPal(client);
    const { id, gatewayReference } = await inOrder.paymentService.create(acme, request);
    await shuffled.paymentService.create(acme, request);
    const merchant = server.merchantOf(client);
    server.keepOnly(merchant, { into: 'EUR', ...fees });
    const events = () => server.events.filter((event) => event.merchant === merchant);

    let known = 0;
    const due: { readonly event: DomainEvent; readonly at: number; readonly how: Story['fates'][number] }[] = [];
    const deliverDue = async (step: number): Promise<void> => {
      for (const one of due.filter(({ at }) => at <= step).sort((a, b) => a.how.place - b.how.place)) {
        due.splice(due.indexOf(one), 1);
        const { dies, when } = one.how;
        if (dies > 0) {
          const killer = killAt(dies, when);
          const dying = worldOn(killer.driver(drivers[1]), killer.step);
          await dying.run(refreshPayment, one.event).catch(() => undefined);
        }
        await until(shuffled, () => shuffled.run(refreshPayment, one.event));
      }
    };
    const take = async (step: number): Promise<void> => {
      for (const event of events().slice(known)) {
        const how = fates[known % fates.length];
        known += 1;
        await until(inOrder, () => inOrder.run(refreshPayment, inOrder.paypalWebhook(event)));
        if (how === undefined || how.dropped) continue;
        const published = shuffled.paypalWebhook(event);
        for (let copy = 0; copy < how.copies; copy += 1)
          due.push({ event: published, at: step + how.late + copy, how });
      }
      await deliverDue(step);
    };
    const first: readonly Action[] = paid
      ? [
          { kind: 'approve', amount: 0 },
          { kind: 'take', amount: 0 },
          { kind: 'capture', amount: 2_500 },
        ]
      : [];
    for (const [step, one] of [...first, ...actions].entries()) {
      clock.advance(10_000);
      await act(server, client, gatewayReference ?? '', one);
      await take(step);
    }
    clock.advance(900_000);
    await deliverDue(Number.MAX_SAFE_INTEGER);
    // What was dropped is found by reconciliation.
    for (const world of [inOrder, shuffled]) await reconcile(world, 1);
    const [expected, actual] = [await ending(inOrder, id), await ending(shuffled, id)];
    expect(actual).toEqual(expected);
    expect(expected.trial).toBe(0);
    expect(new Set(actual.told).size).toBe(actual.told.length);
    expect([...server.orders.values()].filter((order) => order.merchant === merchant)).toHaveLength(1);
    const krona = await shuffled.ledger.trialBalance(acme, { currency: 'SEK', book: 'test', limit: 50 });
    expect(krona.difference).toBe(0);
    const isWaiting = [...server.orders.values()].some(
      (order) =>
        order.merchant === merchant &&
        order.disputes.some(({ status }) => status === 'OPEN') &&
        order.refunds.length > 0,
    );
    // While a dispute is open, what was given back since waits for its end. What was changed of it has moved all the same.
    for (const one of isWaiting ? ['EUR'].filter((euro) => euro !== currency) : ['EUR', 'SEK']) {
      expect([one, await bookedBy(shuffled, one)]).toEqual([one, server.balances(merchant).get(one)?.total ?? 0]);
    }
  };

  return { story, run, close: server.stop };
};
