import { type Money, money, scale, subtract, sum } from '../../kernel/money.ts';
import type { Interval } from './calendar.ts';
import { type Discount, discountsOf } from './invoice.totals.ts';
import { priceOf } from './price.amount.ts';
import { type Offers, offerOf, schemeOf } from './subscription.lines.ts';
import type { Subscription } from './subscription.schema.ts';

/** An amount of each interval as one of each month: a year has 12, and 365 days, which is 52 weeks and a day. */
export const monthly = (amount: Money, { unit, count }: Interval): Money => {
  switch (unit) {
    case 'month':
      return scale(amount, 1, count);
    case 'year':
      return scale(amount, 1, 12 * count);
    case 'week':
      return scale(amount, 365, 84 * count);
    case 'day':
      return scale(amount, 365, 12 * count);
  }
};

/**
 * Monthly recurring revenue: what is charged in advance, after discounts that hold for good, without tax, usage and what
 * is charged once. Nothing of a trial, of what is paused and of what is over.
 */
export const mrrOf = (
  subscription: Pick<Subscription, 'status' | 'items' | 'currency' | 'interval'>,
  offers: Offers,
  lasting: readonly Discount[],
): Money => {
  const { status, items, currency, interval } = subscription;
  if (status !== 'active' && status !== 'past-due') return money(0, currency);
  const charges = items
    .filter(({ meter }) => meter === null)
    .map(({ price, product, quantity }) => {
      const scheme = schemeOf(offerOf(offers, price), currency);
      return { product, amount: priceOf(scheme, quantity, currency).amount, discountable: true };
    });
  const off = discountsOf(charges, lasting, currency);
  const net = subtract(
    sum(
      charges.map(({ amount }) => amount),
      currency,
    ),
    sum(off, currency),
  );
  return monthly(net, interval);
};
