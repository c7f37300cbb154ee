import fc from 'fast-check';
import { expect } from 'vitest';
import { type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { type AcmePaySandbox, startAcmePaySandbox } from '#shared/payments/acmepay-sandbox/acmepay-sandbox.ts';
import type { SandboxAccount } from '#shared/payments/acmepay-sandbox/sandbox.book.ts';
import type { AcmeEvent } from '#shared/payments/acmepay-sandbox/sandbox.schema.ts';
import type { Gateway } from '#shared/payments/gateways/gateway.ts';
import { refreshPayment } from '#shared/payments/payments/payment.jobs.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { convergenceSteps } from './convergence-steps.ts';
import { killAt } from './crashing.ts';
import { acme, asked, type PaymentWorld, paymentWorld } from './payments.ts';

/** What happens to a payment at the gateway, whoever does it. What does not fit its state is refused there. */
const action = fc.oneof(
  fc
    .constantFrom('approve', 'deny', 'cancel', 'wait', 'win', 'lose', 'fail-refund')
    .map((kind) => ({ kind, amount: 0 })),
  fc.record({
    kind: fc.constantFrom('capture', 'refund', 'slow-refund', 'dispute'),
    amount: fc.integer({ min: 100, max: 2_500 }),
  }),
);

const methods = [
  'pm_card_ok',
  'pm_card_challenge',
  'pm_card_delayed',
  'pm_card_delayed_failure',
  'pm_card_disputed',
  'pm_card_declined',
];

/** What becomes of one event on its way. */
const fate = fc.record({
  dropped: fc.boolean(),
  copies: fc.integer({ min: 1, max: 3 }),
  /** Steps of the story that it is late. */
  late: fc.integer({ min: 0, max: 4 }),
  /** At which of its calls the first worker dies; 0 where none does. */
  dies: fc.integer({ min: 0, max: 24 }),
  when: fc.constantFrom('before' as const, 'after' as const),
  place: fc.integer(),
});

const story = fc.record({
  capture: fc.constantFrom('automatic' as const, 'manual' as const),
  method: fc.constantFrom(...methods),
  actions: fc.array(action, { maxLength: 8 }),
  fates: fc.array(fate, { minLength: 40, maxLength: 40 }),
});
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

const act = (
  { engine }: AcmePaySandbox,
  clock: ManualClock,
  account: SandboxAccount,
  id: string,
  { kind, amount }: Story['actions'][number],
): void => {
  const payment = engine.find(account, id);
  const { currency } = payment;
  const dispute = payment.disputes.find(({ status }) => status === 'open')?.id ?? '';
  const refund = payment.refunds.find(({ status }) => status === 'pending')?.id ?? '';
  const acts: Readonly<Record<string, () => unknown>> = {
    approve: () => engine.act(id, 'approve'),
    deny: () => engine.act(id, 'deny'),
    cancel: () => engine.cancel(account, id),
    wait: () => clock.advance(61_000),
    win: () => engine.closeDispute(account, id, dispute, 'won'),
    lose: () => engine.closeDispute(account, id, dispute, 'lost'),
    'fail-refund': () => (refund === '' ? undefined : engine.failRefund(account, id, refund)),
    capture: () => engine.capture(account, id, { amount, currency }),
    refund: () => engine.refund(account, id, { reference: `dash-${amount}`, amount, currency, slow: false }),
    'slow-refund': () => engine.refund(account, id, { reference: `slow-${amount}`, amount, currency, slow: true }),
    dispute: () => engine.dispute(account, id, amount),
  };
  try {
    acts[kind]?.();
  } catch {
    // The gateway refuses what does not fit the payment's state.
  }
  engine.settleAll();
};

/** A bug that is planted in every world of a run, to see that the property finds it. */
export interface Planted {
  readonly driver?: (driver: Driver) => Driver;
  readonly gateway?: (gateway: Gateway) => Gateway;
}

/** One sandbox for all runs; each has an account and clocks of its own. */
export const openConvergence = async ({ driver: faulty = (one) => one, gateway: told }: Planted = {}) => {
  const clock = manualClock();
  const sandbox = await startAcmePaySandbox({ clock, settleAfter: 60 });
  const { engine } = sandbox;
  const { until, ending, reconcile } = convergenceSteps(clock);

  const worldOn = (driver: Driver, step?: <R>(call: () => Promise<R>) => Promise<R>) =>
    paymentWorld({
      database: databaseOn(faulty(driver), { now: clock.now }),
      clock,
      sandbox,
      ...(step && { step }),
      ...(told && { named: (_name, gateway) => told(gateway) }),
    });

  const run = async ({ capture, method, actions, fates }: Story): Promise<void> => {
    const account = sandbox.open();
    const drivers = [embeddedDriver(), embeddedDriver()] as const;
    const [inOrder, shuffled] = [worldOn(drivers[0]), worldOn(drivers[1])];
    const sources = [{ gateway: 'acmepay', paymentMethod: method }];
    const request = asked({ reference: 'story', capture, sources });
    for (const world of [inOrder, shuffled]) await world.connect(account.secretKey);
    const { id, gatewayReference } = await inOrder.paymentService.create(acme, request);
    await shuffled.paymentService.create(acme, request);

    const known: AcmeEvent[] = [];
    const due: { readonly event: DomainEvent; readonly at: number; readonly how: Story['fates'][number] }[] = [];
    const deliverDue = async (step: number): Promise<void> => {
      const now = due.filter(({ at }) => at <= step).sort((a, b) => a.how.place - b.how.place);
      for (const delivery of now) {
        due.splice(due.indexOf(delivery), 1);
        const { dies, when } = delivery.how;
        if (dies > 0) {
          const killer = killAt(dies, when);
          await worldOn(killer.driver(drivers[1]), killer.step)
            .run(refreshPayment, delivery.event)
            .catch(() => undefined);
        }
        await until(shuffled, () => shuffled.run(refreshPayment, delivery.event));
      }
    };
    const take = async (step: number): Promise<void> => {
      engine.settleAll();
      for (const event of engine.events(account).slice(known.length)) {
        const how = fates[known.length % fates.length];
        known.push(event);
        await until(inOrder, () => inOrder.run(refreshPayment, inOrder.webhook(event)));
        if (how === undefined || how.dropped) continue;
        const published = shuffled.webhook(event);
        for (let copy = 0; copy < how.copies; copy += 1)
          due.push({ event: published, at: step + how.late + copy, how });
      }
      await deliverDue(step);
    };
    let step = 0;
    await take(step);
    for (const one of actions) {
      step += 1;
      clock.advance(10_000);
      act(sandbox, clock, account, gatewayReference ?? '', one);
      await take(step);
    }
    clock.advance(120_000);
    await take(step + 1);
    await deliverDue(Number.MAX_SAFE_INTEGER);
    // What was dropped is found by reconciliation. Its clock is a while later.
    clock.advance(900_000);
    await take(step + 2);
    await deliverDue(Number.MAX_SAFE_INTEGER);
    await reconcile(shuffled, 1);
    const [expected, actual] = [await ending(inOrder, id), await ending(shuffled, id)];
    expect(actual).toEqual(expected);
    expect(expected.trial).toBe(0);
    expect(new Set(actual.told).size).toBe(actual.told.length);
    expect(engine.list(account, 0)).toHaveLength(1);
    await requireBooked(inOrder, account, expected.facts.length);
  };

  /** The books say what the gateway says that it owes. */
  const requireBooked = async (world: PaymentWorld, account: SandboxAccount, facts: number): Promise<void> => {
    if (facts === 0) return;
    const { items } = await world.ledger.accounts(acme, { limit: 50 });
    const pending = items.find(({ name }) => name === 'test:gateway:acmepay:pending')?.balance ?? 0;
    expect(pending).toBe(engine.balances(account).get('EUR') ?? 0);
  };

  return { story, run, close: sandbox.stop };
};
