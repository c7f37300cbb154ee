import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';

/** Our record of a customer at Stripe, under Stripe's id. */
export const stripeCustomerSchema = z.object({
  email: encrypted(z.string().max(512), { index: 'caseless' }).optional(),
  name: encrypted(z.string().max(1_000)).optional(),
  currency: z.string().nullable(),
  /** In minor units of `currency`; negative for credit. */
  balance: z.int(),
  delinquent: z.boolean(),
  livemode: z.boolean(),
  deleted: z.boolean().meta({ description: 'Stripe has it no more. The record stays, without what names a person.' }),
  createdAt: z.iso.datetime().nullable(),
  updatedAt: z.iso.datetime().meta({ description: 'When it was last found to have changed.' }),
  fetchedAt: z.iso.datetime(),
});
export type StripeCustomer = z.infer<typeof stripeCustomerSchema>;

export const stripeCustomerCollection = tenantCollection<StripeCustomer>({
  name: 'stripeCustomers',
  schema: stripeCustomerSchema,
  indexes: [
    {
      fields: [
        { field: 'email', order: 'asc' },
        { field: 'updatedAt', order: 'desc' },
      ],
    },
  ],
});

export const stripeCustomerView = stripeCustomerSchema
  .omit({ fetchedAt: true })
  .extend({ id: z.string().meta({ description: "Stripe's id.", example: 'cus_Q1' }) });
export type StripeCustomerView = z.infer<typeof stripeCustomerView>;
