import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

const money = z.object({ amount: z.int(), currency: z.string() });

/**
 * Our record of a PaymentIntent that has taken money, under Stripe's id: whoever made it, a subscription's invoice, a
 * checkout, our own route or the tenant at Stripe. Payments of the payments domain have none.
 */
export const stripePaymentSchema = z.object({
  customer: z.string().nullable(),
  captured: money,
  refunded: money,
  disputed: z.boolean(),
  /** What metadata says that it is of ours. It is so where the payments domain has that payment. */
  payment: z.string().nullable(),
  livemode: z.boolean(),
  deleted: z.boolean(),
  updatedAt: z.iso.datetime(),
  fetchedAt: z.iso.datetime(),
  /** Keys of what is in the books. */
  booked: z.array(z.string()).optional(),
});
export type StripePayment = z.infer<typeof stripePaymentSchema>;

export const stripePaymentCollection = tenantCollection<StripePayment>({
  name: 'stripePayments',
  schema: stripePaymentSchema,
  unindexed: ['booked'],
});
