import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const subscriptionStatus = z.enum([
  'incomplete',
  'incomplete_expired',
  'trialing',
  'active',
  'past_due',
  'canceled',
  'unpaid',
  'paused',
]);

/** Our record of a subscription at Stripe, under Stripe's id. */
export const subscriptionSchema = z.object({
  customer: z.string().meta({ description: "Stripe's id of the customer.", example: 'cus_Q1' }),
  status: subscriptionStatus,
  items: z.array(
    z.object({
      id: z.string(),
      price: z.string(),
      quantity: z.number().nullable(),
      currentPeriodEnd: z.iso.datetime().nullable(),
    }),
  ),
  cancelAtPeriodEnd: z.boolean(),
  livemode: z.boolean(),
  /** The end of the paid time over all items. */
  currentPeriodEnd: z.iso.datetime().nullable(),
  deleted: z.boolean().meta({ description: 'Stripe has ended it. The record stays.' }),
  updatedAt: z.iso.datetime().meta({ description: 'When it was last found to have changed.' }),
  /** When the request began whose answer this state is: it is at least as new as that. */
  fetchedAt: z.iso.datetime(),
});
export type Subscription = z.infer<typeof subscriptionSchema>;

export const subscriptionCollection = tenantCollection<Subscription>({
  name: 'subscriptions',
  schema: subscriptionSchema,
  indexes: [
    {
      fields: [
        { field: 'status', order: 'asc' },
        { field: 'updatedAt', order: 'desc' },
      ],
    },
    {
      fields: [
        { field: 'customer', order: 'asc' },
        { field: 'updatedAt', order: 'desc' },
      ],
    },
    {
      fields: [
        { field: 'customer', order: 'asc' },
        { field: 'status', order: 'asc' },
        { field: 'updatedAt', order: 'desc' },
      ],
    },
  ],
});

/** As clients see it. */
export const subscriptionView = subscriptionSchema.omit({ fetchedAt: true }).extend({ id: z.string() });
export type SubscriptionView = z.infer<typeof subscriptionView>;
