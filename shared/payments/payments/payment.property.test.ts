import fc from 'fast-check';
import { afterAll, it } from 'vitest';
import { openConvergence } from '#tests/support/convergence.ts';

const { story, run, close } = await openConvergence();
afterAll(close);

it('ends as it does in order, however events come and wherever workers die', { timeout: 120_000 }, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 100 });
});
