import fc from 'fast-check';
import { expect } from 'vitest';
import type { DomainEvent } from '#shared/kernel/event.ts';
import type { ChainReader } from '#shared/payments/onchain/chain-reader.ts';
import { startChainPolls } from '#shared/payments/onchain/onchain.jobs.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { killAt } from './crashing.ts';
import {
  acme,
  askedOnchain,
  eurc,
  type OnchainWorld,
  type Outside,
  onchainWorld,
  startOutside,
  usdc,
} from './onchain.ts';

/** What happens on the chain, and how the time goes by. */
const action = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant('send' as const), cents: fc.integer({ min: 100, max: 2_600 }) }),
    weight: 4,
  },
  { arbitrary: fc.record({ kind: fc.constant('pay' as const) }), weight: 2 },
  {
    arbitrary: fc.record({ kind: fc.constant('send-other' as const), cents: fc.integer({ min: 100, max: 900 }) }),
    weight: 1,
  },
  { arbitrary: fc.record({ kind: fc.constant('extend' as const), blocks: fc.integer({ min: 1, max: 3 }) }), weight: 1 },
  {
    arbitrary: fc.record({ kind: fc.constant('reorganise' as const), blocks: fc.integer({ min: 1, max: 3 }) }),
    weight: 2,
  },
  { arbitrary: fc.record({ kind: fc.constant('finalise' as const) }), weight: 2 },
  { arbitrary: fc.record({ kind: fc.constant('wait' as const), minutes: fc.integer({ min: 1, max: 20 }) }), weight: 1 },
);

/** What becomes of the timer after it, and of the workers that it wakes. */
const fate = fc.record({
  isLost: fc.boolean(),
  isRepeated: fc.boolean(),
  /** Two workers take everything at once. */
  isDoubled: fc.boolean(),
  node: fc.constantFrom('well', 'well', 'well', 'behind', 'fails', 'hides'),
  /** At which of its calls the first worker dies; 0 where none does. */
  dies: fc.oneof(
    { arbitrary: fc.constant(0), weight: 1 },
    { arbitrary: fc.integer({ min: 1, max: 50 }), weight: 1 },
    // While the payment is looked at that something came for.
    { arbitrary: fc.integer({ min: 16, max: 30 }), weight: 3 },
  ),
  when: fc.constantFrom('before' as const, 'after' as const),
});

const story = fc.record({
  steps: fc.array(fc.record({ action, fate }), { minLength: 1, maxLength: 6 }),
  /** Of the timer after which everything is final: that is when most is booked. */
  last: fate,
});
type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;
type Action = Story['steps'][number]['action'];
type Fate = Story['last'];

/** A bug that is planted in both worlds of a run, to see that the property finds it. */
export interface PlantedOnchain {
  readonly driver?: (driver: Driver) => Driver;
  readonly reader?: (reader: ChainReader) => ChainReader;
}

const minute = 60_000;
const unitsPerCent = 10_000n;

const act = ({ chain, clock }: Outside, address: string, one: Action): void => {
  const send = (cents: number, token: `0x${string}`) =>
    void chain.mine({ token, to: address, units: BigInt(cents) * unitsPerCent });
  if (one.kind === 'pay') send(2_500, usdc);
  else if (one.kind === 'send') send(one.cents, usdc);
  else if (one.kind === 'send-other') send(one.cents, eurc);
  else if (one.kind === 'extend') chain.extend(one.blocks);
  else if (one.kind === 'finalise') chain.finalise();
  else if (one.kind === 'wait') clock.advance(one.minutes * minute);
  else {
    const depth = Math.min(one.blocks, chain.latest().number - chain.finalized());
    if (depth > 0) chain.reorganise(depth);
  }
};

/** What the chain itself says was sent to an address, in cents. */
const sentTo = ({ chain }: Outside, address: string, token: string): number =>
  chain.blocks
    .flatMap(({ logs }) => logs)
    .filter((log) => log.address === token && log.topics[2].endsWith(address.slice(2).toLowerCase()))
    .reduce((sum, { data }) => sum + Number(BigInt(data) / unitsPerCent), 0);

const spoil = ({ one, two, chain }: Outside, how: Fate['node']): (() => void) => {
  if (how === 'behind') two.manner.behind = 1;
  else if (how === 'fails') one.fault('eth_getLogs', 'fail');
  else if (how === 'hides') {
    for (const { transactionHash } of chain.latest().logs) two.manner.hides.add(transactionHash);
  }
  return () => {
    two.manner.behind = 0;
    two.manner.hides.clear();
  };
};

/** The state, without when and by whom it was found out. */
const ending = async (world: OnchainWorld, id: string) => {
  const { status, captured, refunded, held, nextAction } = await world.paymentService.get(acme, id);
  const facts = await world.paymentService.timeline(acme, id);
  const { items } = await world.ledger.entries(acme, { limit: 1_000 });
  const told = (await world.emitted()).filter(({ type }) => /^payments\.(payment|receipt)\./.test(type));
  return {
    ...{ status, captured, refunded, held, nextAction },
    facts: facts.map(({ key, amount }) => `${key} ${amount}`).sort(),
    entries: items.map(({ transaction, account, amount }) => `${transaction} ${account} ${amount}`).sort(),
    trial: (await world.ledger.trialBalance(acme, { currency: 'USD', book: 'test', limit: 50 })).difference,
    told: told.map(({ id: event, type, data }) => `${event} ${type} ${JSON.stringify(data)}`).sort(),
  };
};

/** Each run has a chain of its own: what was mined for one address stays. */
export const onchainConvergence = ({ driver: faulty = (one) => one, reader }: PlantedOnchain = {}) => {
  const play = async (outside: Outside, { steps, last }: Story): Promise<void> => {
    const { chain, clock } = outside;
    const worldOn = (driver: Driver): OnchainWorld =>
      onchainWorld(databaseOn(faulty(driver), { now: clock.now }), outside, reader);
    const drivers = [embeddedDriver(), embeddedDriver()] as const;
    const [inOrder, shuffled] = [worldOn(drivers[0]), worldOn(drivers[1])];
    const wake = async (world: OnchainWorld, tick: DomainEvent): Promise<void> => {
      await world.run(startChainPolls, tick);
      await world.settle();
    };
    const poll = async (tier: 'open' | 'closed'): Promise<void> => {
      // Leases of the dead end.
      clock.advance(200_000);
      for (const world of [inOrder, shuffled]) await wake(world, world.tick(tier));
    };
    for (const world of [inOrder, shuffled]) await world.connect();
    await poll('open');
    const request = askedOnchain({ reference: 'story' });
    const { id, nextAction } = await inOrder.paymentService.create(acme, request);
    await shuffled.paymentService.create(acme, request);
    if (nextAction?.kind !== 'transfer') throw new Error('There is nothing to be sent.');
    const { address } = nextAction;

    const disturbed = async ({ isLost, isRepeated, isDoubled, node, dies, when }: Fate): Promise<void> => {
      const tick = shuffled.tick('open');
      const restore = spoil(outside, node);
      if (dies > 0) {
        const killer = killAt(dies, when);
        await wake(worldOn(killer.driver(drivers[1])), tick).catch(() => undefined);
      }
      const workers = isLost ? [] : isDoubled ? [shuffled, worldOn(drivers[1])] : [shuffled];
      await Promise.all(workers.map((world) => wake(world, tick)));
      if (isRepeated && !isLost) await wake(shuffled, tick);
      restore();
    };
    for (const { action: one, fate: how } of steps) {
      act(outside, address, one);
      clock.advance(minute);
      await wake(inOrder, inOrder.tick('open'));
      await disturbed(how);
    }
    // The time is over, and everything that was made in it is final.
    clock.advance(33 * minute);
    chain.mine();
    chain.finalise();
    await disturbed(last);
    for (const tier of ['open', 'open', 'open', 'closed', 'closed'] as const) await poll(tier);

    const [expected, actual] = [await ending(inOrder, id), await ending(shuffled, id)];
    expect(actual).toEqual(expected);
    expect(expected.trial).toBe(0);
    expect(new Set(actual.told).size).toBe(actual.told.length);
    const booked = actual.captured + actual.held;
    expect(await shuffled.ledger.balance(acme, 'test:gateway:onchain:pending@USD').catch(() => 0)).toBe(booked);
    // As the chain has it, where everything is of the one currency.
    if (sentTo(outside, address, eurc) === 0) expect(booked).toBe(sentTo(outside, address, usdc));
  };

  const run = async (told: Story): Promise<void> => {
    const outside = await startOutside();
    try {
      await play(outside, told);
    } finally {
      await outside.stop();
    }
  };
  return { story, run };
};
