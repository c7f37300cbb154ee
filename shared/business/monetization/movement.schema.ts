import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

/** A change of what recurs monthly of one subscription. Only added, never changed. */
export const movementSchema = z.object({
  customer: z.string(),
  subscription: z.string(),
  currency: z.string(),
  /** Minor units a month, negative for less. */
  delta: z.int(),
  at: z.iso.datetime(),
});
export type Movement = z.infer<typeof movementSchema>;

/** By the id of the event that told of it, so that it is there once. */
export const movementCollection = tenantCollection<Movement>({
  name: 'revenueMovements',
  schema: movementSchema,
  indexes: [
    {
      fields: [
        { field: 'currency', order: 'asc' },
        { field: 'at', order: 'asc' },
      ],
    },
  ],
  unindexed: ['delta'],
});
