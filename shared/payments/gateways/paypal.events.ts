import * as z from 'zod';
import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { GatewayAction } from './gateway.ts';
import type { PayPalClient } from './paypal.client.ts';

const id = z.string().regex(/^[\w-]{1,100}$/);
const related = z.object({
  supplementary_data: z.object({
    related_ids: z.object({ order_id: id.optional(), capture_id: id.optional(), authorization_id: id.optional() }),
  }),
});
const ownId = z.object({ id });
const ownOrder = z.object({ order_id: id });
const ownDispute = z.object({ dispute_id: id });
const withLinks = z.object({ links: z.array(z.object({ rel: z.string(), href: z.string() })) });

const ignored: GatewayAction = { kind: 'ignore' };
const partOf: Readonly<Record<string, 'capture' | 'authorisation'>> = {
  captures: 'capture',
  authorizations: 'authorisation',
};

/** A refund and a reversal link up to their capture, a capture to what it was held by. */
const upOf = (object: unknown): GatewayAction | undefined => {
  const { data } = withLinks.safeParse(object);
  const href = data?.links.find(({ rel }) => rel === 'up')?.href ?? '';
  const [, parts = '', reference = ''] = /\/v2\/payments\/(captures|authorizations)\/([\w-]{1,100})$/.exec(href) ?? [];
  const of = partOf[parts];
  return of === undefined ? undefined : { kind: 'refresh-payment', reference, of };
};

/** Newer events name the order of a capture, authorisation or refund; of older ones it has to be found. */
const actionOfPayment = (type: string, object: Readonly<Record<string, unknown>>): GatewayAction => {
  const { order_id, capture_id, authorization_id } =
    related.safeParse(object).data?.supplementary_data.related_ids ?? {};
  if (order_id !== undefined) return { kind: 'refresh-payment', reference: order_id };
  if (capture_id !== undefined) return { kind: 'refresh-payment', reference: capture_id, of: 'capture' };
  const up = upOf(object);
  if (up !== undefined) return up;
  if (authorization_id !== undefined) {
    return { kind: 'refresh-payment', reference: authorization_id, of: 'authorisation' };
  }
  const own = ownId.safeParse(object).data?.id;
  // What is given back is a refund, whose id leads nowhere.
  const of = /^PAYMENT\.(CAPTURE\.(?!REFUNDED|REVERSED)|(AUTHORIZATION))/.exec(type);
  if (own === undefined || of === null) return ignored;
  return { kind: 'refresh-payment', reference: own, of: of[2] === undefined ? 'capture' : 'authorisation' };
};

/** What an event asks to be looked at again. Its content is not taken for the truth. Pure. */
export const paypalActionOf = (type: string, object: Readonly<Record<string, unknown>>): GatewayAction => {
  if (type.startsWith('CHECKOUT.ORDER.')) {
    const reference = ownId.safeParse(object).data?.id;
    return reference === undefined ? ignored : { kind: 'refresh-payment', reference };
  }
  if (type === 'CHECKOUT.PAYMENT-APPROVAL.REVERSED') {
    const reference = ownOrder.safeParse(object).data?.order_id;
    return reference === undefined ? ignored : { kind: 'refresh-payment', reference };
  }
  if (type.startsWith('CUSTOMER.DISPUTE.')) {
    const reference = ownDispute.safeParse(object).data?.dispute_id;
    return reference === undefined ? ignored : { kind: 'refresh-dispute', reference, of: 'dispute' };
  }
  return /^PAYMENT\.(CAPTURE|AUTHORIZATION|REFUND)\./.test(type) ? actionOfPayment(type, object) : ignored;
};

const eventsSchema = z.object({
  events: z
    .array(z.object({ event_type: z.string(), resource: z.record(z.string(), z.unknown()).default({}) }))
    .default([]),
  links: z.array(z.object({ rel: z.string(), href: z.string() })).default([]),
});

const path = '/v1/notifications/webhooks-events';
/** Each may be a payment to be looked at. */
const pageSize = 20;
/** Milliseconds for which PayPal keeps events. */
const keptFor = 30 * 86_400_000 - 60_000;

/** PayPal's own address of the next page, without where it is: that is never taken from an answer. */
const nextOf = (links: z.infer<typeof eventsSchema>['links']): string | null => {
  const href = links.find(({ rel }) => rel === 'next')?.href;
  return href === undefined || !URL.canParse(href) ? null : new URL(href).search.slice(0, 1_000);
};

/** What PayPal has told of since a time, whether or not it got through. Fails with `invalid-cursor`. */
export const eventsSince = async ({ rest, clock }: PayPalClient, since: string, cursor: string | undefined) => {
  if (cursor !== undefined && !/^\?[\w.~%&=+:-]*$/.test(cursor)) {
    throw new OmniError('invalid-cursor', 'This is no cursor of PayPal.');
  }
  const now = clock.now();
  const query = new URLSearchParams({
    start_time: isoTime(Math.max(Date.parse(since), now - keptFor)),
    end_time: isoTime(now),
    page_size: String(pageSize),
  });
  const { events, links } = await rest.get(`${path}${cursor ?? `?${query}`}`, eventsSchema);
  const actions = events.slice(0, pageSize).flatMap(({ event_type: type, resource }) => {
    const { reference, of } = paypalActionOf(type, resource);
    return reference === undefined ? [] : [{ reference, of }];
  });
  const nextCursor = nextOf(links);
  return { actions, nextCursor: nextCursor === '' ? null : nextCursor };
};
