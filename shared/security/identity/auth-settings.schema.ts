import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { roleNameSchema } from '../access/role.schema.ts';

/** An address of the tenant's own app: HTTPS, or HTTP on the developer's machine. */
const appUrl = z
  .url({ protocol: /^https?$/ })
  .max(500)
  .refine((text) => {
    const url = URL.parse(text);
    if (url === null) return false;
    const { protocol, hostname, username, password, hash } = url;
    const plain = username === '' && password === '' && hash === '';
    return plain && (protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1');
  }, 'Must be an https URL without credentials and fragment');

const origin = appUrl.refine(
  (text) => URL.parse(text)?.origin === text,
  'Must be an origin, as in https://app.example.com',
);

/** The name of a provider in paths. */
export const providerNameSchema = z.string().regex(/^[a-z][a-z0-9-]{1,39}$/);

const providerShape = {
  issuer: z.url({ protocol: /^https?$/ }).max(500),
  clientId: z.string().min(1).max(200),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
    .max(20)
    .default(['openid', 'email', 'profile']),
  /** Whether its word on a verified address links to the account that has the address. */
  linkByEmail: z.boolean().default(false),
  /** Whether who comes first from there gets an account. */
  signUp: z.boolean().default(false),
};

const passkeysSchema = z.strictObject({
  /** The relying party's id: the app's domain. */
  rpId: z
    .string()
    .max(253)
    .regex(/^[a-z0-9.-]+$/),
  rpName: z.string().min(1).max(64),
  origins: z.array(origin).min(1).max(10),
});

const settingsShape = {
  /** Whether anybody may make an account in this tenant. */
  signUp: z.boolean().default(false),
  /** What who signs up may do. */
  signUpRole: roleNameSchema.default('member'),
  /** Where links in mails lead. */
  appUrl: appUrl.optional(),
  passkeys: passkeysSchema.optional(),
};

const storedProvider = z.object({
  ...providerShape,
  /** Protected. */
  clientSecret: z.string().optional(),
});
export type OidcProvider = z.infer<typeof storedProvider>;

export const authSettingsSchema = z.object({
  ...settingsShape,
  providers: z.record(providerNameSchema, storedProvider).default({}),
});
export type AuthSettings = z.infer<typeof authSettingsSchema>;

/** What an administrator sends. A provider's secret that is left out stays as it is. */
export const authSettingsInputSchema = z
  .strictObject({
    ...settingsShape,
    providers: z
      .record(
        providerNameSchema,
        z.strictObject({ ...providerShape, clientSecret: z.string().min(1).max(500).optional() }),
      )
      .refine((providers) => Object.keys(providers).length <= 10, 'At most 10 providers')
      .default({}),
  })
  .meta({
    id: 'AuthSettingsInput',
    examples: [{ signUp: true, signUpRole: 'member', appUrl: 'https://app.example.com' }],
  });
export type AuthSettingsInput = z.infer<typeof authSettingsInputSchema>;

export const authSettingsViewSchema = z
  .object({
    ...settingsShape,
    providers: z.record(z.string(), z.object({ ...providerShape, hasClientSecret: z.boolean() })),
  })
  .meta({ id: 'AuthSettings' });
export type AuthSettingsView = z.infer<typeof authSettingsViewSchema>;

/** One document a tenant. */
export const authSettingsCollection = tenantCollection<AuthSettings>({
  name: 'authSettings',
  schema: authSettingsSchema,
  unindexed: ['providers', 'passkeys'],
});
