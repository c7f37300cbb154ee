import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import {
  type StripeEventData,
  stripeCustomerReceived,
  stripeInvoiceReceived,
  stripeOtherReceived,
  stripeSubscriptionReceived,
} from './webhook.events.ts';

/** What we read of an event; Stripe adds fields at any time (https://docs.stripe.com/api/events/object). */
const stripeEvent = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  /** Absent for events of the platform's own account. */
  account: z.string().max(255).default('platform'),
  created: z.int(),
  livemode: z.boolean(),
  data: z.object({ object: z.looseObject({ id: z.string().max(255).optional() }) }),
});

/** Fields by which objects refer to each other. */
const references = ['id', 'object', 'payment_intent', 'charge', 'customer', 'subscription', 'invoice', 'status'];

const aboutOf = (object: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    references.flatMap((name) => {
      const value = object[name];
      return typeof value === 'string' ? [[name, value.slice(0, 255)]] : [];
    }),
  );

const typeOf = (type: string): typeof stripeOtherReceived => {
  if (type.startsWith('customer.subscription.')) return stripeSubscriptionReceived;
  if (/^customer\.(created|updated|deleted)$/.test(type)) return stripeCustomerReceived;
  return type.startsWith('invoice.') ? stripeInvoiceReceived : stripeOtherReceived;
};

/** Throws `invalid-request` for what is no Stripe event. */
export const stripeDelivery = (payload: unknown): Delivery<StripeEventData> => {
  const parsed = stripeEvent.safeParse(payload);
  if (!parsed.success) throw new OmniError('invalid-request', 'The body is no Stripe event.');
  const { id, type, account, created, livemode, data } = parsed.data;
  return {
    provider: 'stripe',
    account,
    eventId: id,
    type,
    eventType: typeOf(type),
    subject: data.object.id ?? id,
    occurredAt: created * 1000,
    data: { id, type, account, created, livemode, object: aboutOf(data.object) },
  };
};
