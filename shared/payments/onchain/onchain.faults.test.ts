import { afterAll, describe, expect, inject, it } from 'vitest';
import { killAt } from '#tests/support/crashing.ts';
import { newProjectId } from '#tests/support/firestore.ts';
import { acme, askedOnchain, onchainWorld, startOutside, testXpub, usdc } from '#tests/support/onchain.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { firestoreDatabase } from '../../store/firestore.ts';
import { refreshDuePayment } from '../payments/payment.jobs.ts';
import { pollChain, startChainPolls } from './onchain.jobs.ts';

const outside = await startOutside();
afterAll(() => outside.stop());
const { chain, clock } = outside;

const worldOn = (driver: Driver) => onchainWorld(databaseOn(driver, { now: clock.now }), outside);

const transferOf = (payment: { nextAction: unknown }): { address: string; units: bigint } => {
  const { nextAction } = payment;
  if (typeof nextAction !== 'object' || nextAction === null || !('address' in nextAction) || !('units' in nextAction)) {
    throw new Error('There is nothing to be sent.');
  }
  return { address: String(nextAction.address), units: BigInt(String(nextAction.units)) };
};

/** A payment that is paid and final on the chain, and of which nobody has heard. */
const paid = async () => {
  const driver = embeddedDriver();
  const world = worldOn(driver);
  await world.connect();
  clock.advance(600_000);
  chain.finalise();
  await world.poll();
  const payment = await world.paymentService.create(acme, askedOnchain());
  const { address, units } = transferOf(payment);
  chain.mine({ token: usdc, to: address, units });
  chain.finalise();
  return { driver, world, id: payment.id };
};

const requireOneCredit = async ({ world, id }: Pick<Awaited<ReturnType<typeof paid>>, 'world' | 'id'>) => {
  expect(await world.paymentService.get(acme, id)).toMatchObject({ status: 'captured', captured: 2_500, held: 0 });
  expect(await world.ledger.balance(acme, 'test:customers:unapplied@USD')).toBe(2_500);
  expect(await world.ledger.balance(acme, 'test:gateway:onchain:pending@USD')).toBe(2_500);
  const told = (await world.emitted()).filter(({ type }) => type === 'payments.payment.succeeded');
  expect(told).toHaveLength(1);
};

describe('addresses', () => {
  it('are each given once to twenty payments at once, of two instances', async () => {
    const options = { projectId: newProjectId(), emulatorHost: inject('firestoreHost'), now: clock.now };
    const worlds = [
      onchainWorld(firestoreDatabase(options), outside),
      onchainWorld(firestoreDatabase(options), outside),
    ];
    const gateways = worlds.map(({ onchain }) =>
      onchain.gateway({ credentials: { xpub: testXpub }, livemode: false, tenant: 'acme' }),
    );
    const amount = { amount: 2_500, currency: 'USD' };
    const request = { tenant: 'acme', amount, capture: 'automatic', offSession: false } as const;
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, i) => gateways[i % 2]?.create({ ...request, payment: `pay_${i}` }, `k${i}`)),
    );
    const addresses = made.map((payment) => transferOf({ nextAction: payment?.nextAction }).address);
    expect(new Set(addresses).size).toBe(20);
    const [world] = worlds;
    const { items } = (await world?.onchain.addresses.of('acme').query({ limit: 100 })) ?? { items: [] };
    // Wallets stop to look after twenty unused addresses: there is no gap.
    expect(items.map(({ value }) => value.index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  }, 30_000);

  it('are not given again by an instance that remembers nothing, nor after the account was connected anew', async () => {
    const driver = embeddedDriver();
    const world = worldOn(driver);
    await world.connect();
    const payment = await world.paymentService.create(acme, askedOnchain());
    const first = transferOf(payment);
    await world.paymentService.cancel(acme, payment.id);
    await world.gatewayAccounts.remove(acme, 'onchain-test');
    await worldOn(driver).connect();
    const second = transferOf(await worldOn(driver).paymentService.create(acme, askedOnchain()));
    expect(second.address).not.toBe(first.address);
  });

  it('are of one tenant: another can not receive by the same key', async () => {
    const driver = embeddedDriver();
    await worldOn(driver).connect();
    await expect(worldOn(driver).connect({ xpub: testXpub }, 'rival')).rejects.toMatchObject({
      code: 'already-exists',
    });
  });

  it('begin where the wallet was used before', async () => {
    const world = worldOn(embeddedDriver());
    await world.connect({ xpub: testXpub, firstIndex: '2' });
    const { address } = transferOf(await world.paymentService.create(acme, askedOnchain()));
    expect(address).toBe('0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC');
  });
});

describe('reading a chain', () => {
  it('credits once, wherever a worker dies, and however often a poll comes again', async () => {
    let isThrough = false;
    for (let nth = 1; !isThrough && nth < 80; nth += 1) {
      for (const when of ['before', 'after'] as const) {
        const setting = await paid();
        const { driver, world } = setting;
        const killer = killAt(nth, when);
        const doomed = onchainWorld(databaseOn(killer.driver(driver), { now: clock.now }), outside);
        clock.advance(60_000);
        await doomed.run(startChainPolls, world.tick('open')).catch(() => undefined);
        await doomed.settle().catch(() => undefined);
        isThrough = killer.calls() < nth;
        killer.kill();
        // Leases end, and timers go on.
        clock.advance(200_000);
        await world.poll();
        clock.advance(200_000);
        await world.poll();
        await requireOneCredit(setting);
      }
    }
    expect(isThrough).toBe(true);
  }, 60_000);

  it('credits once when every event comes three times, the last first, and to workers at once', async () => {
    const setting = await paid();
    const { driver, world } = setting;
    const jobs = [startChainPolls, pollChain, refreshDuePayment];
    const ticks = [world.tick('open'), world.tick('open'), world.tick('closed')];
    const seen = new Set<string>();
    let events: readonly DomainEvent[] = ticks;
    while (events.length > 0) {
      const all = events.toReversed().flatMap((event) => [event, event, event]);
      for (const { id } of events) seen.add(id);
      await Promise.all(
        all.flatMap((event) =>
          jobs
            .filter(({ eventTypes }) => eventTypes.includes(event.type))
            .map((job) =>
              worldOn(driver)
                .run(job, event)
                .catch(() => undefined),
            ),
        ),
      );
      events = (await world.emitted()).filter(({ id }) => !seen.has(id));
    }
    await world.poll();
    clock.advance(200_000);
    await world.poll();
    await requireOneCredit(setting);
  });

  it('catches up in steps of the range that nodes take, and loses nothing in between', async () => {
    const { world, id } = await paid();
    chain.extend(1_700);
    chain.finalise();
    const before = outside.one.calls('eth_getLogs');
    await world.poll();
    expect(outside.one.calls('eth_getLogs') - before).toBe(4);
    expect((await world.onchain.scans.get('sepolia~open'))?.value).toMatchObject({
      done: chain.finalized(),
      round: null,
    });
    await requireOneCredit({ world, id });
  });

  it('asks in halves where a node finds too much in a range', async () => {
    const { world, id } = await paid();
    const { one } = outside;
    const { maxLogs } = one.manner;
    one.manner.maxLogs = 0;
    await world.poll();
    expect((await world.paymentService.get(acme, id)).status).toBe('requires-action');
    one.manner.maxLogs = 1;
    await world.poll();
    await requireOneCredit({ world, id });
    one.manner.maxLogs = maxLogs;
  });

  it('reads all pages of addresses before it goes on to later blocks', async () => {
    const { world } = await paid();
    const made = [];
    for (let i = 0; i < 105; i += 1) made.push(await world.paymentService.create(acme, askedOnchain()));
    for (const payment of made) chain.mine({ token: usdc, to: transferOf(payment).address, units: 25_000_000n });
    chain.finalise();
    await world.poll();
    const page = await world.paymentService.list(acme, { limit: 200, status: 'captured' });
    expect(page.items).toHaveLength(106);
    expect(await world.ledger.balance(acme, 'test:customers:unapplied@USD')).toBe(106 * 2_500);
  }, 20_000);
});
