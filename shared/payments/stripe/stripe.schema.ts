import * as z from 'zod';
import { stripeCurrencies } from '../gateways/stripe.money.ts';

const metaId = (prefix: string, example: string, description: string) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[A-Za-z0-9_]{1,200}$`))
    .meta({ description, examples: [example] });

export const priceId = metaId('price', 'price_monthly', "Stripe's id of the price.");
export const customerId = metaId('cus', 'cus_00000000000001', "Stripe's id of the customer.");
export const paymentMethodId = metaId('pm', 'pm_card_visa', "Stripe's id of a means of payment.");
const itemId = metaId('si', 'si_00000000000001', "Stripe's id of the item.");

const url = (description: string) =>
  z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .meta({ description });
const quantity = z.int().min(1).max(1_000_000).meta({ description: 'How many of it.' });

export const newCustomerSchema = z.strictObject({
  email: z.email().max(254).optional().meta({ description: 'Where Stripe sends receipts and invoices.' }),
  name: z.string().min(1).max(200).optional().meta({ description: 'As it stands on invoices.' }),
  paymentMethod: paymentMethodId.optional().meta({ description: 'Attached, and what subscriptions are paid with.' }),
});
export type NewCustomer = z.infer<typeof newCustomerSchema>;

export const customerChangeSchema = newCustomerSchema.omit({ paymentMethod: true });

const lineItem = z.strictObject({ price: priceId, quantity: quantity.default(1) });

export const newCheckoutSchema = z.strictObject({
  mode: z.enum(['payment', 'subscription']).meta({ description: 'One payment, or a subscription.' }),
  items: z.array(lineItem).min(1).max(20).meta({ description: 'What is bought.' }),
  successUrl: url('Where the payer comes back to after paying. `{CHECKOUT_SESSION_ID}` in it is replaced.'),
  cancelUrl: url('Where the payer comes back to without paying.').optional(),
  customer: customerId.optional(),
  reference: z.string().min(1).max(200).optional().meta({ description: 'Your own name of it.' }),
});
export type NewCheckout = z.infer<typeof newCheckoutSchema>;

export const checkoutStatus = z.enum(['open', 'complete', 'expired']);

export const checkoutView = z
  .object({
    id: z.string(),
    url: z.string().nullable().meta({ description: 'Where the payer is to be sent, while it is open.' }),
    mode: z.string(),
    status: checkoutStatus.nullable(),
    paid: z.boolean(),
    customer: z.string().nullable(),
    subscription: z.string().nullable(),
    payment: z.string().nullable().meta({ description: "Stripe's id of the PaymentIntent." }),
    reference: z.string().nullable(),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'StripeCheckoutSession' });
export type CheckoutView = z.infer<typeof checkoutView>;

export const newPortalSchema = z.strictObject({
  customer: customerId,
  returnUrl: url('Where the customer comes back to.').optional(),
});

export const newSubscriptionSchema = z.strictObject({
  customer: customerId,
  items: z.array(lineItem).min(1).max(20).meta({ description: 'What is subscribed to.' }),
  trialDays: z.int().min(1).max(730).optional().meta({ description: 'Days before the first payment.' }),
  paymentMethod: paymentMethodId.optional(),
});
export type NewSubscription = z.infer<typeof newSubscriptionSchema>;

export const subscriptionChangeSchema = z.strictObject({
  cancelAtPeriodEnd: z.boolean().optional().meta({ description: 'Ends it with the time that is paid, or no longer.' }),
  items: z
    .array(z.strictObject({ id: itemId, price: priceId.optional(), quantity: quantity.optional() }))
    .max(20)
    .optional()
    .meta({ description: 'Items that change. Those that are not named stay.' }),
  proration: z
    .enum(['prorate', 'invoice-now', 'none'])
    .default('prorate')
    .meta({ description: 'What is made of the time that is paid already: lines of the next invoice, or one now.' }),
});
export type SubscriptionChange = z.infer<typeof subscriptionChangeSchema>;

const currency = z
  .enum([...stripeCurrencies])
  .meta({ description: 'ISO 4217, upper case: one that Stripe charges in.' });

export const stripeMoney = z.strictObject({
  amount: z.int().min(1).max(99_999_999_999).meta({ description: 'In minor units of ISO 4217.' }),
  currency,
});

export const newIntentSchema = z.strictObject({
  amount: stripeMoney.meta({ description: 'What is to be paid.' }),
  capture: z
    .enum(['automatic', 'manual'])
    .default('automatic')
    .meta({ description: '`manual` only holds the amount until it is captured.' }),
  customer: customerId.optional(),
  paymentMethod: paymentMethodId.optional().meta({ description: 'Paid with at once. Else the payer chooses one.' }),
  offSession: z.boolean().default(false).meta({ description: 'The payer is not there to be asked anything.' }),
  stablecoin: z.boolean().default(false).meta({ description: 'To be paid in stablecoins.' }),
  description: z.string().max(500).optional().meta({ description: 'For your dashboard. Nothing personal.' }),
  returnUrl: url("Where the payer's bank sends them back to.").optional(),
});
export type NewIntent = z.infer<typeof newIntentSchema>;

export const captureSchema = z.strictObject({
  amount: stripeMoney.optional().meta({ description: 'Less than is held; the rest is given up. All where absent.' }),
});

export const newRefundSchema = z.strictObject({
  payment: metaId('pi', 'pi_00000000000001', "Stripe's id of the PaymentIntent."),
  amount: stripeMoney.meta({ description: 'At most what is captured and not refunded yet.' }),
  reason: z
    .enum(['duplicate', 'fraudulent', 'requested-by-customer'])
    .optional()
    .meta({ description: 'What Stripe is told.' }),
});
export type NewRefund = z.infer<typeof newRefundSchema>;

const moneyView = z.object({ amount: z.int(), currency: z.string() });

export const intentView = z
  .object({
    id: z.string().meta({ description: "Stripe's id of the PaymentIntent." }),
    status: z.enum(['requires-action', 'pending', 'authorised', 'captured', 'canceled', 'failed', 'expired']),
    amount: moneyView,
    captured: moneyView,
    fee: moneyView.optional(),
    refunds: z.array(z.object({ id: z.string(), amount: moneyView, status: z.string() })).readonly(),
    disputes: z.array(z.object({ id: z.string(), amount: moneyView, status: z.string() })).readonly(),
    redirectUrl: z.string().optional().meta({ description: 'Where the payer is to be sent now.' }),
    clientSecret: z.string().optional().meta({ description: "For Stripe's own script in the payer's browser." }),
    decline: z.string().optional().meta({ description: 'Why it failed.' }),
    livemode: z.boolean(),
  })
  .meta({ id: 'StripePaymentIntent' });
export type IntentView = z.infer<typeof intentView>;

export const refundView = z
  .object({ id: z.string(), amount: moneyView, status: z.enum(['pending', 'succeeded', 'failed']) })
  .meta({ id: 'StripeRefund' });
export type RefundView = z.infer<typeof refundView>;

export const balanceView = z
  .object({
    account: z.string().meta({ description: "Stripe's id of the account, or `platform`." }),
    mode: z.enum(['live', 'test']),
    at: z.iso.datetime(),
    items: z
      .array(
        z.object({
          currency: z.string(),
          available: z.int().meta({ description: 'What can be paid out, in minor units.' }),
          pending: z.int().meta({ description: 'What is on its way to that.' }),
          booked: z.number().meta({ description: 'What Stripe owes by the books.' }),
          difference: z.number().meta({ description: 'What Stripe owes beyond that.' }),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'StripeBalance' });
export type BalanceView = z.infer<typeof balanceView>;
