import { minorDigits } from './currencies.ts';
import { OmniError } from './errors.ts';

/** An amount as integer minor units (cents, yen) of an ISO 4217 currency. */
export interface Money {
  /** A safe integer; negative for what is owed the other way. */
  readonly amount: number;
  /** Upper case. */
  readonly currency: string;
}

export type Rounding = 'half-up' | 'half-even' | 'down' | 'up';

/** Fails with `invalid-request` for an unknown currency, and for what is no safe integer: an overflow is never silent. */
export const money = (amount: number, currency: string): Money => {
  if (minorDigits(currency) === undefined) {
    throw new OmniError('invalid-request', 'This is no ISO 4217 currency that can be paid with.');
  }
  if (!Number.isSafeInteger(amount)) {
    throw new OmniError('invalid-request', 'An amount is an integer of minor units, less than 2^53.');
  }
  // -0 would not equal 0 where it is compared as JSON or by Object.is.
  return { amount: amount === 0 ? 0 : amount, currency };
};

export const zero = (currency: string): Money => money(0, currency);

const requireSame = (a: Money, b: Money): void => {
  if (a.currency !== b.currency) {
    throw new OmniError('invalid-request', `${a.currency} and ${b.currency} can't be reckoned together.`);
  }
};

export const add = (a: Money, b: Money): Money => {
  requireSame(a, b);
  return money(a.amount + b.amount, a.currency);
};

export const subtract = (a: Money, b: Money): Money => {
  requireSame(a, b);
  return money(a.amount - b.amount, a.currency);
};

export const negate = ({ amount, currency }: Money): Money => money(-amount, currency);

/** Negative, 0 or positive, as for `sort`. */
export const compare = (a: Money, b: Money): number => {
  requireSame(a, b);
  return a.amount - b.amount;
};

export const isZero = ({ amount }: Money): boolean => amount === 0;

/** The sum; of none it is 0 of the currency. */
export const sum = (amounts: readonly Money[], currency: string): Money => amounts.reduce(add, zero(currency));

const roundQuotient = (numerator: bigint, denominator: bigint, rounding: Rounding): bigint => {
  const quotient = numerator / denominator;
  const rest = numerator % denominator;
  if (rest === 0n) return quotient;
  const away = numerator < 0n !== denominator < 0n ? quotient - 1n : quotient + 1n;
  if (rounding === 'down') return quotient;
  if (rounding === 'up') return away;
  const abs = (n: bigint): bigint => (n < 0n ? -n : n);
  const twice = abs(rest) * 2n - abs(denominator);
  if (twice !== 0n) return twice > 0n ? away : quotient;
  if (rounding === 'half-up') return away;
  return quotient % 2n === 0n ? quotient : away;
};

/**
 * `amount * numerator / denominator` in exact integers, rounded once. `half-up` is away from zero, so that a credit
 * mirrors its charge; `down` is towards zero. Numerator and denominator are safe integers or bigints.
 */
export const scale = (
  { amount, currency }: Money,
  numerator: number | bigint,
  denominator: number | bigint,
  rounding: Rounding = 'half-up',
): Money => {
  const below = BigInt(denominator);
  if (below === 0n) throw new RangeError('Division of money by zero.');
  return money(Number(roundQuotient(BigInt(amount) * BigInt(numerator), below, rounding)), currency);
};

/**
 * Splits so that the parts sum to the whole: each gets its share rounded towards zero, and what is left goes, a minor
 * unit each, to the largest remainders, the first of equals first. Weights are non-negative safe integers, not all 0.
 */
export const allocate = (whole: Money, weights: readonly number[]): readonly Money[] => {
  const total = weights.reduce((a, b) => a + BigInt(b), 0n);
  if (total <= 0n || weights.some((weight) => weight < 0)) throw new RangeError('Weights must be positive in sum.');
  const shares = weights.map((weight, index) => {
    const exact = BigInt(whole.amount) * BigInt(weight);
    const rest = exact % total;
    return { index, part: exact / total, rest: rest < 0n ? -rest : rest };
  });
  const left = Number(BigInt(whole.amount) - shares.reduce((a, { part }) => a + part, 0n));
  const lucky = new Set(
    [...shares]
      .sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
      .slice(0, Math.abs(left))
      .map(({ index }) => index),
  );
  return shares.map(({ index, part }) =>
    money(Number(part) + (lucky.has(index) ? Math.sign(left) : 0), whole.currency),
  );
};

/** `1234.50`, as formal documents and decimal APIs write it. */
export const toDecimal = ({ amount, currency }: Money): string => {
  const digits = minorDigits(currency) ?? 2;
  const text = String(Math.abs(amount)).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  return `${amount < 0 ? '-' : ''}${whole}${digits === 0 ? '' : `.${text.slice(-digits)}`}`;
};

/** The reverse of `toDecimal`. Fails with `invalid-request` for more digits than the currency has. */
export const fromDecimal = (text: string, currency: string): Money => {
  const digits = minorDigits(currency) ?? 2;
  const [, sign, whole, fraction = ''] = /^(-?)(\d{1,16})(?:\.(\d{1,8}))?$/.exec(text) ?? [];
  if (whole === undefined || fraction.replace(/0+$/, '').length > digits) {
    throw new OmniError('invalid-request', `This is no amount of ${currency}.`);
  }
  const amount = Number(`${whole}${fraction.slice(0, digits).padEnd(digits, '0')}`);
  return money(sign === '-' ? -amount : amount, currency);
};

/**
 * The amount in units of another number of digits, for systems that depart from ISO 4217: 1,200.00 HUF (120000) is 1200 in
 * units of 0 digits. Fails with `invalid-request` where that is not exact: what can't be charged is not rounded.
 */
export const toUnits = ({ amount, currency }: Money, digits: number): number => {
  const shift = digits - (minorDigits(currency) ?? 2);
  const units = shift >= 0 ? amount * 10 ** shift : amount / 10 ** -shift;
  if (!Number.isSafeInteger(units)) {
    throw new OmniError('invalid-request', `An amount of ${currency} must have at most ${digits} decimals here.`);
  }
  return units === 0 ? 0 : units;
};

/** The reverse of `toUnits`. */
export const fromUnits = (units: number, currency: string, digits: number): Money => {
  const shift = (minorDigits(currency) ?? 2) - digits;
  return money(shift >= 0 ? units * 10 ** shift : units / 10 ** -shift, currency);
};
