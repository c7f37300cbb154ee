import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import { acmepayReceived, type StripeEventData } from './webhook.events.ts';

const eventSchema = z.object({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  account: z.string().min(1).max(255),
  livemode: z.boolean(),
  created: z.int(),
  data: z.object({ object: z.looseObject({ id: z.string().min(1).max(255) }) }),
});

/** Throws `invalid-request` for what is no event of AcmePay. */
export const acmepayDelivery = (payload: unknown): Delivery<StripeEventData> => {
  const parsed = eventSchema.safeParse(payload);
  if (!parsed.success) throw new OmniError('invalid-request', 'The body is no event of AcmePay.');
  const { id, type, account, created, livemode, data } = parsed.data;
  return {
    provider: 'acmepay',
    account,
    eventId: id,
    type,
    eventType: acmepayReceived,
    subject: data.object.id,
    occurredAt: created * 1_000,
    data: { id, type, account, created, livemode, object: data.object },
  };
};
