import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { money } from '../../kernel/money.ts';
import { type Charge, type Discount, reckon } from './invoice.totals.ts';
import type { TaxDecision } from './tax.schema.ts';

fc.configureGlobal({ seed: 20_260_101 });

const vat = (percent: number): TaxDecision => ({
  category: percent === 0 ? 'Z' : 'S',
  rate: percent * 10_000,
  country: 'DE',
  reason: 'Domestic supply',
});
const charge = (amount: number, change: Partial<Charge> = {}): Charge => ({
  product: 'prod_1',
  amount: money(amount, 'EUR'),
  discountable: true,
  taxBehaviour: 'exclusive',
  tax: vat(19),
  ...change,
});
const inclusive = { taxBehaviour: 'inclusive' } as const;
const percent = (basisPoints: number, products: string[] = []): Discount => ({
  discount: { kind: 'percent', basisPoints },
  products,
});
const off = (amount: number): Discount => ({ discount: { kind: 'amount', amounts: { EUR: amount } }, products: [] });

const totalsOf = (
  charges: readonly Charge[],
  discounts: readonly Discount[] = [],
  rounding: 'per-rate' | 'per-line' = 'per-rate',
) => {
  const { totals } = reckon(charges, { discounts, rounding, currency: 'EUR' });
  const { subtotal, discount, net, tax, total } = totals;
  return [subtotal, discount, net, tax, total].map(({ amount }) => amount);
};

describe('the sums of an invoice', () => {
  it('have tax on top of prices without it', () => {
    // 10,000 × 0.19 = 1,900
    expect(totalsOf([charge(10_000)])).toEqual([10_000, 0, 10_000, 1_900, 11_900]);
  });

  it('take tax out of prices that include it', () => {
    // 11,900 / 1.19 = 10,000; 999 / 1.19 = 839.50 → 839 (839.4957…), tax 160
    expect(totalsOf([charge(11_900, inclusive)])).toEqual([11_900, 0, 10_000, 1_900, 11_900]);
    expect(totalsOf([charge(999, inclusive)])).toEqual([999, 0, 839, 160, 999]);
  });

  it('round tax once for each rate, or on each line', () => {
    // Three of 103: 103 × 0.19 = 19.57 → 20 each, 60; 309 × 0.19 = 58.71 → 59.
    const three = [charge(103), charge(103), charge(103)];
    expect(totalsOf(three)[3]).toBe(59);
    expect(totalsOf(three, [], 'per-line')[3]).toBe(60);
  });

  it('keep rates apart', () => {
    const { totals } = reckon([charge(1_000), charge(2_000, { tax: vat(7) }), charge(500)], {
      discounts: [],
      rounding: 'per-rate',
      currency: 'EUR',
    });
    expect(totals.groups.map(({ rate, taxable, tax }) => [rate, taxable, tax])).toEqual([
      [190_000, 1_500, 285],
      [70_000, 2_000, 140],
    ]);
  });

  it('take a percentage off every line, credits too', () => {
    // 25 % of 10,000 − 2,000 = 8,000: 2,000 off, 6,000 × 0.19 = 1,140
    expect(totalsOf([charge(10_000), charge(-2_000)], [percent(2_500)])).toEqual([8_000, 2_000, 6_000, 1_140, 7_140]);
  });

  it('take an amount off what is charged, by size, and never more than there is', () => {
    const { lines } = reckon([charge(1_000), charge(3_000), charge(-500)], {
      discounts: [off(400)],
      rounding: 'per-rate',
      currency: 'EUR',
    });
    expect(lines.map(({ discount }) => discount.amount)).toEqual([100, 300, 0]);
    expect(totalsOf([charge(1_000)], [off(5_000)])).toEqual([1_000, 1_000, 0, 0, 0]);
  });

  it('take discounts one after the other, and only off what they hold for', () => {
    // 10 % of 10,000, then 500 of what is left; the other product is not in it.
    const both = [charge(10_000), charge(1_000, { product: 'prod_2' })];
    expect(totalsOf(both, [percent(1_000, ['prod_1']), off(500)])[1]).toBe(1_500);
    expect(totalsOf([charge(1_000, { discountable: false })], [percent(5_000)])[1]).toBe(0);
  });

  const charges = fc.array(
    fc
      .tuple(fc.integer({ min: -100_000, max: 1_000_000 }), fc.constantFrom(0, 7, 19, 25), fc.boolean(), fc.boolean())
      .map(([amount, rate, isInclusive, discountable]) =>
        charge(amount, { tax: vat(rate), discountable, ...(isInclusive ? inclusive : {}) }),
      ),
    { maxLength: 12 },
  );
  const discounts = fc.array(
    fc.oneof(
      fc.integer({ min: 1, max: 10_000 }).map((n) => percent(n)),
      fc.integer({ min: 1, max: 99_999 }).map(off),
    ),
    { maxLength: 3 },
  );

  it('agree with each other: lines with nets, rates with taxes, and what includes tax with the total', () => {
    fc.assert(
      fc.property(
        charges,
        discounts,
        fc.constantFrom('per-rate' as const, 'per-line' as const),
        (some, less, rounding) => {
          const { lines, totals } = reckon(some, { discounts: less, rounding, currency: 'EUR' });
          const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
          expect(sum(lines.map(({ net }) => net.amount))).toBe(totals.net.amount);
          expect(sum(totals.groups.map(({ taxable }) => taxable))).toBe(totals.net.amount);
          expect(sum(totals.groups.map(({ tax }) => tax))).toBe(totals.tax.amount);
          expect(totals.net.amount + totals.tax.amount).toBe(totals.total.amount);
          expect(sum(lines.map(({ discount }) => discount.amount))).toBe(totals.discount.amount);
          if (some.every(({ taxBehaviour }) => taxBehaviour === 'inclusive')) {
            expect(totals.total.amount).toBe(totals.subtotal.amount - totals.discount.amount);
          }
          if (some.every(({ taxBehaviour }) => taxBehaviour === 'exclusive')) {
            expect(totals.net.amount).toBe(totals.subtotal.amount - totals.discount.amount);
          }
        },
      ),
    );
  });
});
