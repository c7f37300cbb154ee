import * as z from 'zod';

const limit = (description: string) => z.int().min(0).max(10_000_000_000_000).meta({ description });

/** What a plan bounds. */
export const limitsSchema = z
  .object({
    members: limit('Accounts, disabled ones too.'),
    apiKeys: limit('Keys that are good now.'),
    requestsPerMinute: limit('Requests a minute over all credentials.'),
    storageBytes: limit('Bytes of files.'),
    customDomains: limit('Domains, verified or not.'),
    sandboxes: limit('Sandbox tenants.'),
    invitationsPerDay: limit('Mails with invitations in a UTC day, repeated ones too.'),
  })
  .meta({ id: 'PlanLimits' });
export type Limits = z.infer<typeof limitsSchema>;
export type LimitName = keyof Limits;

export const planIdSchema = z.enum(['free', 'team', 'business', 'enterprise']);
export type PlanId = z.infer<typeof planIdSchema>;

/** A plan with what was agreed with one tenant alone. */
export const tenantPlanSchema = z.object({ id: planIdSchema, overrides: limitsSchema.partial().default({}) });
export type TenantPlan = z.infer<typeof tenantPlanSchema>;

export const planViewSchema = z
  .object({ id: planIdSchema, name: z.string(), limits: limitsSchema })
  .meta({ id: 'Plan' });
export type PlanView = z.infer<typeof planViewSchema>;

const gigabyte = 1_000_000_000;

/** The catalogue. What a plan costs is billing's business. */
export const plans: readonly PlanView[] = [
  {
    id: 'free',
    name: 'Free',
    limits: {
      members: 5,
      apiKeys: 3,
      requestsPerMinute: 300,
      storageBytes: gigabyte,
      customDomains: 0,
      sandboxes: 1,
      invitationsPerDay: 10,
    },
  },
  {
    id: 'team',
    name: 'Team',
    limits: {
      members: 50,
      apiKeys: 20,
      requestsPerMinute: 3_000,
      storageBytes: 50 * gigabyte,
      customDomains: 1,
      sandboxes: 2,
      invitationsPerDay: 100,
    },
  },
  {
    id: 'business',
    name: 'Business',
    limits: {
      members: 1_000,
      apiKeys: 100,
      requestsPerMinute: 30_000,
      storageBytes: 1_000 * gigabyte,
      customDomains: 5,
      sandboxes: 5,
      invitationsPerDay: 1_000,
    },
  },
  {
    id: 'enterprise',
    name: 'Enterprise',
    limits: {
      members: 100_000,
      apiKeys: 1_000,
      requestsPerMinute: 1_000_000,
      storageBytes: 10_000 * gigabyte,
      customDomains: 100,
      sandboxes: 50,
      invitationsPerDay: 10_000,
    },
  },
];

/** What holds for a tenant. */
export const limitsOf = ({ id, overrides }: TenantPlan): Limits => {
  const plan = plans.find((one) => one.id === id);
  if (plan === undefined) throw new Error(`There is no plan ${id}.`);
  return limitsSchema.parse({ ...plan.limits, ...overrides });
};
