import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import { paypalReceived, type StripeEventData } from './webhook.events.ts';

const id = z.string().regex(/^[\w-]{1,100}$/);

/** What we read of an event: https://developer.paypal.com/docs/api/webhooks/v1/#definition-event. */
const paypalEvent = z.object({
  id,
  event_type: z.string().regex(/^[A-Z0-9._-]{1,100}$/),
  create_time: z.iso.datetime({ offset: true }),
  resource: z.record(z.string(), z.unknown()),
});

const optionalId = id.optional().catch(undefined);
const linksSchema = z
  .array(z.object({ rel: z.string(), href: z.string().max(500) }))
  .optional()
  .catch(undefined);

/** What names the resource, and what it belongs to: jobs read it anew, so neither names nor addresses travel. */
const aboutSchema = z.object({
  id: optionalId,
  order_id: optionalId,
  dispute_id: optionalId,
  status: optionalId,
  supplementary_data: z
    .object({ related_ids: z.object({ order_id: optionalId, capture_id: optionalId, authorization_id: optionalId }) })
    .optional()
    .catch(undefined),
  links: linksSchema.transform((all) => all?.filter(({ rel }) => rel === 'up').slice(0, 2)),
  disputed_transactions: z
    .array(z.object({ seller_transaction_id: optionalId }))
    .optional()
    .catch(undefined)
    .transform((all) => all?.slice(0, 1)),
});
type About = z.infer<typeof aboutSchema>;

const defined = (about: About): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(about).filter(([, value]) => value !== undefined));

export interface PayPalAccount {
  /** PayPal's id of the merchant. */
  readonly merchant: string;
  readonly livemode: boolean;
}

/** Throws `invalid-request` for what is no event of PayPal. */
export const paypalDelivery = (payload: unknown, { merchant, livemode }: PayPalAccount): Delivery<StripeEventData> => {
  const parsed = paypalEvent.safeParse(payload);
  if (!parsed.success) throw new OmniError('invalid-request', 'The body is no event of PayPal.');
  const { id: eventId, event_type: type, create_time: time, resource } = parsed.data;
  const about = aboutSchema.parse(resource);
  const occurredAt = Date.parse(time);
  const order = about.supplementary_data?.related_ids.order_id ?? about.order_id;
  return {
    provider: 'paypal',
    account: merchant,
    eventId,
    type,
    eventType: paypalReceived,
    subject: order ?? about.dispute_id ?? about.id ?? eventId,
    occurredAt,
    data: {
      id: eventId,
      type,
      account: merchant,
      created: Math.floor(occurredAt / 1_000),
      livemode,
      object: defined(about),
    },
  };
};
