import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { balanceOf, type Credit, emptyWallet, settleHold, spend, type Wallet, withCredit, withHold } from './wallet.ts';

fc.configureGlobal({ seed: 20_260_101 });

const now = Date.parse('2026-01-15T00:00:00Z');
const credit = (id: string, remaining: number, expiresAt: string | null = null, currency = 'EUR'): Credit => ({
  id,
  currency,
  amount: remaining,
  remaining,
  reason: 'Test',
  expiresAt,
  createdAt: '2026-01-01T00:00:00.000Z',
});
const of = (...credits: Credit[]): Wallet => credits.reduce((wallet, one) => withCredit(wallet, one, now), emptyWallet);
const left = ({ credits }: Wallet) => Object.fromEntries(credits.map(({ id, remaining }) => [id, remaining]));

describe('a wallet', () => {
  it('spends what expires first, and what never does last', () => {
    const wallet = of(
      credit('never', 100),
      credit('june', 100, '2026-06-01T00:00:00.000Z'),
      credit('may', 50, '2026-05-01T00:00:00.000Z'),
    );
    const after = spend(wallet, 120, 'EUR', now);
    expect(after.spent).toBe(120);
    expect(left(after.wallet)).toEqual({ never: 100, june: 30 });
  });

  it('has nothing of what has expired, from that moment on', () => {
    const wallet = of(credit('a', 100, '2026-02-01T00:00:00.000Z'), credit('b', 1));
    expect(balanceOf(wallet, 'EUR', Date.parse('2026-01-31T23:59:59.999Z')).balance).toBe(101);
    expect(balanceOf(wallet, 'EUR', Date.parse('2026-02-01T00:00:00.000Z')).balance).toBe(1);
  });

  it('keeps currencies apart', () => {
    expect(spend(of(credit('a', 100, null, 'USD')), 50, 'EUR', now).spent).toBe(0);
  });

  it('does not spend what is held, until it is given back or its time is over', () => {
    const held = withHold(
      of(credit('a', 100)),
      { id: 'h', currency: 'EUR', amount: 80, expiresAt: '2026-01-15T01:00:00.000Z' },
      now,
    );
    expect(balanceOf(held, 'EUR', now)).toEqual({ balance: 100, available: 20 });
    expect(spend(held, 100, 'EUR', now).spent).toBe(20);
    expect(spend(held, 100, 'EUR', now + 3_600_000).spent).toBe(100);
    const settled = settleHold(held, 'h', 30, now);
    expect([settled.spent, balanceOf(settled.wallet, 'EUR', now)]).toEqual([30, { balance: 70, available: 70 }]);
    expect(() => settleHold(settled.wallet, 'h', 0, now)).toThrow(expect.objectContaining({ code: 'not-found' }));
    expect(() => settleHold(held, 'h', 81, now)).toThrow(expect.objectContaining({ code: 'precondition-failed' }));
    expect(() =>
      withHold(held, { id: 'i', currency: 'EUR', amount: 21, expiresAt: '2026-01-16T00:00:00.000Z' }, now),
    ).toThrow(expect.objectContaining({ code: 'precondition-failed' }));
  });

  it('never loses or makes money', () => {
    const credits = fc.array(fc.tuple(fc.nat(1_000), fc.option(fc.integer({ min: 1, max: 12 }))), { maxLength: 8 });
    fc.assert(
      fc.property(credits, fc.array(fc.nat(2_000), { maxLength: 6 }), (some, spendings) => {
        let wallet = of(
          ...some.map(([amount, month], i) =>
            credit(`c${i}`, amount, month === null ? null : `2027-${String(month).padStart(2, '0')}-01T00:00:00.000Z`),
          ),
        );
        let balance = balanceOf(wallet, 'EUR', now).balance;
        for (const amount of spendings) {
          const after = spend(wallet, amount, 'EUR', now);
          expect(after.spent).toBe(Math.min(amount, balance));
          balance -= after.spent;
          expect(balanceOf(after.wallet, 'EUR', now).balance).toBe(balance);
          wallet = after.wallet;
        }
      }),
    );
  });
});
