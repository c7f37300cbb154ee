import { describe, expect, it } from 'vitest';
import { billingOn } from '#tests/support/billing.ts';
import { fakeCharges } from '#tests/support/charges.ts';
import { manualClock } from '../../kernel/clock.ts';
import { paymentSucceeded } from '../../payments/index.ts';
import { embeddedDatabase } from '../../store/embedded.ts';
import { billingDue } from './billing.events.ts';
import { collectDue, settleCharge } from './collection.jobs.ts';

const day = 86_400_000;

/** An invoice of 11,900, whose first charge is under way. */
const underway = async () => {
  const charges = fakeCharges();
  const clock = manualClock('2026-01-01T00:00:00Z');
  const world = billingOn(embeddedDatabase({ now: clock.now }), { charges, clock });
  const actor = await world.tenant({ dunning: { retryAfterDays: [1, 3] } });
  const price = await world.price(actor, { model: 'flat', amount: 10_000 });
  const { id: customer } = await world.customer(actor);
  const input = { customer, items: [{ price: price.id }], collection: 'automatic' };
  const invoice = (await world.subscribe(actor, input)).invoice ?? '';
  const { tenant } = actor;
  const collect = () =>
    world.drain(
      { tenant, kind: 'system', id: 'test', scopes: new Set() },
      collectDue,
      world.makeEvent(billingDue, { tenant, subject: tenant, data: { run: String(clock.now()), page: 0 } }),
    );
  charges.decide(customer, 'pending');
  await collect();
  const told = (number: number) => {
    const reference = `${invoice}:${number}`;
    const data = {
      payment: 'pay_1',
      reference,
      customer,
      gateway: 'onchain' as const,
      mode: 'live' as const,
      amount: 11_900,
      currency: 'EUR',
      decline: null,
    };
    const event = world.makeEvent(paymentSucceeded, { tenant, subject: 'pay_1', data });
    return world.runJob(settleCharge, event, world.services);
  };
  const stateOf = () => world.billingInvoices.get(actor, invoice);
  return { charges, clock, customer, invoice, collect, told, stateOf };
};

describe('a charge that takes less than it should', () => {
  it('pays so much: 11,900 - 5,000 = 6,900 are due, and are collected next', async () => {
    const { charges, clock, customer, invoice, collect, told, stateOf } = await underway();
    charges.settle(5_000);
    await told(1);
    expect(await stateOf()).toMatchObject({
      status: 'open',
      paid: 5_000,
      due: 6_900,
      charge: null,
      lastDecline: 'paid-in-part',
      payments: [{ reference: `${invoice}:1`, amount: 5_000 }],
    });
    charges.decide(customer, 'succeeded');
    clock.advance(day);
    await collect();
    expect(await stateOf()).toMatchObject({ status: 'paid', paid: 11_900, due: 0 });
    expect([...charges.made.values()].map(({ request }) => request.amount.amount)).toEqual([11_900, 6_900]);
  });
});

describe('a charge that was given up and takes money after all', () => {
  const failed = async () => {
    const there = await underway();
    const { charges, clock, invoice, collect, stateOf } = there;
    await charges.cancel([...charges.made.keys()][0]?.split('/')[0] ?? '', `${invoice}:1`);
    clock.advance(day);
    await collect();
    expect(await stateOf()).toMatchObject({ status: 'open', attempts: 1, due: 11_900, charge: null });
    return there;
  };

  it('pays the invoice, once, and nothing is charged again', async () => {
    const { charges, clock, collect, told, stateOf } = await failed();
    const [first] = [...charges.made.values()];
    charges.took(first?.request.reference ?? '', 11_900);
    await told(1);
    await told(1);
    expect(await stateOf()).toMatchObject({ status: 'paid', paid: 11_900, due: 0, payments: [{ amount: 11_900 }] });
    clock.advance(30 * day);
    await collect();
    expect(charges.made.size).toBe(1);
  });

  it('pays it instead of another that is under way, which is given up', async () => {
    const { charges, clock, customer, invoice, collect, told, stateOf } = await failed();
    charges.decide(customer, 'pending');
    clock.advance(day);
    await collect();
    expect(await stateOf()).toMatchObject({ charge: { reference: `${invoice}:2` } });
    charges.took(`${invoice}:1`, 11_900);
    await told(1);
    expect(await stateOf()).toMatchObject({ status: 'paid', charge: null, payments: [{ reference: `${invoice}:1` }] });
    expect([...charges.made.values()].map(({ result }) => result.status)).toEqual(['succeeded', 'failed']);
  });
});
