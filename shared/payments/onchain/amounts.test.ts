import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { money } from '../../kernel/money.ts';
import { decimalOf, unitsFor, worthOf } from './amounts.ts';

describe('amounts of a token', () => {
  it.each([
    // 25.00 USD at par: 25 tokens.
    [money(2_500, 'USD'), { price: '1', decimals: 6 }, 25_000_000n],
    [money(2_500, 'USD'), { price: '1', decimals: 18 }, 25_000_000_000_000_000_000n],
    // 25.00 EUR, a token is worth 0.92 EUR: 25 / 0.92 = 27.1739130…, rounded up to six digits.
    [money(2_500, 'EUR'), { price: '0.92', decimals: 6 }, 27_173_914n],
    [money(2_500, 'EUR'), { price: '0.92', decimals: 18 }, 27_173_914_000_000_000_000n],
    // 500 JPY, a token is worth 150 JPY: 3.333…
    [money(500, 'JPY'), { price: '150', decimals: 6 }, 3_333_334n],
    // 1.234 KWD, a token is worth 0.3 KWD: 4.11333…
    [money(1_234, 'KWD'), { price: '0.3', decimals: 6 }, 4_113_334n],
    // A token with fewer digits than are typed.
    [money(101, 'USD'), { price: '1', decimals: 1 }, 11n],
  ])('%o at %o are %s units', (amount, pricing, units) => {
    expect(unitsFor(amount, pricing)).toBe(units);
  });

  it('are never worth less than what was asked, and at most a unit more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 999_999_999_999 }),
        fc.integer({ min: 1, max: 10 ** 9 }),
        fc.constantFrom('USD', 'JPY', 'KWD'),
        fc.constantFrom(6, 8, 18),
        (amount, price, currency, decimals) => {
          const pricing = { price: (price / 10_000).toFixed(4), decimals };
          const units = unitsFor(money(amount, currency), pricing);
          const step = 10n ** BigInt(Math.max(0, decimals - 6));
          expect(worthOf(units, currency, pricing).amount).toBeGreaterThanOrEqual(amount);
          expect(worthOf(units - step, currency, pricing).amount).toBeLessThan(amount);
        },
      ),
    );
  });

  it.each([
    [25_500_000n, 6, '25.5'],
    [25_000_000n, 6, '25'],
    [1n, 18, '0.000000000000000001'],
    [7n, 0, '7'],
  ])('%s with %s decimals are %s', (units, decimals, text) => {
    expect(decimalOf(units, decimals)).toBe(text);
  });

  it.each(['', '0', '0.0', '-1', '1e3', 'NaN', '1.2.3'])('have no price of %o', (price) => {
    expect(() => unitsFor(money(1, 'USD'), { price, decimals: 6 })).toThrow('This is no price.');
  });
});
