import * as z from 'zod';
import { platformCollection, tenantCollection } from '../../store/collection.ts';

/** A removal of all second factors of somebody who has lost them, asked for by somebody else. */
export const factorResetSchema = z.object({
  user: z.string(),
  by: z.string(),
  reason: z.string(),
  /** Of its user when it was asked for: whoever asked might give these. */
  roles: z.array(z.string()).default([]),
  status: z.enum(['waiting', 'cancelled', 'done']),
  /** SHA-256 of what the mail's link cancels it with. */
  cancelHash: z.string(),
  createdAt: z.iso.datetime(),
  dueAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  endedBy: z.string().optional(),
});
export type FactorReset = z.infer<typeof factorResetSchema>;

export const factorResetCollection = tenantCollection<FactorReset>({
  name: 'factorResets',
  schema: factorResetSchema,
  unindexed: ['reason', 'cancelHash', 'roles'],
});

/** Of all tenants, so that a timer finds in one query what is due. */
export const factorResetTimerSchema = z.object({ tenant: z.string(), dueAt: z.iso.datetime() });
export type FactorResetTimer = z.infer<typeof factorResetTimerSchema>;

/** By the reset's id. */
export const factorResetTimerCollection = platformCollection<FactorResetTimer>({
  name: 'factorResetTimers',
  schema: factorResetTimerSchema,
});

export const factorResetViewSchema = factorResetSchema
  .omit({ cancelHash: true, roles: true })
  .extend({ id: z.string() })
  .meta({ id: 'FactorReset' });
export type FactorResetView = z.infer<typeof factorResetViewSchema>;
