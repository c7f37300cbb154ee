import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

const keyVersionSchema = z.object({
  version: z.int().min(1),
  createdAt: z.iso.datetime(),
  /** The key, wrapped by key management. Its absence is what makes a destroyed key destroyed. */
  wrapped: z.string().optional(),
  destroyedAt: z.iso.datetime().optional(),
});

/** All versions of one key. The last one encrypts; the others only decrypt. */
export const keyRingSchema = z.object({
  kind: z.enum(['tenant', 'subject']),
  versions: z.array(keyVersionSchema).min(1).max(1_000),
});
export type KeyRing = z.infer<typeof keyRingSchema>;

/** By name: `fields`, `values`, or a hash of the subject whose key it is. */
export const keyRingCollection = tenantCollection<KeyRing>({
  name: 'keyRings',
  schema: keyRingSchema,
  unindexed: ['versions'],
});

export const ringNameSchema = z.enum(['fields', 'values']).meta({
  description: '`fields` encrypts what Omni stores for you; `values` what you ask to be encrypted and keep yourself.',
});
export type RingName = z.infer<typeof ringNameSchema>;

/** What may be told of a key: everything but the key. */
export const keyRingViewSchema = z
  .object({
    name: ringNameSchema,
    versions: z
      .array(
        keyVersionSchema.omit({ wrapped: true }).extend({
          state: z.enum(['current', 'readable', 'destroyed']).meta({
            description: '`current` encrypts, `readable` only decrypts, and what `destroyed` encrypted is lost.',
          }),
        }),
      )
      .meta({ description: 'The newest first. None before the first use.' }),
  })
  .meta({ id: 'EncryptionKey' });
export type KeyRingView = z.infer<typeof keyRingViewSchema>;
