import * as z from 'zod';
import { localeSchema } from '../../messaging/index.ts';
import { platformCollection } from '../../store/collection.ts';
import { tenantPlanSchema } from '../plans/plan.schema.ts';

/** A web origin as browsers send it: scheme, host and perhaps a port. */
const origin = z
  .string()
  .max(253)
  .regex(/^https?:\/\/[\w.-]+(:\d{1,5})?$/);

const timeZones = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC', 'Etc/UTC']);
const settingsShape = {
  corsOrigins: z.array(origin).max(50).default([]).meta({ description: 'Origins from which browsers may call.' }),
  requestsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(6_000)
    .meta({ description: 'Requests a minute over all credentials; never more than the plan gives.' }),
  locale: localeSchema.default('en').meta({ description: 'BCP 47.', examples: ['de-AT'] }),
  timeZone: z
    .string()
    .max(60)
    .refine((name) => timeZones.has(name), 'Must be an IANA time zone')
    .default('Etc/UTC')
    .meta({ examples: ['Europe/Berlin'] }),
  supportEmail: z.email().max(254).nullable().default(null).meta({ description: 'Whom people may ask for help.' }),
};
export const tenantSettingsSchema = z.object(settingsShape).meta({ id: 'TenantSettings' });
export const tenantSettingsInputSchema = z.strictObject(settingsShape).meta({
  id: 'TenantSettingsInput',
  examples: [{ corsOrigins: ['https://app.example.com'], timeZone: 'Europe/Berlin' }],
});
export type TenantSettingsInput = z.infer<typeof tenantSettingsInputSchema>;

/** One line, without what could break out of it or turn it around. */
export const tenantNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069<>]*$/u, 'Must be one line of plain text')
  .meta({ description: 'What people read. One line.', examples: ['Acme Ltd'] });

/** Names that a stranger would take for ours. */
const reserved = new Set(
  'admin api app assets auth billing blog cdn docs help internal login mail omni root security signin signup smtp static status support system test www'.split(
    ' ',
  ),
);
export const slugSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/)
  .refine((slug) => !slug.includes('--') && !reserved.has(slug), 'This name is not to be had')
  .meta({ description: '3 to 40 lower-case letters, digits and hyphens.', examples: ['acme'] });

export const maxFormerSlugs = 3;

export const tenantSchema = z.object({
  name: z.string().min(1).max(200),
  /** What people call it by in addresses. Reserved over all tenants, and so are the former ones. */
  slug: z.string(),
  /** The newest first. They lead here. */
  formerSlugs: z.array(z.string()).max(maxFormerSlugs).default([]),
  /** `deleting` can be called off; `erasing` can't. Only an active tenant's requests are answered. */
  status: z.enum(['active', 'suspended', 'deleting', 'erasing']),
  settings: tenantSettingsSchema,
  plan: tenantPlanSchema,
  /** The tenant whose sandbox it is. Payments take test mode for it. */
  sandboxOf: z.string().optional(),
  suspension: z.object({ reason: z.string(), by: z.enum(['owner', 'platform']), at: z.iso.datetime() }).optional(),
  deletion: z.object({ requestedAt: z.iso.datetime(), eraseAt: z.iso.datetime(), by: z.string() }).optional(),
  /** Until when somebody has to show that the first owner's address is theirs. */
  probationUntil: z.iso.datetime().optional(),
  /** When the lifecycle job has something to do here. */
  dueAt: z.iso.datetime().optional(),
  /** Hashes of the secrets that owners were mailed, each of which takes a suspension or deletion back. */
  restoreHashes: z.array(z.string()).max(3).default([]),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Tenant = z.infer<typeof tenantSchema>;

export const tenantCollection = platformCollection<Tenant>({
  name: 'tenantRecords',
  schema: tenantSchema,
  unindexed: ['settings', 'restoreHashes', 'formerSlugs'],
});

/** The kind of reservation that keeps slugs unique, in the platform's own name. */
export const slugReservation = 'tenant-slug';

/** All that is left of a tenant that was erased, besides its slug's reservation, which holds a hash. By its id. */
export const tombstoneSchema = z.object({
  slugHash: z.string(),
  createdAt: z.iso.datetime(),
  requestedAt: z.iso.datetime(),
  erasedAt: z.iso.datetime(),
});
export type Tombstone = z.infer<typeof tombstoneSchema>;
export const tombstoneCollection = platformCollection<Tombstone>({ name: 'tenantTombstones', schema: tombstoneSchema });

export const tenantViewSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    slug: z.string(),
    formerSlugs: z.array(z.string()).readonly().meta({ description: 'They lead here too.' }),
    status: tenantSchema.shape.status,
    settings: tenantSettingsSchema,
    plan: tenantPlanSchema.shape.id,
    sandboxOf: z.string().nullable(),
    suspension: tenantSchema.shape.suspension.unwrap().nullable(),
    deletion: tenantSchema.shape.deletion.unwrap().omit({ by: true }).nullable(),
    verified: z.boolean().meta({ description: 'Whether its first owner has shown to read the address that made it.' }),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: 'Tenant' });
export type TenantDetails = z.infer<typeof tenantViewSchema>;

export const detailsOf = (id: string, tenant: Tenant): TenantDetails => ({
  id,
  name: tenant.name,
  slug: tenant.slug,
  formerSlugs: tenant.formerSlugs,
  status: tenant.status,
  settings: tenant.settings,
  plan: tenant.plan.id,
  sandboxOf: tenant.sandboxOf ?? null,
  suspension: tenant.suspension ?? null,
  deletion: tenant.deletion ?? null,
  verified: tenant.probationUntil === undefined,
  createdAt: tenant.createdAt,
  updatedAt: tenant.updatedAt,
});
