import { describe, expect, it } from 'vitest';
import { charged } from '#tests/support/charged-invoice.ts';
import { killAt } from '#tests/support/crashing.ts';
import { invoiceOverpaid, invoiceRefundAsked } from './billing.events.ts';
import { askRefund, creditOverpayment } from './refund.jobs.ts';

const all = { reason: 'Broken' };

describe('a credit note that pays back by the gateway that took the money', () => {
  it('is one refund there, however often it is asked for, and balances', async () => {
    const { world, actor, invoice, charges, paid, deliver, balance, stateOf } = await charged();
    await paid();
    await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    expect(await stateOf()).toMatchObject({
      credited: 11_900,
      toRefund: 11_900,
      refunds: [{ to: 'payment-method', amount: 11_900, status: 'asked', reference: `${invoice}:1` }],
    });
    await deliver();
    await deliver();
    expect(await stateOf()).toMatchObject({
      status: 'paid',
      toRefund: 0,
      payments: [{ refunded: 11_900 }],
      refunds: [{ status: 'succeeded' }],
    });
    expect(charges.refunds.size).toBe(1);
    // Taken and paid back, billed and credited: nothing is left.
    expect(balance()).toEqual({});
  });

  it('is one refund where the answer of the gateway was lost', async () => {
    const { world, actor, invoice, charges, clock, paid, deliver, stateOf } = await charged();
    await paid();
    await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    charges.loseNextAnswer();
    await deliver();
    clock.advance(3_600_000);
    await deliver();
    expect(charges.refunds.size).toBe(1);
    expect(await stateOf()).toMatchObject({ toRefund: 0, refunds: [{ status: 'succeeded' }] });
  });

  it('stays to be paid back where the gateway refuses, and then becomes credit', async () => {
    const { world, actor, customer, invoice, charges, paid, deliver, balance, stateOf } = await charged();
    await paid();
    charges.decideRefunds('failed');
    await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 11_900, refunds: [{ status: 'failed' }] });
    await world.billingInvoices.refund(actor, invoice, { to: 'wallet' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 0 });
    expect((await world.walletService.get(actor, customer)).balances).toMatchObject([{ balance: 11_900 }]);
    expect(balance()).toEqual({ unapplied: 11_900, 'customer-credit': -11_900 });
  });

  it('is given up where nobody knows of the charge any more, so that it is paid back otherwise', async () => {
    const { world, actor, invoice, charges, paid, deliver, stateOf } = await charged();
    await paid();
    charges.forget(`${invoice}:1`);
    await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 11_900, refunds: [{ status: 'failed' }] });
    await world.billingInvoices.refund(actor, invoice, { to: 'elsewhere' });
    expect(await stateOf()).toMatchObject({ toRefund: 0 });
  });

  it('is followed where the gateway takes its time, and is open again where it fails at last', async () => {
    const { world, actor, invoice, charges, paid, refunded, deliver, stateOf } = await charged();
    await paid();
    charges.decideRefunds('pending');
    await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 0, refunds: [{ status: 'pending' }] });
    charges.decideRefunds('failed');
    await refunded(1);
    expect(await stateOf()).toMatchObject({ credited: 11_900, toRefund: 11_900, refunds: [{ status: 'failed' }] });
  });

  it('leaves what was paid by hand to be paid back by hand', async () => {
    const { world, actor, invoice, paid, deliver, balance, stateOf } = await charged();
    const { billingInvoices: invoices } = world;
    await invoices.pay(actor, invoice, 1_900);
    await paid();
    await invoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 1_900, refunds: [{ amount: 10_000, status: 'succeeded' }] });
    await expect(invoices.refund(actor, invoice, { to: 'payment-method' })).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('only 0'),
    });
    await invoices.refund(actor, invoice, { to: 'elsewhere', amount: 1_000 });
    await expect(invoices.refund(actor, invoice, { to: 'elsewhere', amount: 901 })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    await invoices.refund(actor, invoice, { to: 'elsewhere' });
    await deliver();
    expect(await stateOf()).toMatchObject({ toRefund: 0 });
    expect(balance()).toEqual({});
  });

  it.each(['before', 'after'] as const)(
    'is one refund wherever the worker dies (%s)',
    async (when) => {
      for (let nth = 1; ; nth += 1) {
        const { world, actor, invoice, charges, clock, paid, deliver, eventOf, worldOn, stateOf } = await charged();
        await paid();
        await world.billingInvoices.credit(actor, invoice, { ...all, refund: 'payment-method' });
        const killer = killAt(nth, when);
        const doomed = {
          ...charges,
          refund: (request: Parameters<typeof charges.refund>[0]) => killer.step(() => charges.refund(request)),
        };
        const victim = worldOn(killer.driver, doomed);
        await victim.runJob(askRefund, await eventOf(invoiceRefundAsked), victim.services).catch(() => undefined);
        clock.advance(20 * 60_000);
        await deliver();
        expect(charges.refunds.size).toBe(1);
        expect(await stateOf()).toMatchObject({ toRefund: 0, refunds: [{ status: 'succeeded' }] });
        if (killer.calls() < nth) break;
      }
    },
    60_000,
  );
});

describe('money that nobody waited for', () => {
  it('becomes credit where a charge took 20,000 of 11,900: 8,100, once', async () => {
    const { world, actor, customer, charges, pending, told, deliver, eventOf, balance, stateOf } = await charged();
    await pending();
    charges.settle(20_000);
    await told(1);
    expect(await stateOf()).toMatchObject({
      status: 'paid',
      paid: 11_900,
      due: 0,
      payments: [{ amount: 20_000, over: 8_100 }],
    });
    await deliver();
    await world.runJob(creditOverpayment, await eventOf(invoiceOverpaid), world.services);
    await deliver();
    expect((await world.walletService.get(actor, customer)).balances).toMatchObject([{ balance: 8_100 }]);
    expect(await stateOf()).toMatchObject({ toRefund: 0 });
    expect(balance()).toEqual({
      unapplied: 20_000,
      'customer-credit': -8_100,
      revenue: -10_000,
      'tax-payable': -1_900,
    });
  });

  it('is no credit note where the gateway pays it back as well: it was never billed, and is paid back twice', async () => {
    const { invoice, charges, pending, told, refunded, deliver, stateOf } = await charged();
    await pending();
    charges.settle(20_000);
    await told(1);
    await deliver();
    charges.paidBack(`${invoice}:1`, 8_100);
    await refunded(1);
    expect(await stateOf()).toMatchObject({ credited: 0, toRefund: -8_100, payments: [{ refunded: 8_100 }] });
  });

  it('becomes credit where the invoice was declared void meanwhile', async () => {
    const { world, actor, customer, invoice, charges, pending, told, deliver, balance, stateOf } = await charged();
    await pending();
    await charges.cancel(actor.tenant, `${invoice}:1`);
    await told(1);
    await world.billingInvoices.void(actor, invoice);
    charges.took(`${invoice}:1`, 11_900);
    await told(1);
    await deliver();
    expect(await stateOf()).toMatchObject({ status: 'void', paid: 0, payments: [{ amount: 11_900, over: 11_900 }] });
    expect((await world.walletService.get(actor, customer)).balances).toMatchObject([{ balance: 11_900 }]);
    expect(balance()).toEqual({ unapplied: 11_900, 'customer-credit': -11_900 });
  });

  it('makes a loss smaller by what was lost, and no more: 20,000 of 11,900', async () => {
    const { world, actor, invoice, charges, pending, told, deliver, balance, stateOf } = await charged();
    await world.billingInvoices.giveUp(actor, invoice);
    await pending();
    charges.settle(20_000);
    await told(1);
    await deliver();
    expect(await stateOf()).toMatchObject({ status: 'paid', payments: [{ recovered: true, over: 8_100 }] });
    expect(balance()).toEqual({
      unapplied: 20_000,
      'customer-credit': -8_100,
      revenue: -10_000,
      'tax-payable': -1_900,
    });
  });

  it('ends another charge that is under way, and is credited where that took money too', async () => {
    const { world, actor, customer, invoice, charges, clock, pending, told, deliver, collect, stateOf } =
      await charged();
    await pending();
    await charges.cancel(actor.tenant, `${invoice}:1`);
    await told(1);
    await pending();
    charges.took(`${invoice}:1`, 11_900);
    charges.loseNextCancel();
    await told(1);
    expect(await stateOf()).toMatchObject({ status: 'paid', charge: { reference: `${invoice}:2` } });
    // It is looked at again, and had succeeded just then.
    charges.took(`${invoice}:2`, 11_900);
    clock.advance(2 * 3_600_000);
    await collect();
    await deliver();
    expect(await stateOf()).toMatchObject({ status: 'paid', charge: null, nextActionAt: null, paid: 11_900 });
    expect((await world.walletService.get(actor, customer)).balances).toMatchObject([{ balance: 11_900 }]);
  });

  it('never asks for a charge of what is paid: one that nobody made is given up', async () => {
    const { world, actor, invoice, charges, clock, pending, told, collect, stateOf } = await charged();
    await pending();
    await charges.cancel(actor.tenant, `${invoice}:1`);
    await told(1);
    // The worker dies after it noted the second charge.
    charges.dieBeforeNextCharge();
    await expect(world.checkout.charge(actor, invoice, {})).rejects.toThrow();
    expect(await stateOf()).toMatchObject({ charge: { reference: `${invoice}:2`, status: 'asked' } });
    charges.took(`${invoice}:1`, 11_900);
    await told(1);
    expect(await stateOf()).toMatchObject({ status: 'paid', charge: { reference: `${invoice}:2` } });
    clock.advance(2 * 3_600_000);
    await collect();
    expect(await stateOf()).toMatchObject({ status: 'paid', charge: null, nextActionAt: null });
    expect(charges.made.size).toBe(1);
  });
});

describe('a refund of what was paid in part before the rest was given up', () => {
  it('does not take the loss back: 11,900 - 5,000 = 6,900 are lost, and 5,000 are paid back', async () => {
    const { world, actor, invoice, charges, pending, told, refunded, deliver, balance, stateOf } = await charged();
    await pending();
    charges.settle(5_000);
    await told(1);
    await world.billingInvoices.giveUp(actor, invoice);
    charges.paidBack(`${invoice}:1`, 5_000);
    await refunded(1);
    await deliver();
    expect(await stateOf()).toMatchObject({ status: 'uncollectible', credited: 5_000, due: 6_900, toRefund: 0 });
    // 6,900 with 19 % of tax are 5,798.32 without.
    expect(balance()).toEqual({ 'bad-debt': 6_900, revenue: -5_798, 'tax-payable': -1_102 });
  });
});
