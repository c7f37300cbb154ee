import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { roleNameSchema } from '../access/role.schema.ts';
import { passwordPolicySchema } from '../identity/password-policy.ts';
import { parseRange } from './ip-ranges.ts';

const range = z
  .string()
  .max(49)
  .refine(
    (text) => parseRange(text) !== undefined,
    'Must be an address or a range, as in 192.0.2.0/24 or 2001:db8::/32',
  )
  .meta({ examples: ['192.0.2.0/24'] });

/** HTTPS, or HTTP on the developer's own machine; no credentials and no fragment to hide anything in. */
const redirect = z
  .string()
  .max(500)
  .refine((text) => {
    if (!URL.canParse(text) || /[\s*\\]/.test(text)) return false;
    const { protocol, hostname, username, password, hash } = new URL(text);
    const isLocal = protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
    return (protocol === 'https:' || isLocal) && username === '' && password === '' && hash === '';
  }, 'Must be an https URL without credentials, fragment and wildcard');

export const signInMethodSchema = z.enum(['password', 'passkey', 'magic-link', 'oidc']);

/** What can be a second factor. */
export const factorMethodSchema = z.enum(['totp', 'passkey', 'sms', 'email', 'backup-code']);
export type FactorMethod = z.infer<typeof factorMethodSchema>;

const mfaSchema = z.strictObject({
  required: z.enum(['nobody', 'administrators', 'everybody']).default('nobody').meta({
    description: 'Who needs a second factor, by whatever method they sign in.',
  }),
  roles: z.array(roleNameSchema).max(50).default([]).meta({
    description: 'Who has one of these roles needs it in any case.',
  }),
  methods: z
    .array(factorMethodSchema)
    .max(5)
    .refine((methods) => methods.includes('totp') || methods.includes('passkey'), 'Must have totp or passkey in it')
    .default(['totp', 'passkey', 'sms', 'email', 'backup-code'])
    .meta({ description: 'What counts as one. Who has only others sets up one of these when they next sign in.' }),
  graceDays: z.int().min(0).max(30).default(7).meta({ description: 'Days for setting one up.' }),
  trustedDeviceDays: z.int().min(0).max(90).default(30).meta({
    description: 'Days for which a device is not asked again, where its user says so. 0: it is always asked.',
  }),
  resetHours: z.int().min(1).max(168).default(24).meta({
    description: 'Hours until a reset of somebody’s factors takes place, in which they can stop it.',
  }),
});

const lockoutSchema = z.strictObject({
  failures: z.int().min(3).max(50).default(10).meta({ description: 'Of one account from one network.' }),
  windowMinutes: z.int().min(5).max(1_440).default(15),
  failuresPerAddressAndDay: z.int().min(10).max(10_000).default(100),
});

const sessionSchema = z.strictObject({
  idleMinutes: z.int().min(10).max(43_200).default(720).meta({ description: 'Without a refresh.' }),
  absoluteHours: z.int().min(1).max(720).default(720),
});

/** How a tenant is protected. What it leaves out has a safe default. */
export const securityPolicySchema = z
  .strictObject({
    passwords: passwordPolicySchema.prefault({}),
    mfa: mfaSchema.prefault({}),
    lockout: lockoutSchema.prefault({}),
    sessions: sessionSchema.prefault({}),
    signInMethods: z.array(signInMethodSchema).min(1).max(4).default(['password', 'passkey', 'magic-link', 'oidc']),
    ipAllowList: z
      .array(z.strictObject({ range, note: z.string().max(200).default('') }))
      .max(200)
      .default([])
      .meta({ description: 'From where credentials of this tenant are taken. From everywhere while it is empty.' }),
    residency: z.enum(['any', 'eu', 'us']).default('any').meta({ description: 'Where data may be kept.' }),
    redirects: z.array(redirect).max(50).default([]).meta({
      description: 'Where sign-in may lead. Compared character by character.',
    }),
  })
  .meta({
    id: 'SecurityPolicy',
    examples: [
      {
        mfa: { required: 'administrators' },
        ipAllowList: [{ range: '192.0.2.0/24', note: 'Office' }],
        redirects: ['https://app.example.com/signed-in'],
      },
    ],
  });
export type SecurityPolicy = z.infer<typeof securityPolicySchema>;

/** Not strict, so that a field of a later release does not hide the rest from this one. */
const storedSchema = z.object({
  ...securityPolicySchema.shape,
  /** Rises with every change. */
  revision: z.int().min(1),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
  /** When it was last changed who needs a second factor. */
  mfaChangedAt: z.iso.datetime().optional(),
});
export type StoredSecurityPolicy = z.infer<typeof storedSchema>;

/** One document a tenant. */
export const securityPolicyCollection = tenantCollection<StoredSecurityPolicy>({
  name: 'securityPolicy',
  schema: storedSchema,
  unindexed: ['passwords', 'mfa', 'lockout', 'sessions', 'signInMethods', 'ipAllowList', 'redirects'],
});

export const securityPolicyViewSchema = z
  .object({
    policy: securityPolicySchema,
    revision: z.int().meta({ description: 'To be sent as `If-Match` with a change. 0 while the defaults hold.' }),
    updatedAt: z.string().nullable(),
    updatedBy: z.string().nullable(),
  })
  .meta({ id: 'SecurityPolicyState' });
export type SecurityPolicyView = z.infer<typeof securityPolicyViewSchema>;
