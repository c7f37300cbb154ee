import * as z from 'zod';
import { defineEvent } from '../events/define-event.ts';

/**
 * Bytes. An event, and the outbox entry that holds it, must fit a Firestore document of 1 MiB. Webhooks of this size do
 * not happen: Stripe's largest have a few hundred kilobytes.
 */
export const maxWebhook = 700_000;

const jsonObject = z.record(z.string(), z.unknown());

/**
 * A Stripe event (https://docs.stripe.com/api/events/object), reduced to what it is about: jobs read the object anew, so
 * neither names nor addresses travel.
 */
export const stripeEventData = z.object({
  id: z.string(),
  type: z.string(),
  account: z.string(),
  /** Seconds since the Unix epoch. */
  created: z.int(),
  livemode: z.boolean(),
  object: jsonObject,
});
export type StripeEventData = z.infer<typeof stripeEventData>;

/** In turn by object: while one is read anew, what else came for it waits, and is then known. */
const received = { ordered: true, confidential: true };

/** By the kind of object, so that a job names what it takes and gets no other: `stripe.subscription.received`. */
export const stripeSubscriptionReceived = defineEvent('stripe.subscription.received', stripeEventData, received);
export const stripeCustomerReceived = defineEvent('stripe.customer.received', stripeEventData, received);
export const stripeInvoiceReceived = defineEvent('stripe.invoice.received', stripeEventData, received);
export const stripeOtherReceived = defineEvent('stripe.event.received', stripeEventData, received);
/** AcmePay's events have the same parts. */
export const acmepayReceived = defineEvent('acmepay.event.received', stripeEventData, received);
/** So have BTCPay's. */
export const btcPayReceived = defineEvent('btcpay.event.received', stripeEventData, received);
/** And PayPal's. */
export const paypalReceived = defineEvent('paypal.event.received', stripeEventData, received);

export const shopifyEventData = z.object({
  id: z.string(),
  topic: z.string(),
  shop: z.string(),
  payload: jsonObject,
});
export type ShopifyEventData = z.infer<typeof shopifyEventData>;

export const shopifyReceived = defineEvent('shopify.event.received', shopifyEventData, { confidential: true });
/** `customers/data_request`, `customers/redact` and `shop/redact`, which every app must honour. */
export const shopifyPrivacyRequested = defineEvent('shopify.privacy.requested', shopifyEventData, {
  confidential: true,
});

export const providerSchema = z.enum(['stripe', 'shopify', 'twilio', 'acmepay', 'paypal', 'btcpay']);

export const accountConnected = defineEvent(
  'webhooks.account.connected',
  z.object({ provider: providerSchema, account: z.string() }),
);
