import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';

/** Firestore documents have 1 MiB; a value is stored encrypted, in base64. */
export const maxSecretLength = 65_536;

export const secretNameSchema = z
  .string()
  .regex(/^[A-Za-z][\w-]{0,127}$/, 'Must begin with a letter and have only letters, digits, "_" and "-"')
  .meta({ description: 'Letters, digits, `_` and `-`, at most 128.', examples: ['stripe-api-key'] });

export const secretVersionStateSchema = z
  .enum(['enabled', 'disabled', 'destroyed'])
  .meta({ description: 'Only what is `enabled` is revealed. What is `destroyed` stays so.' });
export type SecretVersionState = z.infer<typeof secretVersionStateSchema>;

/** A version that is destroyed has no value any more, for anybody. */
const versionSchema = z.object({
  version: z.int().min(1),
  state: secretVersionStateSchema,
  createdAt: z.iso.datetime(),
  destroyedAt: z.iso.datetime().optional(),
});

export const maxVersions = 1_000;

const secretSchema = z.object({
  createdAt: z.iso.datetime(),
  versions: z.array(versionSchema).min(1).max(maxVersions),
});
export type Secret = z.infer<typeof secretSchema>;

/** By name. */
export const secretCollection = tenantCollection<Secret>({
  name: 'secrets',
  schema: secretSchema,
  unindexed: ['versions'],
});

const secretValueSchema = z.object({ value: encrypted(z.string().max(maxSecretLength)) });
export type SecretValue = z.infer<typeof secretValueSchema>;

/** By name and version: `stripe-api-key~2`. Apart from the secrets, so that listing those can't show any. */
export const secretValueCollection = tenantCollection<SecretValue>({ name: 'secretValues', schema: secretValueSchema });

export const secretViewSchema = secretSchema
  .extend({ name: secretNameSchema, versions: z.array(versionSchema).meta({ description: 'The newest first.' }) })
  .meta({ id: 'Secret', description: 'What is known of a secret without its values.' });
export type SecretView = z.infer<typeof secretViewSchema>;
