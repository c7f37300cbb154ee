import { isZero, type Money, negate, scale, sum } from '../../kernel/money.ts';
import { daysBetween, localDay } from './calendar.ts';

/** What a subscription has of one price. */
export interface Held {
  readonly price: string;
  /** Of the product: what stands on the invoice. */
  readonly name: string;
  readonly quantity: number;
  /** Undefined where the quantity does not matter. */
  readonly unit?: 'seat' | undefined;
  /** Of a whole period, after discounts. */
  readonly amount: Money;
}

/** From one moment to another, milliseconds. The end is not in it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface ProrationLine {
  readonly kind: 'proration-credit' | 'proration-charge';
  readonly price: string;
  readonly quantity: number;
  /** Says how it came about: `Unused time: 11 of 30 days of Pro (10 seats)`. */
  readonly description: string;
  readonly amount: Money;
  readonly span: Span;
}

/** How much of a period is left, in whole days of the tenant's calendar. The day of the change belongs to the rest. */
export const restOf = (period: Span, at: number, timeZone: string): { readonly left: number; readonly of: number } => ({
  left: Math.max(0, daysBetween(Math.max(at, period.from), period.to, timeZone)),
  of: Math.max(1, daysBetween(period.from, period.to, timeZone)),
});

/** ` (10 seats)` */
export const seatsOf = ({ unit, quantity }: Pick<Held, 'unit' | 'quantity'>): string =>
  unit === undefined ? '' : ` (${quantity} ${quantity === 1 ? unit : `${unit}s`})`;

/**
 * What a change in the middle of a period costs: what is not used of the old is given back, the rest of the new is
 * charged. Both are the period's amount times days left over days of the period, rounded once half away from zero, so
 * that a change to the same sums to nothing.
 */
export const prorate = (
  before: readonly Held[],
  after: readonly Held[],
  { period, at, timeZone }: { period: Span; at: number; timeZone: string },
): readonly ProrationLine[] => {
  const { left, of } = restOf(period, at, timeZone);
  const span = { from: Math.max(at, period.from), to: period.to };
  const share = (held: Held): Money => scale(held.amount, left, of);
  const line = (kind: ProrationLine['kind'], held: Held, amount: Money): ProrationLine => ({
    kind,
    price: held.price,
    quantity: held.quantity,
    description: `${kind === 'proration-credit' ? 'Unused' : 'Remaining'} time: ${left} of ${of} days of ${held.name}${seatsOf(held)} from ${localDay(span.from, timeZone)}`,
    amount,
    span,
  });
  return [
    ...before.map((held) => line('proration-credit', held, negate(share(held)))),
    ...after.map((held) => line('proration-charge', held, share(held))),
  ].filter(({ amount }) => !isZero(amount));
};

/** The sum of some lines. */
export const netOf = (lines: readonly ProrationLine[], currency: string): Money =>
  sum(
    lines.map(({ amount }) => amount),
    currency,
  );
