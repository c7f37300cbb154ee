import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectFound } from '#tests/support/finding.ts';
import { onchainConvergence, type PlantedOnchain } from '#tests/support/onchain-convergence.ts';
import { beganTooLate, believedTooSoon, bookedApart } from '#tests/support/planted-bugs.ts';

const { story, run } = onchainConvergence();

it('ends as it does in order, whatever the chain does, however it is read, and wherever workers die', {
  timeout: 300_000,
}, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 100 });
});

describe('the property', () => {
  it.each<[string, PlantedOnchain]>([
    ['an effect outside of the commit, under no natural key', { driver: bookedApart }],
    ['a block that is taken for final too soon', { reader: believedTooSoon }],
    ['a range that begins one block too late', { reader: beganTooLate }],
  ])('finds %s', { timeout: 300_000 }, async (_bug, planted) => {
    const faulty = onchainConvergence(planted);
    await expectFound(fc.asyncProperty(faulty.story, faulty.run));
  });
});
