import { add, allocate, isZero, type Money, money, scale, subtract, sum, zero } from '../../kernel/money.ts';
import type { Coupon } from './coupon.schema.ts';
import type { TaxDecision, TaxGroup } from './tax.schema.ts';

/** Parts per million of one. */
const whole = 1_000_000;

/** What is put on an invoice, before discounts and tax. */
export interface Charge {
  readonly product: string | null;
  readonly amount: Money;
  /** False for what is given without discounts, or has them in it already. */
  readonly discountable: boolean;
  readonly taxBehaviour: 'exclusive' | 'inclusive';
  readonly tax: TaxDecision;
}

export interface ReckonedLine {
  /** What discounts take off the line's amount. */
  readonly discount: Money;
  /** After discounts, without tax. */
  readonly net: Money;
}

export interface Totals {
  /** As priced. */
  readonly subtotal: Money;
  readonly discount: Money;
  readonly net: Money;
  readonly tax: Money;
  readonly total: Money;
  readonly groups: readonly TaxGroup[];
}

export type Discount = Pick<Coupon, 'discount' | 'products'>;
/** What discounts are reckoned on. */
export type Discountable = Pick<Charge, 'product' | 'amount' | 'discountable'>;

const holdsFor = ({ products }: Discount, { product, discountable }: Discountable): boolean =>
  discountable && (products.length === 0 || (product !== null && products.includes(product)));

/** A percentage is taken off every line, credits too, so that what is given back is what was paid. */
const percentOff = (basisPoints: number, left: readonly Money[], eligible: readonly boolean[]): readonly Money[] =>
  left.map((amount) => scale(amount, basisPoints, 10_000)).map((off, i) => (eligible[i] ? off : zero(off.currency)));

/** An amount is taken off the charges, by their size, and never more than there is. */
const amountOff = (off: Money, left: readonly Money[], eligible: readonly boolean[]): readonly Money[] => {
  const weights = left.map(({ amount }, i) => (eligible[i] && amount > 0 ? amount : 0));
  const most = sum(
    weights.map((weight) => money(weight, off.currency)),
    off.currency,
  );
  if (isZero(most)) return left.map(() => zero(off.currency));
  return allocate(off.amount < most.amount ? off : most, weights);
};

/** What every line loses to all discounts, one after the other. */
export const discountsOf = (
  charges: readonly Discountable[],
  discounts: readonly Discount[],
  currency: string,
): readonly Money[] =>
  discounts.reduce<readonly Money[]>(
    (taken, one) => {
      const left = charges.map(({ amount }, i) => subtract(amount, taken[i] ?? zero(currency)));
      const eligible = charges.map((charge) => holdsFor(one, charge));
      const { discount } = one;
      const more =
        discount.kind === 'percent'
          ? percentOff(discount.basisPoints, left, eligible)
          : amountOff(money(new Map(Object.entries(discount.amounts)).get(currency) ?? 0, currency), left, eligible);
      return taken.map((amount, i) => add(amount, more[i] ?? zero(currency)));
    },
    charges.map(() => zero(currency)),
  );

const keyOf = ({ category, rate, country }: TaxDecision): string => `${category}:${rate}:${country}`;

const withoutTax = (gross: Money, rate: number): Money => scale(gross, whole, whole + rate);
const taxOn = (net: Money, rate: number): Money => scale(net, rate, whole);

/** Puts what rounding left over where it matters least: on the largest. */
const settle = (parts: readonly Money[], total: Money): readonly Money[] => {
  const rest = subtract(total, sum(parts, total.currency));
  if (isZero(rest)) return parts;
  const largest = parts.reduce(
    (at, { amount }, i) => (Math.abs(amount) > Math.abs(parts[at]?.amount ?? 0) ? i : at),
    0,
  );
  return parts.map((part, i) => (i === largest ? add(part, rest) : part));
};

interface Reckoned {
  readonly nets: readonly Money[];
  readonly tax: Money;
}

/** Lines of one rate and one behaviour. */
const reckonGroup = (
  amounts: readonly Money[],
  { rate, inclusive, perLine, currency }: { rate: number; inclusive: boolean; perLine: boolean; currency: string },
): Reckoned => {
  const all = sum(amounts, currency);
  if (inclusive) {
    const parts = amounts.map((amount) => withoutTax(amount, rate));
    const nets = perLine ? parts : settle(parts, withoutTax(all, rate));
    return { nets, tax: subtract(all, sum(nets, currency)) };
  }
  const byLine = amounts.map((amount) => taxOn(amount, rate));
  return { nets: amounts, tax: perLine ? sum(byLine, currency) : taxOn(all, rate) };
};

/**
 * An invoice's sums. Tax is reckoned for each rate over all of its lines and rounded once (`per-rate`, EN 16931's
 * BR-CO-17), or rounded on each line (`per-line`). Prices that include tax keep their totals: the tax is what is left.
 */
export const reckon = (
  charges: readonly Charge[],
  {
    discounts,
    rounding,
    currency,
  }: { discounts: readonly Discount[]; rounding: 'per-rate' | 'per-line'; currency: string },
): { readonly lines: readonly ReckonedLine[]; readonly totals: Totals } => {
  const taken = discountsOf(charges, discounts, currency);
  const left = charges.map(({ amount }, i) => subtract(amount, taken[i] ?? zero(currency)));
  const nets: Money[] = [...left];
  const groups = new Map<string, { readonly decision: TaxDecision; taxable: Money; tax: Money }>();
  for (const inclusive of [false, true]) {
    const members = Map.groupBy(
      charges.flatMap((charge, i) => ((charge.taxBehaviour === 'inclusive') === inclusive ? [i] : [])),
      (i) => keyOf(charges[i]?.tax ?? never()),
    );
    for (const [key, indexes] of members) {
      const decision = charges[indexes[0] ?? 0]?.tax ?? never();
      const amounts = indexes.map((i) => left[i] ?? zero(currency));
      const perLine = rounding === 'per-line';
      const reckoned = reckonGroup(amounts, { rate: decision.rate, inclusive, perLine, currency });
      indexes.forEach((index, i) => {
        nets[index] = reckoned.nets[i] ?? zero(currency);
      });
      const group = groups.get(key) ?? { decision, taxable: zero(currency), tax: zero(currency) };
      group.taxable = add(group.taxable, sum(reckoned.nets, currency));
      group.tax = add(group.tax, reckoned.tax);
      groups.set(key, group);
    }
  }
  const all = [...groups.values()];
  const net = sum(nets, currency);
  const tax = sum(
    all.map((group) => group.tax),
    currency,
  );
  return {
    lines: charges.map((_charge, i) => ({ discount: taken[i] ?? zero(currency), net: nets[i] ?? zero(currency) })),
    totals: {
      subtotal: sum(
        charges.map(({ amount }) => amount),
        currency,
      ),
      discount: sum(taken, currency),
      net,
      tax,
      total: add(net, tax),
      groups: all.map(({ decision, taxable, tax: due }) => ({
        ...decision,
        taxable: taxable.amount,
        tax: due.amount,
      })),
    },
  };
};

const never = (): never => {
  throw new Error('A line has no decision on its tax.');
};
