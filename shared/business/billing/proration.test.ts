import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { money } from '../../kernel/money.ts';
import { type Held, netOf, prorate, restOf } from './proration.ts';

fc.configureGlobal({ seed: 20_260_101 });

const day = (text: string): number => Date.parse(`${text}T00:00:00.000Z`);
const april = { from: day('2026-04-01'), to: day('2026-05-01') };
const held = (name: string, quantity: number, amount: number): Held => ({
  price: `price_${name}`,
  name,
  quantity,
  unit: 'seat',
  amount: money(amount, 'EUR'),
});
const at = day('2026-04-20');

describe('a change in the middle of a period', () => {
  it('gives back the days that are left of the old, charges them of the new, and says so', () => {
    const lines = prorate([held('Pro', 10, 29_000)], [held('Pro', 12, 34_800)], {
      period: april,
      at,
      timeZone: 'Etc/UTC',
    });
    // 20 to 30 April are 11 of 30 days: 29,000 × 11 / 30 = 10,633.33; 34,800 × 11 / 30 = 12,760.
    expect(lines.map(({ amount }) => amount.amount)).toEqual([-10_633, 12_760]);
    expect(lines.map(({ description }) => description)).toEqual([
      'Unused time: 11 of 30 days of Pro (10 seats) from 2026-04-20',
      'Remaining time: 11 of 30 days of Pro (12 seats) from 2026-04-20',
    ]);
    expect(netOf(lines, 'EUR')).toEqual(money(2_127, 'EUR'));
  });

  it('counts the day of the change to the rest, in the tenant’s calendar', () => {
    const late = Date.parse('2026-04-20T23:30:00Z');
    expect(restOf(april, late, 'Etc/UTC')).toEqual({ left: 11, of: 30 });
    expect(restOf({ from: day('2026-04-01'), to: day('2026-05-01') }, late, 'Europe/Berlin').left).toBe(10);
  });

  it('gives back all on the first day, and nothing at the end', () => {
    const only = (when: number) =>
      netOf(prorate([held('Pro', 1, 999)], [], { period: april, at: when, timeZone: 'Etc/UTC' }), 'EUR').amount;
    expect(only(april.from)).toBe(-999);
    expect(only(april.to)).toBe(0);
  });

  const amounts = fc.integer({ min: 0, max: 1_000_000_000 });
  const moments = fc.integer({ min: april.from, max: april.to });

  it('to the same costs nothing, whenever it is made', () => {
    fc.assert(
      fc.property(fc.array(amounts, { maxLength: 5 }), moments, (some, when) => {
        const same = some.map((amount, i) => held(`P${i}`, 1, amount));
        expect(netOf(prorate(same, same, { period: april, at: when, timeZone: 'Etc/UTC' }), 'EUR').amount).toBe(0);
      }),
    );
  });

  it('and back on the same day costs nothing', () => {
    fc.assert(
      fc.property(amounts, amounts, moments, (one, other, when) => {
        const options = { period: april, at: when, timeZone: 'Etc/UTC' };
        const [a, b] = [[held('A', 1, one)], [held('B', 1, other)]];
        const there = netOf(prorate(a, b, options), 'EUR').amount;
        expect(there + netOf(prorate(b, a, options), 'EUR').amount).toBe(0);
      }),
    );
  });

  it('never gives back more than was paid', () => {
    fc.assert(
      fc.property(amounts, moments, (amount, when) => {
        const back = netOf(
          prorate([held('A', 1, amount)], [], { period: april, at: when, timeZone: 'Etc/UTC' }),
          'EUR',
        );
        expect(-back.amount).toBeGreaterThanOrEqual(0);
        expect(-back.amount).toBeLessThanOrEqual(amount);
      }),
    );
  });
});
