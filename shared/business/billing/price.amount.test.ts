import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sum } from '../../kernel/money.ts';
import { priceOf } from './price.amount.ts';
import type { Scheme } from './price.schema.ts';

fc.configureGlobal({ seed: 20_260_101 });

const tiers = [
  { upTo: 10, unitAmount: 1_000, flatAmount: 0 },
  { upTo: 50, unitAmount: 800, flatAmount: 500 },
  { upTo: null, unitAmount: 500, flatAmount: 0 },
];
const amount = (scheme: Scheme, quantity: number): number => priceOf(scheme, quantity, 'EUR').amount.amount;

describe('a price', () => {
  it.each<[string, Scheme, number, number]>([
    ['flat, whatever the quantity', { model: 'flat', amount: 4_900 }, 7, 4_900],
    ['per seat', { model: 'per-unit', unitAmount: 2_900 }, 10, 10 * 2_900],
    ['per seat, below its minimum', { model: 'per-unit', unitAmount: 100, minimum: 2_000 }, 7, 2_000],
    ['graduated within the first tier', { model: 'graduated', tiers }, 10, 10 * 1_000],
    ['graduated into the second', { model: 'graduated', tiers }, 11, 10 * 1_000 + 500 + 1 * 800],
    ['graduated into the last', { model: 'graduated', tiers }, 60, 10 * 1_000 + 500 + 40 * 800 + 10 * 500],
    ['graduated of nothing', { model: 'graduated', tiers }, 0, 0],
    ['by volume, all at the second tier', { model: 'volume', tiers }, 11, 11 * 800 + 500],
    ['by volume, all at the last', { model: 'volume', tiers }, 60, 60 * 500],
    ['by packages, one begun is one paid', { model: 'package', amount: 700, size: 1_000 }, 2_001, 3 * 700],
    ['by packages, exactly full', { model: 'package', amount: 700, size: 1_000 }, 2_000, 2 * 700],
  ])('is %s', (_what, scheme, quantity, expected) => {
    expect(amount(scheme, quantity)).toBe(expected);
  });

  it('says what it consists of', () => {
    expect(priceOf({ model: 'graduated', tiers, minimum: 20_000 }, 11, 'EUR').parts).toEqual([
      { description: '10 at tier 1 to 10', quantity: 10, amount: { amount: 10_000, currency: 'EUR' } },
      { description: '1 at tier 11 to 50', quantity: 1, amount: { amount: 1_300, currency: 'EUR' } },
      { description: 'Up to the minimum', quantity: 1, amount: { amount: 20_000 - 11_300, currency: 'EUR' } },
    ]);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('is not reckoned for %d units', (quantity) => {
    expect(() => amount({ model: 'per-unit', unitAmount: 1 }, quantity)).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
  });

  it('does not overflow in silence', () => {
    expect(() => amount({ model: 'per-unit', unitAmount: 1_000_000_000 }, 1_000_000_000)).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
  });
});

const units = fc.integer({ min: 0, max: 100_000 });
const tierList = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: 1, max: 50_000 }), { maxLength: 5 }),
    fc.array(fc.record({ unitAmount: units, flatAmount: units }), { minLength: 6, maxLength: 6 }),
  )
  .map(([ends, prices]) =>
    [...ends.toSorted((a, b) => a - b), null].map((upTo, i) => ({ upTo, unitAmount: 0, flatAmount: 0, ...prices[i] })),
  );
const minimum = fc.option(units, { nil: undefined });
const scheme: fc.Arbitrary<Scheme> = fc.oneof(
  fc.record({ model: fc.constant('flat' as const), amount: units }),
  fc.record({ model: fc.constant('per-unit' as const), unitAmount: units, minimum }),
  fc.record({ model: fc.constantFrom('graduated' as const, 'volume' as const), tiers: tierList, minimum }),
  fc.record({
    model: fc.constant('package' as const),
    amount: units,
    size: fc.integer({ min: 1, max: 9_999 }),
    minimum,
  }),
);

describe('any price', () => {
  it('has parts that sum to the whole', () => {
    fc.assert(
      fc.property(scheme, fc.integer({ min: 0, max: 200_000 }), (any, quantity) => {
        const { amount: whole, parts } = priceOf(any, quantity, 'EUR');
        expect(
          sum(
            parts.map((part) => part.amount),
            'EUR',
          ),
        ).toEqual(whole);
      }),
    );
  });

  it('costs no less for more, but by volume', () => {
    const quantities = fc.tuple(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 100_000 }));
    fc.assert(
      fc.property(scheme, quantities, (any, [few, more]) => {
        fc.pre(any.model !== 'volume');
        expect(amount(any, few + more)).toBeGreaterThanOrEqual(amount(any, few));
      }),
    );
  });

  it('is continuous where tiers have the same unit amount', () => {
    fc.assert(
      fc.property(tierList, units, fc.integer({ min: 0, max: 100_000 }), (list, unitAmount, quantity) => {
        const same = list.map((tier) => ({ ...tier, unitAmount, flatAmount: 0 }));
        const flat = amount({ model: 'per-unit', unitAmount }, quantity);
        expect(amount({ model: 'graduated', tiers: same }, quantity)).toBe(flat);
        expect(amount({ model: 'volume', tiers: same }, quantity)).toBe(flat);
      }),
    );
  });
});
