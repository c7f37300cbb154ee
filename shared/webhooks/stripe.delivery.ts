import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import { type StripeEventData, stripeOtherReceived, stripeSubscriptionReceived } from './webhook.events.ts';

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
    eventType: type.startsWith('customer.subscription.') ? stripeSubscriptionReceived : stripeOtherReceived,
    subject: data.object.id ?? id,
    occurredAt: created * 1000,
    data: { id, type, account, created, livemode, object: data.object },
  };
};
