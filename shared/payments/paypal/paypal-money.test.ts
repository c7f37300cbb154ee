import { afterAll, describe, expect, it } from 'vitest';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { acme, asked, paymentWorld } from '#tests/support/payments.ts';
import type { OneCurrency } from '#tests/support/paypal/purses.ts';
import { startPayPalServer } from '#tests/support/paypal-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import type { Gateway } from '../gateways/gateway.ts';
import { refreshPayment } from '../payments/payment.jobs.ts';

const clock = manualClock();
const server = await startPayPalServer({ clock });
afterAll(server.stop);
const epoch = '1970-01-01T00:00:00.000Z';
const embedded = (): Database => databaseOn(embeddedDriver(), { now: clock.now });

let merchants = 0;
/** An account that has one currency, or one that has all, of a tenant of its own. */
const open = async (account?: OneCurrency, database = embedded(), told = (gateway: Gateway): Gateway => gateway) => {
  merchants += 1;
  const client = `client-${merchants}`;
  const merchant = server.merchantOf(client);
  if (account !== undefined) server.keepOnly(merchant, account);
  const world = paymentWorld({ database, clock, paypal: server, named: (_name, gateway) => told(gateway) });
  await world.connectPayPal(client);
  /** What the books have, minor units by account, a debit positive; what is zero is left out. */
  const balances = async (currency: string): Promise<Record<string, number>> => {
    const { items, difference } = await world.ledger.trialBalance(acme, { currency, book: 'test', limit: 100 });
    const all = items.map(({ account: name, debit, credit }) => [name.replace('test:', ''), debit - credit] as const);
    return Object.fromEntries([...all, ['difference', difference] as const].filter(([, amount]) => amount !== 0));
  };
  const order = async () => {
    const request = asked({ amount: 20_000, currency: 'SEK', sources: [{ gateway: 'paypal' }] });
    const { id, gatewayReference } = await world.paymentService.create(acme, request);
    return { id, order: gatewayReference ?? '' };
  };
  return {
    world,
    balances,
    /** What PayPal itself says, in the same units. */
    atPayPal: (currency: string): number => server.balances(merchant).get(currency)?.total ?? 0,
    events: () => server.events.filter((event) => event.merchant === merchant),
    /** 200.00 kr, which the payer has not agreed to yet. */
    order,
    /** 200.00 kr that came. */
    pay: async () => {
      const made = await order();
      server.approve(made.order);
      await world.paymentService.confirm(acme, made.id);
      return made;
    },
    /** As much that came, and half of it given back, by an instance that died before it had kept any answer. */
    payUnseen: async () => {
      const made = await order();
      server.approve(made.order);
      server.capture(server.find(made.order), server.find(made.order).amount);
      server.refundByHand(made.order, 10_000);
      return made;
    },
    look: (id: string) => world.sync.refresh('acme', id, database.transaction),
    reconcile: () => world.balances.reconcile(acme, 'paypal-test', epoch),
  };
};

describe('money that is taken in parts, on PayPal’s own pages', () => {
  it.each([
    ['each as it comes', [1, 2, 3, 4]],
    ['when some have come', [2, 4]],
    ['at the end', [4]],
  ])('is booked once, looked at %s', async (_when, looks) => {
    const { order, world, look, balances, atPayPal } = await open();
    const { id, order: at } = await order();
    server.approve(at);
    for (const [i, value] of ['30.00', '60.00', '60.00', '50.00'].entries()) {
      server.capture(server.find(at), { value, currency_code: 'SEK' });
      if (looks.includes(i + 1)) await look(id);
    }
    // 3.49% and 0.49 kr of each: 1.54, twice 2.58, and 2.24.
    expect(await balances('SEK')).toEqual({
      'gateway:paypal:pending': 20_000 - 894,
      'customers:unapplied': -20_000,
      'fees:paypal': 894,
    });
    expect(atPayPal('SEK')).toBe(20_000 - 894);
    expect(await world.paymentService.get(acme, id)).toMatchObject({ captured: 20_000, fee: { amount: 894 } });
  });
});

describe('money that PayPal changes into the currency of the account', () => {
  it('is owed in that one: what is paid, what is given back in parts, and what comes back of that', async () => {
    const { pay, look, balances, atPayPal } = await open({ into: 'EUR' });
    const { id, order } = await pay();
    // 3.49% of 200.00 kr and 0.49 kr are 7.47 kr; the other 192.53 kr at 0.0871 are 16.77.
    expect(await balances('SEK')).toEqual({
      'customers:unapplied': -20_000,
      'fees:paypal': 747,
      'equity:exchange': 19_253,
    });
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 1_677, 'equity:exchange': -1_677 });
    server.refundByHand(order, 10_000);
    await look(id);
    // 100.00 kr go back at the rate of that moment, 0.0874.
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 1_677 - 874, 'equity:exchange': -803 });
    expect(await balances('SEK')).toEqual({
      'customers:unapplied': -10_000,
      'fees:paypal': 747,
      'equity:exchange': 9_253,
    });
    server.refundByHand(order, 4_000, true);
    await look(id);
    // 40.00 kr at 0.0877 are 3.51: they fail, and as much comes back.
    expect(await balances('EUR')).toMatchObject({ 'gateway:paypal:pending': 803 - 351 });
    server.failRefund(order);
    await look(id);
    expect(await balances('EUR')).toMatchObject({ 'gateway:paypal:pending': 803 });
    expect(await balances('SEK')).toMatchObject({ 'customers:unapplied': -10_000, 'equity:exchange': 9_253 });
    server.refundByHand(order, 5);
    await look(id);
    // 0.05 kr at 0.0880 are no cent.
    expect(await balances('EUR')).toMatchObject({ 'gateway:paypal:pending': 803 });
    expect(await balances('SEK')).toMatchObject({ 'customers:unapplied': -9_995, 'equity:exchange': 9_248 });
    expect(atPayPal('EUR')).toBe(803);
  });

  it('has its fee in that currency where PayPal takes it there, and gets a share of it back with a refund', async () => {
    const { pay, world, look, balances, atPayPal } = await open({ into: 'EUR', feesThere: true, feesBack: true });
    const { id, order } = await pay();
    // 16.77 as above, and 7.47 kr at 0.0871 are 0.65: together 17.42, which is what 200.00 kr became.
    expect(await balances('EUR')).toEqual({
      'gateway:paypal:pending': 1_677,
      'fees:paypal': 65,
      'equity:exchange': -1_742,
    });
    expect(await balances('SEK')).toEqual({ 'customers:unapplied': -20_000, 'equity:exchange': 20_000 });
    const kept = async () => (await world.paypalOrders.get(acme, order)).fee;
    expect(await kept()).toEqual({ amount: 65, currency: 'EUR' });
    server.refundByHand(order, 10_000);
    await look(id);
    // 3.49 kr of the fee come back: 96.51 kr at 0.0874 go out as 8.43, which is 8.74 less 0.31.
    expect(await balances('EUR')).toEqual({
      'gateway:paypal:pending': 1_677 - 843,
      'fees:paypal': 65 - 31,
      'equity:exchange': -1_742 + 874,
    });
    expect(await balances('SEK')).toEqual({ 'customers:unapplied': -10_000, 'equity:exchange': 10_000 });
    expect(await kept()).toEqual({ amount: 34, currency: 'EUR' });
    expect(atPayPal('EUR')).toBe(834);
  });

  it('goes out for a dispute that is lost as its reversal says, and not before', async () => {
    const { pay, look, balances, atPayPal } = await open({ into: 'EUR' });
    const { id, order } = await pay();
    server.dispute(order, 3_000);
    await look(id);
    // PayPal holds 30.00 kr back, in what is still the account's: nothing is changed.
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 1_677, 'equity:exchange': -1_677 });
    const disputed = { 'customers:unapplied': -20_000, 'fees:paypal': 747 };
    expect(await balances('SEK')).toEqual({
      ...disputed,
      'disputes:paypal': 3_000,
      'gateway:paypal:pending': -3_000,
      'equity:exchange': 19_253,
    });
    clock.advance(60_000);
    server.closeDispute(order, 'RESOLVED_BUYER_FAVOUR', 2_000);
    await look(id);
    // 20.00 kr are taken back at 0.0874, which is 1.75; the other 10.00 kr stay.
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 1_677 - 175, 'equity:exchange': -1_502 });
    expect(await balances('SEK')).toEqual({ ...disputed, 'losses:disputes': 2_000, 'equity:exchange': 17_253 });
    expect(atPayPal('EUR')).toBe(1_502);
  });

  it('stays where it is while PayPal tells the end of a dispute in another currency only', async () => {
    const { pay, look, balances, atPayPal } = await open({ into: 'EUR' });
    const { id, order } = await pay();
    const dispute = server.dispute(order, 3_000);
    clock.advance(60_000);
    server.closeDispute(order, 'RESOLVED_BUYER_FAVOUR', 2_000);
    dispute.dispute_outcome = {
      outcome_code: 'RESOLVED_BUYER_FAVOUR',
      amount_refunded: { currency_code: 'EUR', value: '1.75' },
    };
    const { value } = await look(id);
    expect(value.disputes).toMatchObject([{ status: 'open', amount: 3_000, currency: 'SEK' }]);
    expect(await balances('SEK')).toMatchObject({ 'disputes:paypal': 3_000 });
    // What has moved has moved.
    expect(await balances('EUR')).toMatchObject({ 'gateway:paypal:pending': 1_502 });
    expect(atPayPal('EUR')).toBe(1_502);
  });

  it('is changed when it comes, and not while it is pending', async () => {
    const { order: ordered, world, look, balances } = await open({ into: 'EUR' });
    const { id, order } = await ordered();
    server.approve(order, 'pending');
    await world.paymentService.confirm(acme, id);
    expect([await balances('EUR'), await balances('SEK')]).toEqual([{}, {}]);
    server.settle(order, true);
    await look(id);
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 1_677, 'equity:exchange': -1_677 });
  });

  it('is compared in both currencies, and what is missing is explained by the payment that it is of', async () => {
    const { pay, look, reconcile } = await open({ into: 'EUR', feesThere: true, feesBack: true });
    const { id, order } = await pay();
    const same = { items: [], currencies: [{ currency: 'EUR', gateway: 1_677, ledger: 1_677, difference: 0 }] };
    expect(await reconcile()).toMatchObject(same);
    server.refundByHand(order, 10_000);
    expect(await reconcile()).toMatchObject({
      items: [
        { payment: id, currency: 'SEK', amount: -10_000, reason: expect.stringMatching(/refund:\w+:made$/) },
        { payment: id, currency: 'SEK', amount: 10_000, reason: expect.stringMatching(/settled:\w+$/) },
        { payment: id, currency: 'EUR', amount: -874, reason: expect.stringMatching(/settled:\w+$/) },
        { payment: id, currency: 'EUR', amount: 31, reason: expect.stringMatching(/settled:\w+:fee$/) },
      ],
      currencies: [{ currency: 'EUR', difference: -843, explained: -843, unexplained: 0 }],
    });
    await look(id);
    expect(await reconcile()).toMatchObject({ items: [], currencies: [{ currency: 'EUR', difference: 0 }] });
  });

  it('is missing in both currencies where it was booked before changes were, and is made good by a look', async () => {
    let isBefore = true;
    const asBefore = (gateway: Gateway): Gateway => ({
      ...gateway,
      retrieve: async (reference) => {
        const payment = await gateway.retrieve(reference);
        return payment && isBefore ? { ...payment, settlements: undefined } : payment;
      },
    });
    const { pay, look, reconcile, balances } = await open({ into: 'EUR' }, embedded(), asBefore);
    const { id } = await pay();
    isBefore = false;
    expect(await balances('SEK')).toMatchObject({ 'gateway:paypal:pending': 19_253 });
    expect(await reconcile()).toMatchObject({
      items: [
        { payment: id, currency: 'SEK', amount: -19_253, reason: expect.stringMatching(/settled:\w+$/) },
        { payment: id, currency: 'EUR', amount: 1_677 },
      ],
      currencies: [
        { currency: 'EUR', gateway: 1_677, ledger: 0, difference: 1_677, unexplained: 0 },
        { currency: 'SEK', gateway: 0, ledger: 19_253, difference: -19_253, unexplained: 0 },
      ],
    });
    await look(id);
    expect(await reconcile()).toMatchObject({ items: [], currencies: [{ currency: 'EUR', difference: 0 }] });
    expect(await balances('SEK')).not.toHaveProperty('gateway:paypal:pending');
  });

  it('is booked once, wherever a worker dies that books it', async () => {
    for (const when of ['before', 'after'] as const) {
      for (let nth = 1, isThrough = false; !isThrough; nth += 1) {
        const driver = embeddedDriver();
        const {
          order: ordered,
          world,
          balances,
          events,
        } = await open({ into: 'EUR', feesThere: true }, databaseOn(driver, { now: clock.now }));
        const { id, order } = await ordered();
        // As by an instance that dies before it has kept the answer.
        server.approve(order);
        server.capture(server.find(order), server.find(order).amount);
        server.refundByHand(order, 10_000);
        const event = events().findLast((one) => one.event_type === 'PAYMENT.CAPTURE.REFUNDED');
        if (event === undefined) throw new Error('Nobody was told.');
        clock.advance(10_000);
        const told = world.paypalWebhook(event);
        const killer = killAt(nth, when);
        const dying = paymentWorld({
          database: databaseOn(killer.driver(driver), { now: clock.now }),
          clock,
          paypal: server,
          step: killer.step,
        });
        await dying.run(refreshPayment, told).catch(() => undefined);
        isThrough = killer.calls() < nth;
        clock.advance(200_000);
        expect(['done', 'duplicate']).toContain(await world.run(refreshPayment, told));
        expect(await balances('EUR')).toEqual({
          'gateway:paypal:pending': 1_677 - 874,
          'fees:paypal': 65,
          'equity:exchange': -1_742 + 874,
        });
        expect(await balances('SEK')).toEqual({ 'customers:unapplied': -10_000, 'equity:exchange': 10_000 });
        expect((await world.payments.of('acme').get(id))?.value.refunded).toBe(10_000);
      }
    }
  });

  it('is booked once for twenty who look at once', async () => {
    const { payUnseen, look, balances } = await open({ into: 'EUR' }, testDatabase());
    const { id } = await payUnseen();
    await Promise.allSettled(Array.from({ length: 20 }, () => look(id)));
    expect(await balances('EUR')).toEqual({ 'gateway:paypal:pending': 803, 'equity:exchange': -803 });
    expect(await balances('SEK')).toMatchObject({ 'customers:unapplied': -10_000, 'equity:exchange': 9_253 });
  });
});

describe('money that PayPal does not change', () => {
  it.each([
    ['of an account that has that currency too', undefined],
    ['of an account that has that currency only', { into: 'SEK', feesThere: true, feesBack: true }],
  ] satisfies [string, OneCurrency | undefined][])('is booked in its own currency: %s', async (_which, account) => {
    const { pay, look, world, balances, atPayPal } = await open(account);
    const { id, order } = await pay();
    server.refundByHand(order, 10_000);
    const { value } = await look(id);
    expect(value.facts.map(({ key }) => key.replace(/:\w{17}:/, ':…:')).sort()).toEqual([
      'captured:20000',
      'fee:SEK:747',
      'refund:…:made',
      'refund:…:succeeded',
    ]);
    expect(await balances('SEK')).toEqual({
      'gateway:paypal:pending': 20_000 - 747 - 10_000,
      'fees:paypal': 747,
      'customers:unapplied': -10_000,
    });
    expect(await balances('EUR')).toEqual({});
    expect(atPayPal('SEK')).toBe(9_253);
    expect((await world.paypalOrders.get(acme, order)).fee).toEqual({ amount: 747, currency: 'SEK' });
  });
});
