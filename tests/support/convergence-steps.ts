import type { ManualClock } from '#shared/kernel/clock.ts';
import { type DomainEvent, platformTenant } from '#shared/kernel/event.ts';
import {
  fanOutReconciliation,
  paymentReconciliation,
  paymentSweep,
  reconcileAccount,
  refreshDuePayment,
  startReconciliation,
  sweepPayments,
} from '#shared/payments/payments/payment.jobs.ts';
import { acme, type PaymentWorld } from './payments.ts';

/** What a run of events in order and a run of them in disorder have in common, whatever the gateway. */
export const convergenceSteps = (clock: ManualClock) => {
  const until = async (world: PaymentWorld, work: () => Promise<string>): Promise<void> => {
    for (let i = 0; i < 30; i += 1) {
      const outcome = await work();
      if (outcome === 'done' || outcome === 'duplicate') return;
      // A dead worker's lease ends.
      clock.advance(80_000);
    }
    throw new Error(`The worker of ${String(world.clock.now())} never got through.`);
  };

  /** The state, without when and by whom it was found out. */
  const ending = async (world: PaymentWorld, id: string) => {
    const stored = await world.payments.of('acme').get(id);
    if (stored === undefined) throw new Error('The payment is gone.');
    const { syncedAt: _s, updatedAt: _u, attempts: _a, facts, refunds, createdAt: _c, ...rest } = stored.value;
    const { items } = await world.ledger.entries(acme, { limit: 1_000 });
    const entries = items.map(({ transaction, account, amount }) => `${transaction} ${account} ${amount}`).sort();
    const told = (await world.emitted()).filter(({ type }) => /^payments\.(payment|refund|dispute)\./.test(type));
    return {
      rest,
      refunds: refunds.map(({ createdAt: _, ...refund }) => refund).sort((a, b) => (a.id < b.id ? -1 : 1)),
      facts: facts.map(({ key }) => key).sort(),
      entries,
      trial: (await world.ledger.trialBalance(acme, { currency: 'EUR', book: 'test', limit: 50 })).difference,
      told: told.map(({ id: event, type, data }) => `${event} ${type} ${JSON.stringify(data)}`).sort(),
    };
  };

  /** Sweep and reconciliation, as their timers start them, until they have nothing more to do. */
  const reconcile = async (world: PaymentWorld, round: number): Promise<void> => {
    const jobs = [sweepPayments, startReconciliation, fanOutReconciliation, reconcileAccount, refreshDuePayment];
    const tick = (schedule: typeof paymentSweep) =>
      world.makeEvent(schedule.event, {
        id: `tick_${round}_${schedule.name}`,
        tenant: platformTenant,
        subject: 'tick',
        data: { schedule: schedule.name },
      });
    const queue: DomainEvent[] = [tick(paymentSweep), tick(paymentReconciliation)];
    const seen = new Set((await world.emitted()).map(({ id }) => id));
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      const current = event;
      for (const job of jobs.filter(({ eventTypes }) => eventTypes.includes(current.type))) {
        await until(world, () => world.run(job, current));
      }
      for (const fresh of await world.emitted()) {
        if (!seen.has(fresh.id)) queue.push(fresh);
        seen.add(fresh.id);
      }
    }
  };

  return { until, ending, reconcile };
};
