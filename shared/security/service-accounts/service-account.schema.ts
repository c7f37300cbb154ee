import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { scopeSchema } from '../api-keys/api-key.schema.ts';

export const serviceAccountSchema = z.object({
  name: z.string().max(100),
  scopes: z.array(scopeSchema).min(1).max(100),
  /** SHA-256 of the client secret, which has 256 bits of entropy. */
  secretHash: z.string(),
  /** The secret before the last rotation, good until then. */
  previous: z.object({ secretHash: z.string(), until: z.iso.datetime() }).optional(),
  /** Rises when tokens that were given out are to be refused. */
  epoch: z.int().min(0),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional(),
  lastUsedAt: z.iso.datetime().optional(),
});
export type ServiceAccount = z.infer<typeof serviceAccountSchema>;

export const isUsable = ({ expiresAt }: ServiceAccount, now: number): boolean =>
  expiresAt === undefined || Date.parse(expiresAt) > now;

export const serviceAccountViewSchema = serviceAccountSchema
  .omit({ secretHash: true, previous: true, epoch: true })
  .extend({ id: z.string(), clientId: z.string().meta({ description: 'The `client_id` to ask for tokens with.' }) })
  .meta({ id: 'ServiceAccount' });
export type ServiceAccountView = z.infer<typeof serviceAccountViewSchema>;

export const serviceAccountCollection = tenantCollection<ServiceAccount>({
  name: 'serviceAccounts',
  schema: serviceAccountSchema,
  unindexed: ['secretHash', 'previous'],
});
