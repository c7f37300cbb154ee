import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { killAt } from '#tests/support/crashing.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { billingDue } from './billing.events.ts';
import { billDue } from './billing-run.jobs.ts';
import { subscriptionAfter } from './collection.ts';
import { newMeterSchema } from './meter.schema.ts';

const seats = { model: 'per-unit', unitAmount: 2_900 };
/** 0.10 a call, and at least 5.00 a period. */
const calls = { model: 'per-unit', unitAmount: 10, minimum: 500 };

/** A seat and calls from the time given, in April 2026; usage is waited for one hour. */
const open = async (from = '2026-04-01T00:00:00.000Z', driver: Driver = embeddedDriver()) => {
  const clock = manualClock(from);
  const world = billingOn(databaseOn(driver, { now: clock.now }), { clock });
  const actor = await world.tenant({ paymentTermDays: 90 });
  const { tenant } = actor;
  await world.usage.createMeter(actor, newMeterSchema.parse({ id: 'calls', aggregation: 'sum' }));
  const seat = await world.price(actor, seats);
  const metered = await world.price(actor, calls, { meter: 'calls' }, { name: 'Calls' });
  const customer = await world.customer(actor);
  const items = [{ price: seat.id }, { price: metered.id }];
  const { subscription } = await world.subscribe(actor, { customer: customer.id, items });
  const { id } = subscription;
  const store = world.subscriptions.of(tenant);
  const at = (time: string) => clock.set(Date.parse(time));
  const use = (value: number, time: string) =>
    world.usage.record(actor, [{ id: `${time}:${value}`, customer: customer.id, meter: 'calls', at: time, value }]);
  const due = (run: string) =>
    world.makeEvent(billingDue, { id: `run:${run}`, tenant, subject: tenant, data: { run, page: 0 } });
  const until = async (time: string): Promise<void> => {
    at(time);
    await world.drain(actor, billDue, due(time));
  };
  /** What dunning does at its end. */
  const dun = async (how: 'cancel' | 'pause', time: string): Promise<void> => {
    at(time);
    const stored = await store.get(id);
    if (stored === undefined) throw new Error('It is not there.');
    const { settings, now } = await world.billingSettings.contextOf(tenant);
    const dunning = { ...settings.dunning, finally: how };
    const next = subscriptionAfter(stored.value, 'given-up', { now, settings: { ...settings, dunning } });
    await store.update(id, next);
  };
  /** Lines of each invoice after the first one, which is for the seat. */
  const billed = async () =>
    (await world.invoicesOf(actor)).slice(1).map(({ lines }) => lines.map((line) => [line.description, line.amount]));
  return { world, actor, id, customer, clock, at, use, due, until, dun, billed };
};

const april = 'Calls: 300 of calls, 2026-04-01 to 2026-04-20';

describe('a subscription that dunning', () => {
  it('cancels, is billed for what was used until then, once', async () => {
    const { world, use, until, dun, billed, due } = await open();
    await use(200, '2026-04-01T00:30:00.000Z');
    await dun('cancel', '2026-04-20T10:00:00Z');
    await use(100, '2026-04-20T09:59:00.000Z');
    await until('2026-04-20T10:59:59Z');
    expect(await billed()).toEqual([]);
    await until('2026-04-20T11:00:00Z');
    // 300 × 0.10
    expect(await billed()).toEqual([[[april, 3_000]]]);
    await Promise.all(['a', 'b', 'c'].map((run) => world.runJob(billDue, due(run), world.services)));
    await until('2026-06-20T11:00:00Z');
    expect(await billed()).toHaveLength(1);
  });

  it('pauses, is billed for what was used until then, and not for it again when it goes on', async () => {
    const { world, actor, id, use, until, dun, billed } = await open();
    await use(300, '2026-04-01T00:30:00.000Z');
    await dun('pause', '2026-04-20T10:00:00Z');
    await until('2026-04-20T11:00:00Z');
    expect(await billed()).toEqual([[[april, 3_000]]]);
    expect(await world.billingSubscriptions.get(actor, id)).toMatchObject({ status: 'paused' });
    await until('2026-05-10T08:00:00Z');
    await world.billingSubscriptions.resume(actor, id);
    expect((await billed()).slice(1)).toEqual([[['Pro (1 seat), 2026-05-10 to 2026-06-09', 2_900]]]);
  });

  it('pauses, and that goes on before it was billed, is billed for both at once', async () => {
    const { world, actor, id, use, at, dun, billed } = await open();
    await use(300, '2026-04-01T00:30:00.000Z');
    await dun('pause', '2026-04-20T23:30:00Z');
    at('2026-04-21T00:10:00Z');
    await world.billingSubscriptions.resume(actor, id);
    expect(await billed()).toEqual([
      [
        [april, 3_000],
        ['Pro (1 seat), 2026-04-21 to 2026-05-20', 2_900],
      ],
    ]);
  });

  it('cancels before its customer is erased, makes no invoice for somebody who has no name any more', async () => {
    const { world, actor, customer, use, until, dun, billed } = await open();
    await use(300, '2026-04-01T00:30:00.000Z');
    await dun('cancel', '2026-04-20T10:00:00Z');
    await world.billingCustomers.erase(actor, customer.id);
    await until('2026-04-20T11:00:00Z');
    expect(await billed()).toEqual([]);
  });

  it('cancels, is billed once, whichever call its worker dies at', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let nth = 1; ; nth += 1) {
        const inner = embeddedDriver();
        const { clock, use, dun, until, due, billed, world } = await open(undefined, inner);
        await use(300, '2026-04-01T00:30:00.000Z');
        await dun('cancel', '2026-04-20T10:00:00Z');
        clock.set(Date.parse('2026-04-20T11:00:00Z'));
        const killer = killAt(nth, when);
        const victim = billingOn(databaseOn(killer.driver(inner), { now: clock.now }), { clock });
        await world.runJob(billDue, due('doomed'), victim.services).catch(() => undefined);
        await until('2026-04-20T12:00:00Z');
        expect(await billed()).toEqual([[[april, 3_000]]]);
        if (killer.calls() < nth) break;
      }
    }
  }, 30_000);
});

describe('a subscription that is cancelled at once', () => {
  it('is billed for what was used, and later for what came late', async () => {
    const { world, actor, id, use, at, until, billed } = await open();
    await use(280, '2026-04-01T00:30:00.000Z');
    at('2026-04-20T10:00:00Z');
    await world.billingSubscriptions.cancel(actor, id, { when: 'now', refund: 'none' });
    await use(20, '2026-04-20T09:59:00.000Z');
    await until('2026-04-20T11:00:00Z');
    await until('2026-06-20T11:00:00Z');
    expect(await billed()).toEqual([
      [['Calls: 280 of calls, 2026-04-01 to 2026-04-20', 2_800]],
      [['Calls, 2026-04-01 to 2026-04-20: 300 of calls, billed as 280', 200]],
    ]);
  });

  it('makes no second invoice where nothing came late', async () => {
    const { world, actor, id, at, until, billed } = await open();
    at('2026-04-20T10:00:00Z');
    await world.billingSubscriptions.cancel(actor, id, { when: 'now', refund: 'none' });
    await until('2026-04-20T11:00:00Z');
    // Nothing was used, and a period costs 5.00 at least.
    expect(await billed()).toEqual([[['Calls: 0 of calls, 2026-04-01 to 2026-04-20', 500]]]);
  });

  it('while usage of its last period is waited for, is billed for what was used since then too', async () => {
    const { world, actor, id, use, at, billed } = await open();
    await use(300, '2026-04-01T00:30:00.000Z');
    at('2026-05-01T00:30:00Z');
    await use(7, '2026-05-01T00:10:00.000Z');
    await world.billingSubscriptions.cancel(actor, id, { when: 'now', refund: 'none' });
    const lines = (await billed()).flat();
    // 7 × 0.10 = 0.70 is less than 5.00, the least that its price costs.
    expect(lines).toEqual([
      ['Calls: 300 of calls, 2026-04-01 to 2026-04-30', 3_000],
      ['Calls: 7 of calls, 2026-05-01', 500],
    ]);
  });
});

describe('a subscription that is cancelled at the end of its period', () => {
  it('in the middle of a day, is billed for that day too', async () => {
    const { world, actor, id, use, until, billed } = await open('2026-04-01T08:00:00.000Z');
    await world.billingSubscriptions.cancel(actor, id, { when: 'period-end', refund: 'none' });
    await until('2026-05-01T07:30:00Z');
    await use(300, '2026-05-01T07:00:00.000Z');
    await until('2026-05-01T09:00:00Z');
    expect((await billed()).flat().map(([line]) => line)).toEqual([
      'Calls: 0 of calls, 2026-04-01 to 2026-04-30',
      'Calls: 300 of calls, 2026-05-01',
    ]);
  });
});
