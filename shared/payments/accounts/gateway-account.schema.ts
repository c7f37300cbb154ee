import * as z from 'zod';
import { platformCollection, tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';

export const gatewayNames = ['stripe', 'paypal', 'crypto', 'onchain', 'acmepay'] as const;
export const gatewayNameSchema = z.enum(gatewayNames);
export const modeSchema = z.enum(['test', 'live']).meta({ description: 'Test money does not exist.' });
export type Mode = z.infer<typeof modeSchema>;

/** `stripe-live`: a tenant has one account at each gateway and in each mode. */
export const accountIdSchema = z.string().regex(/^(stripe|paypal|crypto|onchain|acmepay)-(test|live)$/);
export const accountIdOf = (gateway: (typeof gatewayNames)[number], mode: Mode): string => `${gateway}-${mode}`;

const costSchema = z
  .strictObject({
    basisPoints: z.int().min(0).max(10_000).default(0),
    fixed: z.int().min(0).max(100_000).default(0).meta({ description: "Minor units of the payment's currency." }),
  })
  .meta({ description: 'What a payment costs there, for routing.' });

const countrySchema = z.string().regex(/^[A-Z]{2}$/);

const settingsShape = {
  enabled: z.boolean().default(true),
  cost: costSchema.default({ basisPoints: 0, fixed: 0 }),
  countries: z
    .array(countrySchema)
    .max(250)
    .default([])
    .meta({ description: 'Where its payers may be; anywhere where empty. ISO 3166-1 alpha-2.' }),
};

const credentialsSchema = z
  .record(z.string().regex(/^[a-zA-Z]{1,40}$/), z.string().min(1).max(4_000))
  .refine((all) => Object.keys(all).length <= 10, 'At most 10 fields')
  .meta({ description: 'As the gateway needs them: `{"secretKey": "…"}`. Stored encrypted, never shown.' });
export type Credentials = z.infer<typeof credentialsSchema>;

/** What connects an account. */
export const newGatewayAccountSchema = z
  .strictObject({ gateway: gatewayNameSchema, mode: modeSchema, credentials: credentialsSchema, ...settingsShape })
  .meta({
    id: 'NewGatewayAccount',
    examples: [{ gateway: 'acmepay', mode: 'test', credentials: { secretKey: 'ak_test_…' } }],
  });
export type NewGatewayAccount = z.infer<typeof newGatewayAccountSchema>;

export const gatewayAccountSettingsSchema = z
  .strictObject({ ...settingsShape, credentials: credentialsSchema.optional() })
  .meta({ id: 'GatewayAccountSettings', examples: [{ enabled: true, cost: { basisPoints: 140, fixed: 25 } }] });
export type GatewayAccountSettings = z.infer<typeof gatewayAccountSettingsSchema>;

const storedShape = {
  gateway: gatewayNameSchema,
  mode: modeSchema,
  /** The gateway's id of the account, which its webhooks name. */
  providerAccount: z.string(),
  enabled: z.boolean(),
  cost: costSchema,
  countries: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
};
/** Credentials are JSON. */
const gatewayAccountSchema = z.object({ ...storedShape, credentials: encrypted(z.string().max(50_000)) });
export type GatewayAccount = z.infer<typeof gatewayAccountSchema>;

export const gatewayAccountCollection = tenantCollection<GatewayAccount>({
  name: 'gatewayAccounts',
  schema: gatewayAccountSchema,
});

const accountIndexSchema = z.object({ tenant: z.string(), account: z.string() });
export type AccountIndex = z.infer<typeof accountIndexSchema>;

/** Which tenants have an account, for work that goes through all of them. */
export const accountIndexCollection = platformCollection<AccountIndex>({
  name: 'gatewayAccountIndex',
  schema: accountIndexSchema,
});

export const gatewayAccountViewSchema = z
  .object({ id: z.string(), ...storedShape, healthy: z.boolean(), latencyMs: z.number() })
  .meta({ id: 'GatewayAccount' });
export type GatewayAccountView = z.infer<typeof gatewayAccountViewSchema>;
