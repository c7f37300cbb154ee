import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { booksOf, converges, longStories } from '#tests/support/stripe/convergence.ts';
import { startStripeServer } from '#tests/support/stripe-server.ts';
import { manualClock } from '../../kernel/clock.ts';

it("brings Stripe's records and the books to the state of the run in order, 1,000 times", async () => {
  const clock = manualClock();
  const server = await startStripeServer({ now: clock.now });
  afterAll(server.stop);
  await fc.assert(
    fc.asyncProperty(longStories, async (story) => {
      const { expected, actual, stripe, krona } = await converges(server, clock, story);
      expect(actual).toEqual(expected);
      expect(actual).toMatchObject({ parked: 0, dead: 0, differences: [0, 0, 0], owedInKrona: krona });
      expect(booksOf(actual.balances, stripe)).toEqual(stripe);
    }),
    { numRuns: 1_000 },
  );
}, 600_000);
