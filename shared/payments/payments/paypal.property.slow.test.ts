import fc from 'fast-check';
import { afterAll, it } from 'vitest';
import { openPayPalConvergence } from '#tests/support/paypal/convergence.ts';

const { story, run, close } = await openPayPalConvergence();
afterAll(close);

it("ends as it does in order, however PayPal's events come and wherever workers die", {
  timeout: 1_800_000,
}, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 1_000 });
});
