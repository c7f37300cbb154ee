import * as z from 'zod';
import { platformCollection } from '../../store/collection.ts';

/** `ai:read`, `ai:*` or `*`. */
export const scopeSchema = z.string().regex(/^(\*|[a-z][a-z-]*:(\*|[a-z][a-z-]*))$/);

export const apiKeySchema = z.object({
  tenant: z.string(),
  name: z.string().max(100),
  /** SHA-256 of the secret, hex. The secret has 256 bits of entropy, so a slow hash would add nothing. */
  secretHash: z.string().regex(/^[\da-f]{64}$/),
  scopes: z.array(scopeSchema).min(1).max(100),
  requestsPerMinute: z.int().min(1).max(1_000_000),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional(),
  revokedAt: z.iso.datetime().optional(),
  /** To the hour. */
  lastUsedAt: z.iso.datetime().optional(),
  /** The key that replaces it. */
  rotatedTo: z.string().optional(),
  /** The key that it replaces. */
  rotatedFrom: z.string().optional(),
});
export type ApiKey = z.infer<typeof apiKeySchema>;

/** By prefix, over all tenants: a key says nothing of its tenant before it is found. */
export const apiKeyCollection = platformCollection<ApiKey>({
  name: 'apiKeys',
  schema: apiKeySchema,
  indexes: [
    {
      fields: [
        { field: 'tenant', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
    {
      fields: [
        { field: 'tenant', order: 'asc' },
        { field: 'expiresAt', order: 'asc' },
      ],
    },
  ],
});

export const apiKeyViewSchema = apiKeySchema
  .omit({ tenant: true, secretHash: true })
  .extend({ id: z.string().meta({ description: 'The part after `omk_`, which is no secret.' }) })
  .meta({ id: 'ApiKey' });
export type ApiKeyView = z.infer<typeof apiKeyViewSchema>;

export const newApiKeySchema = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    scopes: z.array(scopeSchema).min(1).max(100),
    requestsPerMinute: z.int().min(1).max(1_000_000).default(3_000),
    expiresAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'NewApiKey', examples: [{ name: 'ci', scopes: ['ai:predict', 'ai:read'] }] });
export type ApiKeyInput = z.infer<typeof newApiKeySchema>;
