import { minorDigits } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';
import { fromDecimal, type Money, toDecimal, toUnits } from '../../kernel/money.ts';

/** https://developer.paypal.com/api/rest/reference/currency-codes/ */
export const paypalCurrencies: ReadonlySet<string> = new Set(
  'AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS JPY MYR MXN TWD NZD NOK PHP PLN GBP SGD SEK CHF THB USD'.split(' '),
);

/** PayPal takes no decimals of these: https://developer.paypal.com/api/rest/reference/currency-codes/. */
export const paypalDigits: ReadonlyMap<string, number> = new Map([
  ['HUF', 0],
  ['JPY', 0],
  ['TWD', 0],
]);

export interface PayPalMoney {
  readonly currencyCode: string;
  readonly value: string;
}

/** As PayPal takes it. Fails with `invalid-request` for what it can't charge. */
export const toPayPal = (amount: Money): PayPalMoney => {
  const { currency: currencyCode } = amount;
  if (!paypalCurrencies.has(currencyCode)) {
    throw new OmniError('invalid-request', `PayPal does not charge in ${currencyCode}.`);
  }
  const digits = paypalDigits.get(currencyCode) ?? minorDigits(currencyCode) ?? 2;
  const units = toUnits(amount, digits);
  return { currencyCode, value: digits === 0 ? String(units) : toDecimal(amount) };
};

export const fromPayPal = ({ currencyCode, value }: PayPalMoney): Money => fromDecimal(value, currencyCode);
