import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

const money = z.object({ amount: z.int(), currency: z.string() });

/** Our record of a payout, under Stripe's id: what left Stripe's balance for the tenant's bank. */
export const stripePayoutSchema = z.object({
  amount: money.meta({ description: 'Less than 0 where Stripe took it from the bank, to cover what it was owed.' }),
  status: z.enum(['pending', 'in-transit', 'paid', 'failed', 'canceled']).meta({
    description:
      '`paid`: it is at the bank by now, as far as Stripe knows; for some days that may still become `failed`.',
  }),
  method: z.enum(['standard', 'instant']),
  arrivesAt: z.iso.datetime().nullable(),
  failure: z.string().nullable().meta({ description: "Stripe's code of why it failed." }),
  livemode: z.boolean(),
  deleted: z.boolean(),
  updatedAt: z.iso.datetime().meta({ description: 'When it was last found to have changed.' }),
  fetchedAt: z.iso.datetime(),
  /** Keys of what is in the books. */
  booked: z.array(z.string()).optional(),
});
export type StripePayout = z.infer<typeof stripePayoutSchema>;

export const stripePayoutCollection = tenantCollection<StripePayout>({
  name: 'stripePayouts',
  schema: stripePayoutSchema,
  unindexed: ['booked'],
});

export const stripePayoutView = stripePayoutSchema
  .omit({ fetchedAt: true, booked: true, deleted: true })
  .extend({ id: z.string() });
export type StripePayoutView = z.infer<typeof stripePayoutView>;
