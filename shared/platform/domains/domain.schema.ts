import * as z from 'zod';
import { platformCollection, tenantCollection } from '../../store/collection.ts';

/** The name under which the owner of a domain puts the proof. */
export const challengeLabel = '_omni-challenge';

export const customDomainSchema = z.object({
  /** In its form in DNS: lower case, Punycode. */
  domain: z.string(),
  status: z.enum(['pending', 'verified', 'failed']),
  /** The text that the TXT record is to have. Of this tenant and this claim alone. */
  proof: z.string(),
  checks: z.int().min(0),
  lastCheckAt: z.iso.datetime().optional(),
  /** What the last check found. */
  problem: z.enum(['no-record', 'other-record', 'dns-failed', 'taken']).optional(),
  /** When the job looks again. */
  nextCheckAt: z.iso.datetime().optional(),
  /** A claim that is not proved by then has failed. */
  expiresAt: z.iso.datetime(),
  verifiedAt: z.iso.datetime().optional(),
  createdAt: z.iso.datetime(),
});
export type CustomDomain = z.infer<typeof customDomainSchema>;

/** What tenants claim, by domain. Any number of tenants may claim one: claiming gives nothing. */
export const customDomainCollection = tenantCollection<CustomDomain>({
  name: 'customDomains',
  schema: customDomainSchema,
});

/** Whose a verified domain is, by domain: what keeps it with one tenant, and what a Host header is looked up in. */
export const domainHostSchema = z.object({ tenant: z.string(), verifiedAt: z.iso.datetime() });
export type DomainHost = z.infer<typeof domainHostSchema>;
export const domainHostCollection = platformCollection<DomainHost>({ name: 'domainHosts', schema: domainHostSchema });

/** Which claims are to be looked at, over all tenants: by tenant and domain. */
export const domainCheckSchema = z.object({ tenant: z.string(), domain: z.string(), dueAt: z.iso.datetime() });
export type DomainCheck = z.infer<typeof domainCheckSchema>;
export const domainCheckCollection = platformCollection<DomainCheck>({
  name: 'domainChecks',
  schema: domainCheckSchema,
});

export const customDomainViewSchema = customDomainSchema
  .omit({ proof: true })
  .extend({
    record: z
      .object({ type: z.literal('TXT'), name: z.string(), value: z.string() })
      .meta({ description: 'What to put into DNS.' }),
    unicode: z.string().meta({ description: 'As people read it.' }),
  })
  .meta({ id: 'CustomDomain' });
export type CustomDomainView = z.infer<typeof customDomainViewSchema>;
