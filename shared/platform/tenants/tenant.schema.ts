import * as z from 'zod';
import { platformCollection } from '../../store/collection.ts';

/** A web origin as browsers send it: scheme, host and perhaps a port. */
const origin = z
  .string()
  .max(253)
  .regex(/^https?:\/\/[\w.-]+(:\d{1,5})?$/);

export const tenantSettingsSchema = z.object({
  /** Origins from which browsers may call. */
  corsOrigins: z.array(origin).max(50).default([]),
  /** For trying things out: no real money moves in it. */
  sandbox: z.boolean().default(false),
  /** Requests a minute over all keys. */
  requestsPerMinute: z.int().min(1).max(1_000_000).default(6_000),
});

export const tenantSchema = z.object({
  name: z.string().min(1).max(200),
  status: z.enum(['active', 'suspended']),
  settings: tenantSettingsSchema,
  createdAt: z.iso.datetime(),
});
export type Tenant = z.infer<typeof tenantSchema>;

export const tenantCollection = platformCollection<Tenant>({ name: 'tenantRecords', schema: tenantSchema });
