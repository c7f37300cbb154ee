import * as z from 'zod';
import { platformCollection } from '../store/collection.ts';
import { providerSchema } from './webhook.events.ts';

/**
 * A webhook that was accepted. Its id is provider, account and the provider's own event id, so that a second delivery
 * of the same event finds the first. Kept as long as a provider may retry (Stripe 3 days, Shopify 2) and then some.
 */
export const intakeSchema = z.object({
  provider: providerSchema,
  account: z.string(),
  type: z.string(),
  /** The tenant that the account belongs to; null while the account is unknown, and the event waits for it. */
  tenant: z.string().nullable(),
  receivedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** The payload, only where it waits: what was published is in the event. */
  parked: z.string().optional(),
});
export type Intake = z.infer<typeof intakeSchema>;

export const intakeCollection = platformCollection<Intake>({
  name: 'webhookIntake',
  schema: intakeSchema,
  ttl: 'expiresAt',
  indexes: [
    {
      fields: [
        { field: 'provider', order: 'asc' },
        { field: 'account', order: 'asc' },
        { field: 'tenant', order: 'asc' },
        { field: 'receivedAt', order: 'asc' },
      ],
    },
  ],
});

/** Which tenant an account at a provider belongs to. The only source of it: what a payload claims counts for nothing. */
export const accountSchema = z.object({
  tenant: z.string(),
  connectedAt: z.iso.datetime(),
  /** The provider's id of the account's webhook, where its signatures are over that too, and its mode. */
  webhook: z.object({ id: z.string(), livemode: z.boolean() }).optional(),
});
export type Account = z.infer<typeof accountSchema>;

export const accountCollection = platformCollection<Account>({ name: 'providerAccounts', schema: accountSchema });
