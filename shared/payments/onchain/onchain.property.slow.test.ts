import fc from 'fast-check';
import { it } from 'vitest';
import { onchainConvergence } from '#tests/support/onchain-convergence.ts';

const { story, run } = onchainConvergence();

it('ends as it does in order, in a thousand stories of a chain', { timeout: 1_800_000 }, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 1_000 });
});
