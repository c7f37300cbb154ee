import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { expectFound } from '#tests/support/finding.ts';
import { bookedApart } from '#tests/support/planted-bugs.ts';
import {
  booksOf,
  converges,
  longStories,
  type Planted,
  stories,
  workerSide,
} from '#tests/support/stripe/convergence.ts';
import {
  answeredFromMemory,
  bankedWhenPaid,
  paidAtOnce,
  settledAtFirstSight,
  withoutFailedRefunds,
  withoutRecovery,
  withoutVoidNotes,
} from '#tests/support/stripe/planted-bugs.ts';
import { tell } from '#tests/support/stripe/story.ts';
import { startStripeServer } from '#tests/support/stripe-server.ts';
import { manualClock } from '../../kernel/clock.ts';

const open = async () => {
  const clock = manualClock();
  const server = await startStripeServer({ now: clock.now });
  afterAll(server.stop);
  return { clock, server };
};

describe("records of Stripe's objects, and the books of them", () => {
  it('are in the end as if all events had come once and in order, whatever is repeated, delayed, lost or killed', {
    timeout: 120_000,
  }, async () => {
    const { clock, server } = await open();
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        const { expected, actual, stripe, krona } = await converges(server, clock, story);
        expect(actual).toEqual(expected);
        expect(actual).toMatchObject({ parked: 0, dead: 0, differences: [0, 0, 0], owedInKrona: krona });
        expect(booksOf(actual.balances, stripe)).toEqual(stripe);
      }),
      { numRuns: 100, seed: 20_260_101 },
    );
  });

  it('survive a worker that dies before and after each of its calls', async () => {
    const { clock, server } = await open();
    const events = tell(server, 'acct_1', ['renew', 'end', 'invoice', 'give-up', 'pay', 'direct', 'refund'], clock);
    const whole = await workerSide(server, 'acct_1', clock);
    for (const event of events) await whole.deliver(event);
    await whole.drain();
    for (const when of ['before', 'after'] as const) {
      for (let nth = 1, wasKilled = true; wasKilled; nth += 1) {
        const side = await workerSide(server, 'acct_1', clock);
        wasKilled = false;
        for (const event of events) wasKilled = (await side.deliverDying(event, nth, when)) || wasKilled;
        await side.drain();
        expect(await side.state()).toEqual(await whole.state());
      }
    }
  });

  it('are read once for many events that came before', async () => {
    const { clock, server } = await open();
    const events = tell(server, 'acct_1', ['rename', 'rename', 'rename', 'rename'], clock);
    const side = await workerSide(server, 'acct_1', clock);
    const customers = events.filter(({ type }) => type.startsWith('customer.') && !type.includes('subscription'));
    const [first, ...rest] = customers.map((event) => side.arrived(event));
    clock.advance(60_000);
    const before = server.requests.length;
    for (const event of [first, ...rest]) if (event !== undefined) await side.work(event);
    expect(customers).toHaveLength(5);
    expect(server.requests.length - before).toBe(1);
  });

  it('have nothing of test mode in live mode, and nothing of another tenant’s account', async () => {
    const clock = manualClock();
    const server = await startStripeServer({ now: clock.now, livemode: true });
    afterAll(server.stop);
    const events = tell(server, 'acct_1', [], clock);
    const side = await workerSide(server, 'acct_1', clock);
    for (const event of events) await side.deliver(event);
    await side.drain();
    expect(await side.state()).toMatchObject({ customers: [], subscriptions: [], invoices: [], effects: [] });
    const other = await open();
    const theirs = tell(other.server, 'acct_other', [], other.clock);
    const mine = await workerSide(other.server, 'acct_1', other.clock);
    for (const event of theirs) await mine.deliver(event);
    expect(await mine.state()).toMatchObject({ customers: [], subscriptions: [], invoices: [], effects: [] });
    expect(other.server.requests).toEqual([]);
  });

  it('wait for their customer, and go on when it is known', async () => {
    const { clock, server } = await open();
    const events = tell(server, 'acct_1', [], clock);
    const side = await workerSide(server, 'acct_1', clock);
    const subscription = events.find(({ type }) => type === 'customer.subscription.created');
    if (subscription === undefined) throw new Error('There is no subscription.');
    await side.deliver(subscription);
    expect(await side.state()).toMatchObject({ subscriptions: [], parked: 1 });
    await side.drain();
    expect(await side.state()).toMatchObject({ subscriptions: [{ status: 'active' }], customers: [{}], parked: 0 });
  });
});

describe('the property', () => {
  it.each<[string, Planted]>([
    ['books that are written apart from the record', { driver: bookedApart }],
    ['an invoice that counts as paid at once', { kinds: paidAtOnce }],
    ['credit notes that are forgotten when they are void', { kinds: withoutVoidNotes }],
    ['refunds that are forgotten when they fail', { kinds: withoutFailedRefunds }],
    ['a currency that is changed only where that is known at first', { kinds: settledAtFirstSight }],
    ['payouts that are booked when they are called paid', { kinds: bankedWhenPaid }],
    ['losses that are booked by the status of the moment', { kinds: withoutRecovery }],
    ['an answer of Stripe that is not asked for anew', { kinds: answeredFromMemory }],
  ])('finds %s', { timeout: 120_000 }, async (_bug, planted) => {
    const { clock, server } = await open();
    const property = fc.asyncProperty(longStories, async (story) => {
      const { expected, actual } = await converges(server, clock, story, planted);
      expect(actual).toEqual(expected);
    });
    await expectFound(property, { numRuns: 200 });
  });
});
