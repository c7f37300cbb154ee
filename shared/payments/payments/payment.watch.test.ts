import { afterAll, describe, expect, it } from 'vitest';
import { acme, asked, type PaymentWorldOptions, paymentWorld } from '#tests/support/payments.ts';
import { startPayPalServer } from '#tests/support/paypal-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { paymentSweep, refreshDuePayment, refreshPayment, sweepPayments } from './payment.jobs.ts';

const clock = manualClock();
const server = await startPayPalServer({ clock });
afterAll(() => server.stop());

/** An order to which its payer was sent. PayPal's server of the tests lets none lapse. */
const waiting = async (options: Partial<PaymentWorldOptions> = {}) => {
  const database = databaseOn(embeddedDriver(), { now: clock.now });
  const world = paymentWorld({ database, clock, paypal: server, ...options });
  await world.connectPayPal('client');
  const sources = [{ gateway: 'paypal' }];
  const { id, gatewayReference } = await world.paymentService.create(acme, asked({ sources }));
  const reference = gatewayReference ?? '';
  const start = clock.now();
  const looks: number[] = [];
  const seen = new Set<string>();
  /** The payer agrees, and PayPal tells it. */
  const approve = async (): Promise<string> => {
    server.approve(reference);
    const event = server.events.at(-1);
    if (event === undefined) throw new Error('Nothing has happened.');
    return world.run(refreshPayment, world.paypalWebhook(event));
  };
  const watch = async () => (await world.watches.query({ limit: 2 })).items[0]?.value;
  /** Lets the time pass until it is no longer watched; keeps after how many hours it was looked at. */
  const lapse = async (): Promise<void> => {
    for (let due = await watch(); due !== undefined; due = await watch()) {
      if (looks.length > 60) throw new Error('It is watched for ever.');
      clock.set(Date.parse(due.dueAt));
      const tick = { tenant: platformTenant, subject: 'tick', data: { schedule: 'payments-sweep' } };
      await world.run(sweepPayments, world.makeEvent(paymentSweep.event, tick));
      for (const event of await world.emitted()) {
        if (event.type !== 'payments.refresh.due' || seen.has(event.id)) continue;
        seen.add(event.id);
        looks.push((clock.now() - start) / 3_600_000);
        expect(await world.run(refreshDuePayment, event)).toBe('done');
      }
    }
  };
  return { ...world, id, reference, looks, approve, watch, lapse };
};

describe('a payment whose payer went away', () => {
  it('is looked at ever less often, and given up after 30 days', async () => {
    const { paymentService, id, looks, lapse, emitted } = await waiting();
    await lapse();
    expect(looks.slice(0, 9)).toEqual([0.25, 0.5, 1, 2, 4, 8, 16, 32, 56]);
    expect(looks.length).toBeLessThan(40);
    expect(looks.at(-1)).toBeGreaterThan(30 * 24);
    expect(await paymentService.get(acme, id)).toMatchObject({ status: 'canceled', nextAction: null });
    expect((await emitted()).filter(({ type }) => type === 'payments.payment.canceled')).toHaveLength(1);
  });

  it('is no longer looked at where it can not be given up, and comes in when its webhook tells', async () => {
    const { paymentService, id, lapse, approve, watch } = await waiting({
      named: (_name, gateway) => ({
        ...gateway,
        cancel: async () => {
          throw new OmniError('precondition-failed', 'It can not be given up here.');
        },
      }),
    });
    await lapse();
    expect(await paymentService.get(acme, id)).toMatchObject({ status: 'requires-action' });
    expect(await approve()).toBe('done');
    expect(await paymentService.get(acme, id)).toMatchObject({ status: 'pending' });
    expect(await watch()).toBeDefined();
  });
});

it('is looked at soon again when it has come further', async () => {
  const { approve, watch } = await waiting();
  clock.advance(86_400_000);
  await approve();
  expect(Date.parse((await watch())?.dueAt ?? '') - clock.now()).toBe(900_000);
});
