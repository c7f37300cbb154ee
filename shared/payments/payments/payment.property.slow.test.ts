import fc from 'fast-check';
import { afterAll, it } from 'vitest';
import { openConvergence } from '#tests/support/convergence.ts';

const { story, run, close } = await openConvergence();
afterAll(close);

it('ends as it does in order, in a thousand stories', { timeout: 1_800_000 }, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 1_000 });
});
