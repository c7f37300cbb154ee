import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { currencyCodes, isCurrency, minorDigits } from './currencies.ts';
import {
  add,
  allocate,
  compare,
  fromDecimal,
  fromUnits,
  type Money,
  money,
  negate,
  scale,
  subtract,
  sum,
  toDecimal,
  toUnits,
} from './money.ts';

const eur = (amount: number): Money => money(amount, 'EUR');
const amounts = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });

describe('currencies', () => {
  it('are the ones that Intl knows, with the digits that ISO 4217 gives them', () => {
    const known = new Set(Intl.supportedValuesOf('currency'));
    // Younger than the tables of some builds.
    const young = new Set(['XCG', 'ZWG', 'VED']);
    expect(currencyCodes.filter((code) => !known.has(code) && !young.has(code))).toEqual([]);
    expect(new Set(currencyCodes).size).toBe(currencyCodes.length);
    expect(['JPY', 'ISK', 'UGX', 'EUR', 'HUF', 'TWD', 'KWD'].map(minorDigits)).toEqual([0, 0, 0, 2, 2, 2, 3]);
    expect(['XAU', 'XTS', 'eur', 'constructor', ''].map(isCurrency)).toEqual([false, false, false, false, false]);
  });
});

describe('money', () => {
  it.each([[1.5], [Number.NaN], [2 ** 53], [Number.POSITIVE_INFINITY]])('is no %s', (amount) => {
    expect(() => eur(amount)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });

  it('is reckoned in one currency only, and never overflows in silence', () => {
    expect(() => add(eur(1), money(1, 'USD'))).toThrow(expect.objectContaining({ code: 'invalid-request' }));
    expect(() => compare(eur(1), money(1, 'USD'))).toThrow();
    expect(() => add(eur(Number.MAX_SAFE_INTEGER), eur(1))).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    );
    expect(() => scale(eur(Number.MAX_SAFE_INTEGER), 2, 1)).toThrow();
    expect(subtract(eur(5), eur(7))).toEqual(eur(-2));
    expect(Object.is(negate(eur(0)).amount, 0)).toBe(true);
  });

  it.each([
    // 250 * 11 / 30 = 91.67
    [250, 11, 30, 'half-up', 92],
    [250, 11, 30, 'down', 91],
    [5, 1, 2, 'half-up', 3],
    [5, 1, 2, 'half-even', 2],
    [7, 1, 2, 'half-even', 4],
    [-5, 1, 2, 'half-up', -3],
    [-5, 1, 2, 'half-even', -2],
    [-5, 1, 4, 'up', -2],
    [5, -1, 2, 'half-up', -3],
    // More than a double can hold on the way.
    [9_007_199_254_740_991, 9_007_199_254_740_990, 9_007_199_254_740_991, 'half-up', 9_007_199_254_740_990],
  ] as const)('%d times %d/%d, %s, is %d', (amount, numerator, denominator, rounding, expected) => {
    expect(scale(eur(amount), numerator, denominator, rounding)).toEqual(eur(expected));
  });

  it('scaled as a credit is the mirror of the charge', () => {
    fc.assert(
      fc.property(amounts, fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 1, max: 1_000 }), (n, a, b) => {
        expect(scale(negate(eur(n)), a, b)).toEqual(negate(scale(eur(n), a, b)));
      }),
    );
  });

  it('split into parts is the whole, each part within a minor unit of its share', () => {
    const weights = fc
      .array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1, maxLength: 20 })
      .filter((all) => all.some((weight) => weight > 0));
    fc.assert(
      fc.property(amounts, weights, (n, all) => {
        const parts = allocate(eur(n), all);
        expect(sum(parts, 'EUR')).toEqual(eur(n));
        const total = all.reduce((a, b) => a + b, 0);
        parts.forEach(({ amount }, i) => {
          expect(Math.abs(amount - (n * (all[i] ?? 0)) / total)).toBeLessThan(1);
        });
      }),
    );
    expect(allocate(eur(100), [1, 1, 1]).map(({ amount }) => amount)).toEqual([34, 33, 33]);
    expect(allocate(eur(-100), [1, 1, 1]).map(({ amount }) => amount)).toEqual([-34, -33, -33]);
  });

  it('is written as a decimal and read back', () => {
    fc.assert(
      fc.property(amounts, fc.constantFrom('EUR', 'JPY', 'KWD'), (n, currency) => {
        expect(fromDecimal(toDecimal(money(n, currency)), currency)).toEqual(money(n, currency));
      }),
    );
    expect(toDecimal(eur(-5))).toBe('-0.05');
    expect(fromDecimal('10.500', 'EUR')).toEqual(eur(1_050));
  });

  it('is told in other units where a system has them, and refused where that is not exact', () => {
    // PayPal takes whole forints; Stripe takes krónur with two zeros.
    expect(toUnits(money(120_000, 'HUF'), 0)).toBe(1_200);
    expect(fromUnits(1_200, 'HUF', 0)).toEqual(money(120_000, 'HUF'));
    expect(toUnits(money(5, 'ISK'), 2)).toBe(500);
    expect(fromUnits(500, 'ISK', 2)).toEqual(money(5, 'ISK'));
    expect(() => toUnits(money(120_050, 'HUF'), 0)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
    expect(() => fromUnits(550, 'ISK', 2)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });

  it.each(['1.005', '1,00', '1e3', ' 1', '', '--1', '0x10', '1.', '9'.repeat(17)])('is not "%s"', (text) => {
    expect(() => fromDecimal(text, 'EUR')).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });
});
