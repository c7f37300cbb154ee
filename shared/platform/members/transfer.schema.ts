import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const transferSchema = z.object({
  from: z.string(),
  to: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type OwnershipTransfer = z.infer<typeof transferSchema>;

/** One document a tenant: there is one offer at a time. */
export const transferCollection = tenantCollection<OwnershipTransfer>({
  name: 'ownershipTransfers',
  schema: transferSchema,
  ttl: 'expiresAt',
});

export const transferViewSchema = transferSchema.meta({ id: 'OwnershipTransfer' });
