import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { stripeKindName } from './stripe.events.ts';

/** An object whose customer has no record yet. It waits for one, and is given up after a while. */
export const stripeParkedSchema = z.object({
  kind: stripeKindName,
  object: z.string(),
  account: z.string(),
  customer: z.string(),
  seen: z.int(),
  expiresAt: z.iso.datetime(),
});
export type StripeParked = z.infer<typeof stripeParkedSchema>;

/** By kind and id: `invoice:in_1`. */
export const stripeParkedCollection = tenantCollection<StripeParked>({
  name: 'stripeParked',
  schema: stripeParkedSchema,
  ttl: 'expiresAt',
});
