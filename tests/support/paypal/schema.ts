import * as z from 'zod';

/** As the REST API has it: https://developer.paypal.com/api/rest/reference/currency-codes/. */
export const amountSchema = z.strictObject({
  currency_code: z.string().length(3),
  value: z.string().regex(/^\d{1,9}(\.\d{2})?$/),
});
export type Amount = z.infer<typeof amountSchema>;

/** https://developer.paypal.com/docs/api/orders/v2/#orders_create, as far as we use it. */
export const createSchema = z.strictObject({
  intent: z.enum(['CAPTURE', 'AUTHORIZE']),
  purchase_units: z
    .array(
      z.strictObject({
        reference_id: z.string().max(256).optional(),
        custom_id: z.string().max(255).optional(),
        description: z.string().max(127).optional(),
        amount: amountSchema,
      }),
    )
    .length(1),
  payment_source: z
    .strictObject({
      paypal: z.strictObject({
        vault_id: z.string().max(255).optional(),
        experience_context: z.strictObject({ return_url: z.url(), cancel_url: z.url() }).optional(),
      }),
    })
    .optional(),
});
export const captureSchema = z.strictObject({ amount: amountSchema.optional(), final_capture: z.boolean().optional() });
export const refundSchema = z.strictObject({
  amount: amountSchema.optional(),
  custom_id: z.string().max(127).optional(),
});
export const emptySchema = z.strictObject({}).optional();
export const webhookSchema = z.strictObject({
  url: z.url({ protocol: /^https$/ }),
  event_types: z.array(z.strictObject({ name: z.string().regex(/^[A-Z][A-Z.-]+$/) })).min(1),
});
export const verifySchema = z.strictObject({
  auth_algo: z.string().max(100),
  cert_url: z.url().max(500),
  transmission_id: z.string().max(50),
  transmission_sig: z.string().max(500),
  transmission_time: z.string().max(100),
  webhook_id: z.string().max(50),
  webhook_event: z.looseObject({}),
});

export class PayPalRefusal extends Error {
  override readonly name = 'PayPalRefusal';
  readonly status: number;
  readonly issue: string;
  constructor(status: number, issue: string) {
    super(issue);
    this.status = status;
    this.issue = issue;
  }
}

const currencies = 'AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS JPY MYR MXN TWD NZD NOK PHP PLN GBP SGD SEK CHF THB USD';
export const wholeOnly: ReadonlySet<string> = new Set(['HUF', 'JPY', 'TWD']);

export const checked = (amount: Amount): Amount => {
  if (!currencies.split(' ').includes(amount.currency_code)) throw new PayPalRefusal(422, 'CURRENCY_NOT_SUPPORTED');
  if (wholeOnly.has(amount.currency_code) && amount.value.includes('.')) {
    throw new PayPalRefusal(422, 'DECIMALS_NOT_SUPPORTED');
  }
  if (Number(amount.value) <= 0) throw new PayPalRefusal(422, 'CANNOT_BE_ZERO_OR_NEGATIVE');
  return amount;
};

export const cents = (amount: Amount): number => Math.round(Number(amount.value) * 100);
export const ofCents = (value: number, currency_code: string): Amount => ({
  currency_code,
  value: (value / 100).toFixed(wholeOnly.has(currency_code) ? 0 : 2),
});
