import fc from 'fast-check';
import { afterAll, describe, it } from 'vitest';
import { openConvergence, type Planted } from '#tests/support/convergence.ts';
import { expectFound } from '#tests/support/finding.ts';
import { answeredFromMemory, bookedApart, lastOneOnly } from '#tests/support/planted-bugs.ts';

const { story, run, close } = await openConvergence();
afterAll(close);

it('ends as it does in order, however events come and wherever workers die', { timeout: 120_000 }, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 100 });
});

describe('the property', () => {
  it.each<[string, Planted]>([
    ['an effect outside of the commit, under no natural key', { driver: bookedApart }],
    ['facts that are taken from the last refund and dispute alone', { gateway: lastOneOnly }],
    ['an answer of the gateway that is not asked for anew', { gateway: answeredFromMemory }],
  ])('finds %s', { timeout: 120_000 }, async (_bug, planted) => {
    const world = await openConvergence(planted);
    try {
      await expectFound(fc.asyncProperty(world.story, world.run), { by: /AssertionError|never got through/ });
    } finally {
      await world.close();
    }
  });
});
