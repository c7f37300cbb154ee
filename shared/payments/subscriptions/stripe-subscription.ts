import * as z from 'zod';
import { isoTime } from '../../kernel/clock.ts';
import type { StripeEventData } from '../../webhooks/index.ts';
import { type Subscription, subscriptionStatus } from './subscription.schema.ts';

const seconds = z.int().nullish();

/**
 * What we keep of Stripe's object. Since API version 2025-03-31 (basil) the period stands on the items; older webhook
 * endpoints still send it on the subscription. https://docs.stripe.com/api/subscriptions/object
 */
const stripeSubscription = z.object({
  id: z.string().min(1).max(255),
  customer: z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]),
  status: subscriptionStatus,
  cancel_at_period_end: z.boolean().default(false),
  current_period_end: seconds,
  items: z.object({
    data: z
      .array(
        z.object({
          id: z.string(),
          price: z.object({ id: z.string() }),
          quantity: z.number().optional(),
          current_period_end: seconds,
        }),
      )
      .max(100),
  }),
});

const iso = (at: number | null | undefined): string | null => (at == null ? null : isoTime(at * 1000));

/** Within one second Stripe's own order is not told: what creates comes first, what deletes last. */
const rankOf = (type: string): number => {
  if (type === 'customer.subscription.created') return 0;
  return type === 'customer.subscription.deleted' ? 2 : 1;
};

/** The record that an event describes. Throws a ZodError for an object that is no subscription. */
export const fromStripe = (event: StripeEventData): Subscription & { readonly id: string } => {
  const object = stripeSubscription.parse(event.object);
  const items = object.items.data.map((item) => ({
    id: item.id,
    price: item.price.id,
    quantity: item.quantity ?? null,
    currentPeriodEnd: iso(item.current_period_end ?? object.current_period_end),
  }));
  const ends = items.flatMap(({ currentPeriodEnd }) => currentPeriodEnd ?? []).sort();
  return {
    id: object.id,
    customer: object.customer,
    status: object.status,
    items,
    cancelAtPeriodEnd: object.cancel_at_period_end,
    livemode: event.livemode,
    currentPeriodEnd: ends.at(-1) ?? null,
    deleted: event.type === 'customer.subscription.deleted',
    updatedAt: isoTime(event.created * 1000),
    version: { created: event.created, rank: rankOf(event.type), event: event.id },
  };
};

/** A total order over events, so that whatever order they arrive in, the same one wins. */
export const isNewer = (a: Subscription['version'], b: Subscription['version']): boolean => {
  if (a.created !== b.created) return a.created > b.created;
  if (a.rank !== b.rank) return a.rank > b.rank;
  return a.event > b.event;
};
