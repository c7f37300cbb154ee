import fc from 'fast-check';
import { expect } from 'vitest';

/** Holds where a property finds the bug that was planted: by what it asserts, and not as a run that could not be made. */
export const expectFound = async <Story>(
  property: fc.IAsyncProperty<Story>,
  { numRuns = 100, by = /AssertionError/ }: { readonly numRuns?: number; readonly by?: RegExp } = {},
): Promise<void> => {
  const found = await fc.check(property, { numRuns, seed: 20_260_101, endOnFailure: true });
  expect(found).toMatchObject({ failed: true, interrupted: false });
  expect(String(found.errorInstance)).toMatch(by);
};
