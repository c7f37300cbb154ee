import { type Amount, cents, ofCents, wholeOnly } from './schema.ts';

interface ExchangeRate {
  readonly source_currency: string;
  readonly target_currency: string;
  readonly value: string;
}

/** https://developer.paypal.com/docs/api/payments/v2/#definition-seller_receivable_breakdown */
export interface ReceivableBreakdown {
  readonly gross_amount: Amount;
  readonly paypal_fee: Amount;
  readonly net_amount: Amount;
  readonly receivable_amount?: Amount;
  readonly paypal_fee_in_receivable_currency?: Amount;
  readonly exchange_rate?: ExchangeRate;
}

/** https://developer.paypal.com/docs/api/payments/v2/#definition-refund */
export interface PayableBreakdown {
  readonly gross_amount: Amount;
  readonly paypal_fee: Amount;
  readonly net_amount: Amount;
  readonly paypal_fee_in_receivable_currency?: Amount;
  readonly net_amount_in_receivable_currency?: Amount;
  readonly net_amount_breakdown?: readonly {
    readonly payable_amount: Amount;
    readonly converted_amount: Amount;
    readonly exchange_rate: ExchangeRate;
  }[];
}

/** An account with a balance in one currency: PayPal changes what comes in another one into it. */
export interface OneCurrency {
  readonly into: string;
  /** PayPal's fee is taken in that currency too. */
  readonly feesThere?: boolean;
  /** With a refund, the share of the fee that is a percentage comes back. */
  readonly feesBack?: boolean;
}

const share = 0.0349;
const feeOf = (gross: Amount): number => {
  const fee = Math.round(cents(gross) * share + 49);
  return wholeOnly.has(gross.currency_code) ? Math.ceil(fee / 100) * 100 : fee;
};

/** What merchants have at PayPal, in cents of each currency. */
export const createPurses = () => {
  const accounts = new Map<string, OneCurrency>();
  const totals = new Map<string, Map<string, number>>();
  const changes = new Map<string, number>();

  const move = (merchant: string, { currency_code }: Amount, by: number): void => {
    const all = totals.get(merchant) ?? new Map<string, number>();
    totals.set(merchant, all.set(currency_code, (all.get(currency_code) ?? 0) + by));
  };
  /** 0.0871, and another one with each change; undefined where there is nothing to be changed. */
  const rateOf = (merchant: string, { currency_code }: Amount) => {
    const account = accounts.get(merchant);
    if (account === undefined || account.into === currency_code) return undefined;
    const rate = 0.0871 + 0.0003 * ((changes.get(merchant) ?? 0) % 7);
    return { ...account, rate, change: (value: number) => ofCents(Math.round(value * rate), account.into) };
  };
  const nextRateOf = (merchant: string, amount: Amount) => {
    const found = rateOf(merchant, amount);
    if (found === undefined) return undefined;
    changes.set(merchant, (changes.get(merchant) ?? 0) + 1);
    const [source_currency, target_currency] = [amount.currency_code, found.into];
    return { ...found, exchange_rate: { source_currency, target_currency, value: found.rate.toFixed(4) } };
  };
  const partsOf = (gross: Amount, fee: number) => ({
    gross_amount: gross,
    paypal_fee: ofCents(fee, gross.currency_code),
    net_amount: ofCents(cents(gross) - fee, gross.currency_code),
  });

  /** What a payer has paid comes in. */
  const credit = (merchant: string, gross: Amount): ReceivableBreakdown => {
    const parts = partsOf(gross, feeOf(gross));
    const to = nextRateOf(merchant, gross);
    const receivable_amount = to?.change(cents(parts.net_amount));
    move(merchant, receivable_amount ?? gross, cents(receivable_amount ?? parts.net_amount));
    if (to === undefined || receivable_amount === undefined) return parts;
    const there =
      to.feesThere === true ? { paypal_fee_in_receivable_currency: to.change(cents(parts.paypal_fee)) } : {};
    return { ...parts, receivable_amount, ...there, exchange_rate: to.exchange_rate };
  };

  /** What a payer is given back goes out. */
  const debit = (merchant: string, gross: Amount): PayableBreakdown => {
    const to = nextRateOf(merchant, gross);
    const parts = partsOf(gross, to?.feesBack === true ? Math.round(cents(gross) * share) : 0);
    const payable = to?.change(cents(parts.net_amount));
    move(merchant, payable ?? gross, -cents(payable ?? parts.net_amount));
    if (to === undefined || payable === undefined) return parts;
    const { exchange_rate } = to;
    return {
      ...parts,
      paypal_fee_in_receivable_currency: to.change(cents(parts.paypal_fee)),
      net_amount_in_receivable_currency: payable,
      net_amount_breakdown: [{ payable_amount: payable, converted_amount: parts.net_amount, exchange_rate }],
    };
  };

  return {
    credit,
    debit,
    /** A refund has failed: what went out comes back. */
    restore: (merchant: string, went: PayableBreakdown): void => {
      const amount = went.net_amount_in_receivable_currency ?? went.net_amount;
      move(merchant, amount, cents(amount));
    },
    /** What is held back for a dispute, at the rate of this moment; it stays the merchant's. */
    held: (merchant: string, amount: Amount): Amount => rateOf(merchant, amount)?.change(cents(amount)) ?? amount,
    totalsOf: (merchant: string): ReadonlyMap<string, number> => totals.get(merchant) ?? new Map<string, number>(),
    /** From now on a merchant has one currency. */
    keepOnly: (merchant: string, account: OneCurrency): void => void accounts.set(merchant, account),
  };
};
