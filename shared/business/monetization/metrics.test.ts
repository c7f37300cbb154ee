import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cohorts, revenueMetrics } from './metrics.ts';
import type { Movement } from './movement.schema.ts';

fc.configureGlobal({ seed: 20_260_101 });

const move = (customer: string, day: string, delta: number): Movement => ({
  customer,
  subscription: `sub_${customer}`,
  currency: 'EUR',
  delta,
  at: `${day}T12:00:00.000Z`,
});
const [january, february] = ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'];

/** At the start of January a pays 100, b 200, c 300 and d 400: 1,000 in all. */
const before = [
  move('a', '2025-10-05', 100),
  move('b', '2025-11-05', 200),
  move('c', '2025-11-06', 300),
  move('d', '2025-12-05', 400),
];
const inJanuary = [
  move('a', '2026-01-10', 50),
  move('b', '2026-01-11', -80),
  move('c', '2026-01-12', -300),
  move('e', '2026-01-13', 500),
  move('f', '2026-01-14', 70),
  move('f', '2026-01-20', -70),
  move('f', '2026-01-25', 90),
];

describe('revenue of a month', () => {
  const metrics = revenueMetrics([...before, ...inJanuary], january, february);

  it('goes from start to end by its movements', () => {
    // 1,000 + 570 (e 500, f 70) + 50 − 80 − 370 (c 300, f 70) + 90 = 1,260
    expect(metrics).toMatchObject({ mrrStart: 1_000, mrr: 1_260, arr: 12 * 1_260, customersStart: 4, customers: 5 });
    expect(metrics.movements).toEqual({ new: 570, expansion: 50, contraction: -80, churn: -370, reactivation: 90 });
  });

  it('is retained by those who were there at its start', () => {
    // a 150, b 120, c 0, d 400 of 1,000; without what a pays more 620
    expect(metrics.netRevenueRetention).toBeCloseTo(670 / 1_000, 12);
    expect(metrics.grossRevenueRetention).toBeCloseTo(620 / 1_000, 12);
    expect(metrics.revenueChurn).toBeCloseTo(380 / 1_000, 12);
    expect(metrics.logoChurn).toBe(1 / 4);
  });

  it('makes a lifetime value of what a customer pays and how soon they leave', () => {
    expect(metrics.averageRevenue).toBe(1_260 / 5);
    // A month has 365 / 12 days, January 31: the monthly rate of 25 % in 31 days is 1 − 0.75^((365 / 12) / 31) = 24.59 %.
    const monthly = 1 - 0.75 ** (365 / 12 / 31);
    expect(metrics.lifetimeValue).toBeCloseTo(252 / monthly, 6);
  });

  it('says nothing where there is nothing to divide by', () => {
    expect(revenueMetrics([], january, february)).toMatchObject({
      mrr: 0,
      netRevenueRetention: null,
      logoChurn: null,
      averageRevenue: null,
      lifetimeValue: null,
    });
  });

  it('is that of the customer, whatever moves between their subscriptions at once', () => {
    const swap = [move('a', '2026-01-10', -100), { ...move('a', '2026-01-10', 130), subscription: 'sub_other' }];
    expect(revenueMetrics([...before, ...swap], january, february).movements).toMatchObject({
      expansion: 30,
      churn: 0,
    });
  });

  it('is the same in whatever order the log is read, and its movements sum to the difference', () => {
    const log = fc.array(
      fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 89 }), fc.integer({ min: -50, max: 100 })),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(log, (raw) => {
        const level = new Map<string, number>();
        const all = raw
          .toSorted(([, a], [, b]) => a - b)
          .flatMap(([who, day, delta]) => {
            const next = Math.max(0, (level.get(who) ?? 0) + delta);
            const change = next - (level.get(who) ?? 0);
            level.set(who, next);
            return change === 0
              ? []
              : [move(who, new Date(Date.parse('2025-12-01') + day * 86_400_000).toISOString().slice(0, 10), change)];
          });
        const result = revenueMetrics(all, january, february);
        expect(revenueMetrics(all.toReversed(), january, february)).toEqual(result);
        const moved = Object.values(result.movements).reduce((a, b) => a + b, 0);
        expect(result.mrrStart + moved).toBe(result.mrr);
        expect(result.grossRevenueRetention ?? 0).toBeLessThanOrEqual(result.netRevenueRetention ?? 0);
      }),
    );
  });
});

it('cohorts are by the month of the first payment, with who is left of them', () => {
  const found = cohorts([...before, ...inJanuary], '2026-01-31T00:00:00.000Z');
  expect(found.map(({ id, customers }) => [id, customers])).toEqual([
    ['2025-10', 1],
    ['2025-11', 2],
    ['2025-12', 1],
    ['2026-01', 2],
  ]);
  expect(found[1]?.months).toEqual([
    { customers: 2, mrr: 500 },
    { customers: 2, mrr: 500 },
    { customers: 1, mrr: 120 },
  ]);
});
