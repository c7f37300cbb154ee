import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charged } from '#tests/support/charged-invoice.ts';
import { isOmniError } from '../../kernel/errors.ts';

const hour = 3_600_000;
type There = Awaited<ReturnType<typeof charged>>;
type Step = (there: There) => Promise<unknown>;

const amount = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 15_000 }));
const nth = fc.integer({ min: 1, max: 2 });
const way = fc.constantFrom('payment-method' as const, 'wallet' as const, 'elsewhere' as const);

interface Named {
  readonly name: string;
  readonly run: Step;
}
const named = (name: string, run: Step): Named => ({ name, run });
const own = (of: number, { invoice }: There): string => `${invoice}:${of}`;

/** What staff do. */
const byStaff: readonly fc.Arbitrary<Named>[] = [
  amount.map((sum) =>
    named(`by hand ${sum}`, ({ world, actor, invoice }) => world.billingInvoices.pay(actor, invoice, sum)),
  ),
  fc.tuple(fc.option(fc.integer({ min: 1, max: 10_000 })), way).map(([sum, refund]) =>
    named(`credit ${sum ?? 'all'} by ${refund}`, ({ world, actor, invoice }) => {
      const lines = sum === null ? undefined : [{ line: 0, amount: sum }];
      return world.billingInvoices.credit(actor, invoice, { reason: 'Outage', lines, refund });
    }),
  ),
  fc
    .tuple(fc.option(amount), way)
    .map(([sum, to]) =>
      named(`pay back ${sum ?? 'all'} by ${to}`, ({ world, actor, invoice }) =>
        world.billingInvoices.refund(actor, invoice, { to, amount: sum ?? undefined }),
      ),
    ),
  fc.constant(named('given up', ({ world, actor, invoice }) => world.billingInvoices.giveUp(actor, invoice))),
  fc.constant(named('void', ({ world, actor, invoice }) => world.billingInvoices.void(actor, invoice))),
];

/** What customers and gateways do. */
const byOthers: readonly fc.Arbitrary<Named>[] = [
  fc.constantFrom('paid' as const, 'pending' as const).map((how) => named(`charge ${how}`, (there) => there[how]())),
  amount.map((sum) => named(`settle ${sum}`, async ({ charges }) => charges.settle(sum))),
  fc
    .tuple(nth, amount)
    .map(([of, sum]) => named(`${of} took ${sum}`, async (there) => there.charges.tookMore(own(of, there), sum))),
  nth.map((of) => named(`${of} gives up`, (there) => there.charges.cancel(there.actor.tenant, own(of, there)))),
  fc.constant(named('an attempt to give up is lost', async ({ charges }) => charges.loseNextCancel())),
  fc
    .tuple(nth, amount)
    .map(([of, sum]) =>
      named(`${of} paid back ${sum}`, async (there) => there.charges.paidBackAtMost(own(of, there), sum)),
    ),
  fc
    .constantFrom('succeeded' as const, 'pending' as const, 'failed' as const)
    .map((how) => named(`refunds: ${how}`, async ({ charges }) => charges.decideRefunds(how))),
];

/** What time does. */
const byTime: readonly fc.Arbitrary<Named>[] = [
  nth.map((of) => named(`${of} is told`, (there) => there.told(of))),
  nth.map((of) => named(`a refund of ${of} is told`, (there) => there.refunded(of))),
  fc.constant(named('events', (there) => there.deliver())),
  fc.constant(
    named('a day', ({ clock, collect }) => {
      clock.advance(25 * hour);
      return collect();
    }),
  ),
];
const step = fc.oneof(...byStaff, ...byOthers, ...byOthers, ...byTime);
/** It begins with a charge, so that there is something to be decided. */
const story = fc.array(step, { minLength: 8, maxLength: 20, size: 'max' });

/** Does it, or nothing where it is refused. */
const tried = async (there: There, { run }: Named): Promise<void> => {
  try {
    await run(there);
  } catch (error) {
    if (!isOmniError(error)) throw error;
  }
};

/** Lets everything be decided and told. */
const ended = async (there: There): Promise<void> => {
  const { charges, clock, collect, told, refunded, deliver } = there;
  charges.settle();
  charges.decideRefunds('succeeded');
  for (let round = 0; round < 3; round += 1) {
    clock.advance(25 * hour);
    await collect();
    for (let of = 1; of <= charges.made.size; of += 1) {
      await told(of);
      await refunded(of);
    }
    await deliver();
  }
};

const sum = (all: readonly number[]): number => all.reduce((whole, one) => whole + one, 0);

describe('an invoice, whatever happens to it in whatever order', () => {
  it('has books that say where every cent is', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (steps) => {
        const there = await charged();
        await there.pending();
        for (const one of steps) await tried(there, one);
        await ended(there);
        const { world, actor, customer, charges, balance } = there;
        const { status, total, credited, due, toRefund, payments, refunds, charge } = await there.stateOf();
        const results = [...charges.made.values()].map(({ result }) => result);
        const taken = results.map((result) => (result.status === 'succeeded' ? result.captured : 0));
        const back = results.map((result) => (result.status === 'succeeded' ? result.refunded : 0));
        const byHand = payments.filter(({ reference }) => reference === null).map((one) => one.amount);
        const backByHand = refunds.filter(({ to }) => to === 'elsewhere').map((one) => one.amount);
        const wallet = (await world.walletService.get(actor, customer)).balances.map((one) => one.balance);
        const books = balance();
        const earned = status === 'void' ? 0 : total - credited;
        const of = (account: string): number => books[account] ?? 0;
        expect(charge).toBeNull();
        expect({
          unapplied: of('unapplied'),
          cash: of('cash'),
          credit: of('customer-credit'),
          earned: of('revenue') + of('tax-payable'),
          owed: of('receivables'),
          lost: of('bad-debt'),
        }).toEqual({
          unapplied: sum(taken) - sum(back),
          cash: sum(byHand) - sum(backByHand),
          credit: 0 - sum(wallet),
          earned: 0 - earned,
          owed: (status === 'open' ? due : 0) - toRefund,
          lost: status === 'uncollectible' ? due : 0,
        });
        // No gateway pays back more than it took, and nobody is asked twice for the same refund.
        expect(back.every((one, i) => one <= (taken[i] ?? 0))).toBe(true);
      }),
      { numRuns: 200 },
    );
  }, 60_000);
});
