import { isCurrency, minorDigits } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';
import { fromUnits, type Money, toUnits } from '../../kernel/money.ts';

/** Currencies that Stripe charges in: https://docs.stripe.com/currencies#presentment-currencies. */
const presentment =
  'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC ' +
  'CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JPY KES ' +
  'KGS KHR KMF KRW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR ' +
  'NZD PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TOP TRY TTD ' +
  'TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW BHD JOD KWD OMR TND';

export const stripeCurrencies: ReadonlySet<string> = new Set(presentment.split(' ').filter(isCurrency));

/**
 * Where Stripe's minor unit is not ISO 4217's. ISK and UGX have none, but are told to Stripe as if they had two decimals;
 * MGA is divided in fifths, which Stripe leaves out. https://docs.stripe.com/currencies#special-cases
 */
export const stripeDigits: ReadonlyMap<string, number> = new Map([
  ['ISK', 2],
  ['UGX', 2],
  ['MGA', 0],
]);

const digitsOf = (currency: string): number => stripeDigits.get(currency) ?? minorDigits(currency) ?? 2;

/** Of three decimals the last must be 0: https://docs.stripe.com/currencies#three-decimal. */
const threeDecimals = 3;

/** As Stripe takes it. Fails with `invalid-request` for what it can't charge. */
export const toStripe = (amount: Money): { readonly amount: number; readonly currency: string } => {
  if (!stripeCurrencies.has(amount.currency)) {
    throw new OmniError('invalid-request', `Stripe does not charge in ${amount.currency}.`);
  }
  const digits = digitsOf(amount.currency);
  const units = toUnits(amount, digits);
  if (digits === threeDecimals && units % 10 !== 0) {
    throw new OmniError('invalid-request', `An amount of ${amount.currency} must end in 0 with Stripe.`);
  }
  return { amount: units, currency: amount.currency.toLowerCase() };
};

export const fromStripe = (units: number, currency: string): Money => {
  const code = currency.toUpperCase();
  return fromUnits(units, code, digitsOf(code));
};

/** For shares, such as fees and prorated lines, which need not be whole where amounts must be (ISK, UGX). */
export const roundedFromStripe = (units: number, currency: string): Money => {
  const code = currency.toUpperCase();
  const step = 10 ** Math.max(0, digitsOf(code) - (minorDigits(code) ?? 2));
  return fromStripe(Math.round(units / step) * step, code);
};
