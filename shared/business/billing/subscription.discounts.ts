import { money } from '../../kernel/money.ts';
import type { Coupon } from './coupon.schema.ts';
import type { AppliedDiscount } from './invoice.draft.ts';
import type { DraftLine } from './invoice.schema.ts';
import { type Discount, type Discountable, discountsOf } from './invoice.totals.ts';
import { chargedOf, heldCharges, type LineInput } from './subscription.lines.ts';
import type { Item, Subscription } from './subscription.schema.ts';

type Coupons = ReadonlyMap<string, Coupon>;
type Discounted = Pick<Subscription, 'discounts' | 'currency'>;
type Discounts = Subscription['discounts'];

/** An amount is taken off once a period, and what holds once off one invoice, however many there are. */
const isTakenOnce = ({ discount, duration }: Coupon): boolean => discount.kind === 'amount' || duration.kind === 'once';

/** What is taken off an invoice that is made for the subscription as it is now. */
export const discountsOn = ({ discounts }: Pick<Discounted, 'discounts'>, coupons: Coupons): AppliedDiscount[] =>
  discounts.flatMap(({ coupon: id, code, taken }) => {
    const coupon = coupons.get(id);
    return coupon === undefined || (taken && isTakenOnce(coupon)) ? [] : [{ id, code, coupon }];
  });

const amountOf = ({ discount }: Discount, currency: string): number =>
  discount.kind === 'amount' ? (new Map(Object.entries(discount.amounts)).get(currency) ?? 0) : 0;

/** The discounts that what is held in advance has in this period: of an amount, what did not go elsewhere. */
const heldIn = ({ discounts, currency }: Discounted, coupons: Coupons) =>
  discounts.flatMap(({ coupon: id, elsewhere }) => {
    const coupon = coupons.get(id);
    if (coupon === undefined) return [];
    const { products, discount } = coupon;
    const left = Math.max(0, amountOf(coupon, currency) - elsewhere);
    const held: Discount =
      discount.kind === 'percent' ? coupon : { products, discount: { kind: 'amount', amounts: { [currency]: left } } };
    return [{ id, held }];
  });

export const heldDiscounts = (subscription: Discounted, coupons: Coupons): readonly Discount[] =>
  heldIn(subscription, coupons).map(({ held }) => held);

/** What each of some discounts takes off each charge: they are taken one after the other. */
const offEach = (
  charges: readonly Discountable[],
  all: readonly Discount[],
  currency: string,
): readonly (readonly number[])[] => {
  const upTo = all.map((_, i) => discountsOf(charges, all.slice(0, i + 1), currency).map(({ amount }) => amount));
  return upTo.map((off, i) => off.map((amount, k) => amount - (upTo[i - 1]?.[k] ?? 0)));
};

const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);

/** The subscription after an invoice with these discounts: what they took is remembered until the next period. */
export const afterInvoice = (
  subscription: Subscription,
  lines: readonly DraftLine[],
  applied: readonly AppliedDiscount[],
): Subscription => {
  if (applied.length === 0) return subscription;
  const { currency } = subscription;
  const charges = lines.map(({ amount, ...line }) => ({ ...line, amount: money(amount, currency) }));
  const off = offEach(
    charges,
    applied.map(({ coupon }) => coupon),
    currency,
  );
  const discounts = subscription.discounts.map((one) => {
    const i = applied.findIndex(({ id }) => id === one.coupon);
    const taken = off[i] ?? [];
    if (!taken.some((amount) => amount !== 0)) return one;
    const others =
      applied[i]?.coupon.discount.kind === 'amount' ? taken.filter((_, k) => lines[k]?.kind !== 'recurring') : [];
    return { ...one, taken: true, elsewhere: one.elsewhere + sum(others) };
  });
  return { ...subscription, discounts };
};

/** The discounts of the period after a change in the middle of it that is prorated: they are in its amounts. */
export const afterProration = (
  subscription: Subscription,
  after: readonly Item[],
  coupons: Coupons,
  input: LineInput,
): Discounts => {
  const { discounts, currency } = subscription;
  const all = heldIn(subscription, coupons);
  if (all.length === 0) return discounts;
  const [before, now] = [chargedOf(subscription), after].map((held) =>
    offEach(
      heldCharges(held, input),
      all.map((one) => one.held),
      currency,
    ).map(sum),
  );
  return discounts.map((one) => {
    const i = all.findIndex(({ id }) => id === one.coupon);
    const [had, has] = [before?.[i] ?? 0, now?.[i] ?? 0];
    return had === 0 && has === 0 ? one : { ...one, taken: true };
  });
};

/** In a new period there is one period less of each that was taken off something in the one before. */
export const inNextPeriod = (discounts: Discounts): Discounts =>
  discounts
    .map((one) => {
      const periodsLeft = one.taken && one.periodsLeft !== null ? one.periodsLeft - 1 : one.periodsLeft;
      return { ...one, periodsLeft, taken: false, elsewhere: 0 };
    })
    .filter(({ periodsLeft }) => periodsLeft === null || periodsLeft > 0);
