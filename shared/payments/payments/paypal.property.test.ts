import fc from 'fast-check';
import { afterAll, describe, it } from 'vitest';
import type { Planted } from '#tests/support/convergence.ts';
import { expectFound } from '#tests/support/finding.ts';
import { openPayPalConvergence } from '#tests/support/paypal/convergence.ts';
import {
  answeredFromMemory,
  bookedApart,
  changedOnceOnly,
  lastOneOnly,
  withoutFailedChanges,
} from '#tests/support/planted-bugs.ts';

const { story, run, close } = await openPayPalConvergence();
afterAll(close);

it("ends as it does in order, however PayPal's events come and wherever workers die", {
  timeout: 300_000,
}, async () => {
  await fc.assert(fc.asyncProperty(story, run), { numRuns: 100 });
});

describe('the property', () => {
  it.each<[string, Planted]>([
    ['an effect outside of the commit, under no natural key', { driver: bookedApart }],
    ['facts that are taken from the last refund and dispute alone', { gateway: lastOneOnly }],
    ['an answer of the gateway that is not asked for anew', { gateway: answeredFromMemory }],
    ['what is given back of changed money in the currency that it came in', { gateway: changedOnceOnly }],
    ['a change of currency that is forgotten with the refund that failed', { gateway: withoutFailedChanges }],
  ])('finds %s', { timeout: 300_000 }, async (_bug, planted) => {
    const world = await openPayPalConvergence(planted);
    try {
      await expectFound(fc.asyncProperty(world.story, world.run), { by: /AssertionError|never got through/ });
    } finally {
      await world.close();
    }
  });
});
