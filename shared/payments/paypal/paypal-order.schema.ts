import * as z from 'zod';
import { isOmniError } from '../../kernel/errors.ts';
import { modeSchema } from '../accounts/gateway-account.schema.ts';
import { paypalCurrencies, toPayPal } from '../gateways/paypal.money.ts';

/** PayPal takes less than ten million of a currency's units. */
const maxAmount = 999_999_999;

const isExact = (amount: { readonly amount: number; readonly currency: string }): boolean => {
  try {
    toPayPal(amount);
    return true;
  } catch (error) {
    if (isOmniError(error, 'invalid-request')) return false;
    throw error;
  }
};

const amountSchema = z
  .strictObject({
    amount: z.int().min(1).max(maxAmount).meta({ description: 'In minor units of ISO 4217.' }),
    currency: z.enum([...paypalCurrencies]).meta({ description: 'ISO 4217: one that PayPal charges in.' }),
  })
  .refine(isExact, { path: ['amount'], message: 'Must be whole: PayPal takes no decimals of this currency' })
  .meta({ description: 'What is to be paid. Of HUF, JPY and TWD whole units only.' });

const text = (max: number, description: string) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Must have no control characters')
    .meta({ description });

const intentSchema = z.enum(['capture', 'authorize']);

export const newPayPalOrderSchema = z
  .strictObject({
    amount: amountSchema,
    intent: intentSchema
      .default('capture')
      .meta({ description: '`authorize` only holds the amount, until it is captured.' }),
    reference: text(128, 'Yours: one order for each. Again, it finds that order.').optional(),
    customer: text(128, 'Your own name of the payer.').optional(),
    description: text(127, "For the payer's statement; nothing personal.").optional(),
    returnUrl: z
      .url({ protocol: /^https?$/ })
      .max(2_000)
      .optional()
      .meta({ description: "Where PayPal sends the payer's browser back to." }),
    vaultId: text(200, "PayPal's id of means of payment that the payer agreed to before. Charged at once.").optional(),
    offSession: z.boolean().default(false).meta({ description: 'The payer is not there, as for a renewal.' }),
    mode: modeSchema.optional().meta({ description: '`live` where absent; a sandbox has `test` only.' }),
  })
  .refine(({ offSession, vaultId }) => !offSession || vaultId !== undefined, {
    path: ['vaultId'],
    message: 'Must be there where the payer is not',
  })
  .meta({
    id: 'NewPayPalOrder',
    examples: [
      { amount: { amount: 2_500, currency: 'EUR' }, reference: 'order-4711', returnUrl: 'https://shop.example.com/' },
    ],
  });
export type NewPayPalOrder = z.infer<typeof newPayPalOrderSchema>;

const moneyView = z.object({ amount: z.int(), currency: z.string() });

export const payPalOrderViewSchema = z
  .object({
    id: z.string().meta({ description: "PayPal's id of the order.", examples: ['5O190127TN364715T'] }),
    payment: z.string().meta({ description: 'The payment that it is, under `/api/v1/payments`.' }),
    reference: z.string().nullable(),
    customer: z.string().nullable(),
    intent: intentSchema,
    status: z.enum([
      'requires-action',
      'pending',
      'authorised',
      'captured',
      'canceled',
      'failed',
      'expired',
      'created',
    ]),
    amount: moneyView,
    captured: moneyView,
    refunded: moneyView,
    disputed: moneyView,
    fee: moneyView.nullable(),
    approveUrl: z.string().nullable().meta({ description: 'Where the payer is to be sent, while they have to agree.' }),
    decline: z.string().nullable().meta({ description: 'Why it failed.' }),
    mode: modeSchema,
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'PayPalOrder' });
export type PayPalOrderView = z.infer<typeof payPalOrderViewSchema>;
