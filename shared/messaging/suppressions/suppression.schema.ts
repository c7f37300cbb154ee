import * as z from 'zod';
import { sha256 } from '../../kernel/json.ts';
import { tenantCollection } from '../../store/collection.ts';

export const channelSchema = z.enum(['email', 'sms']);
export type Channel = z.infer<typeof channelSchema>;

/** An address that a tenant's messages do not go to any more. The address itself is not kept: the id is its hash. */
export const suppressionSchema = z.object({
  channel: channelSchema,
  reason: z.enum(['bounced', 'complained', 'opted-out', 'invalid']),
  at: z.iso.datetime(),
});
export type Suppression = z.infer<typeof suppressionSchema>;

export const suppressionCollection = tenantCollection<Suppression>({
  name: 'messageSuppressions',
  schema: suppressionSchema,
});

/** Differs from tenant to tenant, so that what one knows of an address says nothing about another's. */
export const addressHash = (tenant: string, channel: Channel, address: string): string =>
  sha256(JSON.stringify([tenant, channel, address.trim().toLowerCase()]));
