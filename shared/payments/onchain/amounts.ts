import { minorDigits } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';
import { type Money, money } from '../../kernel/money.ts';

/** A price as a fraction of integers, so that nothing is lost to binary floating point. */
interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

/** Of a decimal such as `0.9213`. Fails with `invalid-request` for what is no positive decimal. */
const fractionOf = (decimal: string): Fraction => {
  const [, whole = '', part = ''] = /^(\d{1,20})(?:\.(\d{1,24}))?$/.exec(decimal) ?? [];
  const over = BigInt(`${whole}${part}` || '0');
  if (whole === '' || over === 0n) throw new OmniError('invalid-request', 'This is no price.');
  return { over, under: 10n ** BigInt(part.length) };
};

/** Digits after the point that wallets let their users type. */
const typedDigits = 6;

interface Pricing {
  /** Of one whole token in the currency, as a decimal. */
  readonly price: string;
  readonly decimals: number;
}

const minorUnits = (currency: string): bigint => 10n ** BigInt(minorDigits(currency) ?? 2);

/**
 * What is to be sent for an amount, in the token's smallest unit. Rounded up, so that it is never worth less, and to no
 * more than six digits after the point.
 */
export const unitsFor = ({ amount, currency }: Money, { price, decimals }: Pricing): bigint => {
  const { over, under } = fractionOf(price);
  const step = 10n ** BigInt(Math.max(0, decimals - typedDigits));
  const above = BigInt(amount) * 10n ** BigInt(decimals) * under;
  const below = over * minorUnits(currency) * step;
  return ((above + below - 1n) / below) * step;
};

/** What units of a token are worth, rounded towards zero: nothing is booked that did not come. */
export const worthOf = (units: bigint, currency: string, { price, decimals }: Pricing): Money => {
  const { over, under } = fractionOf(price);
  const value = (units * over * minorUnits(currency)) / (10n ** BigInt(decimals) * under);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new OmniError('invalid-request', 'This is no amount.');
  return money(Number(value), currency);
};

/** `25.500000` of 25500000 with 6 decimals, as wallets show it. */
export const decimalOf = (units: bigint, decimals: number): string => {
  const text = units.toString().padStart(decimals + 1, '0');
  const part = decimals === 0 ? '' : text.slice(-decimals).replace(/0+$/, '');
  const whole = decimals === 0 ? text : text.slice(0, -decimals);
  return part === '' ? whole : `${whole}.${part}`;
};

export const sumOf = (all: readonly { readonly units: string }[]): bigint =>
  all.reduce((total, { units }) => total + BigInt(units), 0n);
