import { afterAll, describe, expect, it } from 'vitest';
import { acme, asked, type PaymentWorldOptions, paymentWorld } from '#tests/support/payments.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { startAcmePaySandbox } from '../acmepay-sandbox/acmepay-sandbox.ts';
import type { Gateway } from '../gateways/gateway.ts';

const clock = manualClock();
const sandbox = await startAcmePaySandbox({ clock });
afterAll(() => sandbox.stop());

const paid = async (change: Partial<PaymentWorldOptions> = {}) => {
  const account = sandbox.open();
  const database = change.database ?? databaseOn(embeddedDriver(), { now: clock.now });
  const world = paymentWorld({ database, clock, sandbox, ...change });
  await world.connect(account.secretKey);
  const { id } = await world.paymentService.create(acme, asked());
  const there = () => sandbox.engine.list(account, 0)[0]?.refunds ?? [];
  const calls = () => sandbox.requests.filter((request) => /^POST .*\/refunds$/.test(request)).length;
  return { ...world, account, database, id, there, calls };
};
const day = 86_400_000;
const half = { amount: 1_000, reference: 'r1' };

/** A gateway that does not say whose its refunds are, and remembers keys for an hour. */
const forgetful = (_name: string, gateway: Gateway): Gateway => ({
  ...gateway,
  capabilities: { ...gateway.capabilities, refundsByOwnReference: false, idempotentFor: 3_600 },
  retrieve: async (reference) => {
    const remote = await gateway.retrieve(reference);
    return remote && { ...remote, refunds: [] };
  },
});

describe('a refund whose answer was lost', () => {
  it('is found at the gateway before it is asked for again, also when its key is forgotten there', async () => {
    const { paymentService, id, there, calls } = await paid();
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    const before = calls();
    clock.advance(2 * day);
    await paymentService.pursue('acme', id);
    expect(await paymentService.refunds(acme, id)).toMatchObject([{ status: 'succeeded', amount: 1_000 }]);
    expect([there().length, calls() - before]).toEqual([1, 0]);
  });

  it('is not asked for again while the gateway can not be asked what became of it', async () => {
    const { paymentService, id, there, calls } = await paid();
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    const before = calls();
    clock.advance(2 * day);
    sandbox.fail({ on: 'retrieve', kind: 'stall' });
    await expect(paymentService.pursue('acme', id)).rejects.toMatchObject({ code: 'unavailable' });
    expect([there().length, calls() - before]).toEqual([1, 0]);
  });

  it('is made where it is not there, by one of twenty at once', async () => {
    const { paymentService, id, there, calls } = await paid();
    sandbox.fail({ on: 'refund', kind: 'fail' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    expect(there()).toEqual([]);
    const before = calls();
    clock.advance(2 * day);
    await Promise.all(Array.from({ length: 20 }, () => paymentService.refund(acme, id, half)));
    expect([there().length, calls() - before]).toEqual([1, 1]);
    expect(await paymentService.refund(acme, id, half)).toMatchObject({ status: 'succeeded' });
  });

  it('stays open, and says so, where the gateway can not tell and its key is forgotten', async () => {
    const { paymentService, id, there, calls, watches } = await paid({ named: forgetful });
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    const before = calls();
    clock.advance(2 * day);
    await paymentService.pursue('acme', id);
    const open = { status: 'created', detail: 'outcome-unknown' };
    expect(await paymentService.refund(acme, id, half)).toMatchObject(open);
    expect(await paymentService.refunds(acme, id)).toMatchObject([open]);
    expect([there().length, calls() - before]).toEqual([1, 0]);
    // What it would pay back is not given to another, and it is looked at again.
    await expect(paymentService.refund(acme, id, { amount: 1_501 })).rejects.toMatchObject({
      code: 'precondition-failed',
    });
    expect((await watches.query({ limit: 5 })).items).toHaveLength(1);
  });

  it('is repeated with its key while the gateway remembers that', async () => {
    const { paymentService, id, there } = await paid({ named: forgetful });
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    clock.advance(60_000);
    await paymentService.pursue('acme', id);
    expect(there()).toHaveLength(1);
  });
});

describe('a refund that is under way', () => {
  it('keeps its account from being removed, until it has ended', async () => {
    const { paymentService, gatewayAccounts, id, there } = await paid();
    sandbox.fail({ on: 'refund', kind: 'lose-answer' });
    await expect(paymentService.refund(acme, id, half)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(gatewayAccounts.remove(acme, 'acmepay-test')).rejects.toMatchObject({
      code: 'precondition-failed',
      message: expect.stringContaining('1 payment is still being paid back'),
    });
    await paymentService.pursue('acme', id);
    expect(there()).toMatchObject([{ amount: 1_000 }]);
    await gatewayAccounts.remove(acme, 'acmepay-test');
    expect(await gatewayAccounts.list(acme)).toEqual([]);
  });
});

describe('a refund that the gateway does not make', () => {
  const refusedOnce = async () => {
    const world = await paid();
    // Somebody gives it all back at the gateway, and we do not know it yet.
    const reference = (await world.paymentService.get(acme, world.id)).gatewayReference ?? '';
    const byHand = { reference: 'by hand', amount: 2_000, currency: 'EUR', slow: false };
    sandbox.engine.refund(world.account, reference, byHand);
    await expect(world.paymentService.refund(acme, world.id, half)).rejects.toMatchObject({ code: 'invalid-request' });
    return world;
  };

  it('has failed, which is told once, and moves nothing in the books', async () => {
    const { paymentService, id, emitted, ledger, watches } = await refusedOnce();
    expect(await paymentService.refund(acme, id, half)).toMatchObject({ status: 'failed', detail: 'refused' });
    await paymentService.pursue('acme', id);
    const told = (await emitted()).filter(({ type }) => type === 'payments.refund.failed');
    expect(told).toMatchObject([{ data: { payment: id, refund: expect.stringMatching(/^ref_/), amount: 1_000 } }]);
    expect((await paymentService.timeline(acme, id)).map(({ key }) => key)).toContainEqual(
      expect.stringMatching(/^refund:ref_\w+:refused$/),
    );
    expect(await ledger.balance(acme, 'test:customers:unapplied@EUR')).toBe(500);
    expect((await watches.query({ limit: 5 })).items).toEqual([]);
  });

  it('leaves what it would have paid back to another', async () => {
    const { paymentService, id } = await refusedOnce();
    expect(await paymentService.refund(acme, id, {})).toMatchObject({ status: 'succeeded', amount: 500 });
  });
});
