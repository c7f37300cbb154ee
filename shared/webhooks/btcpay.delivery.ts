import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import type { Delivery } from './intake.service.ts';
import { btcPayReceived, type StripeEventData } from './webhook.events.ts';

const id = z.string().regex(/^[\w-]{1,100}$/);

/** What we read of an event: https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks. */
const btcPayEvent = z.object({
  deliveryId: id,
  /** Of a redelivery: the delivery that it repeats. */
  originalDeliveryId: id.nullish(),
  type: z.string().regex(/^\w{1,100}$/),
  /** Seconds since the Unix epoch. */
  timestamp: z.int().min(0),
  storeId: id,
  invoiceId: id,
});

/** A redelivery counts as what it repeats. Throws `invalid-request` for what is no event of an invoice. */
export const btcPayDelivery = (payload: unknown, livemode: boolean): Delivery<StripeEventData> => {
  const parsed = btcPayEvent.safeParse(payload);
  if (!parsed.success) throw new OmniError('invalid-request', 'The body is no BTCPay event of an invoice.');
  const { deliveryId, originalDeliveryId, type, timestamp: created, storeId: account, invoiceId } = parsed.data;
  const eventId = originalDeliveryId ?? deliveryId;
  return {
    provider: 'btcpay',
    account,
    eventId,
    type,
    eventType: btcPayReceived,
    subject: invoiceId,
    occurredAt: created * 1_000,
    data: { id: eventId, type, account, created, livemode, object: { invoiceId } },
  };
};
