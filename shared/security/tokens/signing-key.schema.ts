import * as z from 'zod';
import { platformCollection } from '../../store/collection.ts';

export const signingKeySchema = z.object({
  /** The public key: base64url, 32 bytes (RFC 8037, `x`). */
  publicKey: z.string().length(43),
  /** The private key (RFC 8037, `d`), protected. */
  privateKey: z.string(),
  createdAt: z.iso.datetime(),
  /** From then on it signs. Verifiers know it before. */
  activeFrom: z.iso.datetime(),
  /** When the last token that it signed has expired. Absent while no other key follows it. */
  expiresAt: z.iso.datetime().optional(),
});
export type SigningKey = z.infer<typeof signingKeySchema>;

/** By key id, `ed25519-<number>`. The number is known before the key is: whoever makes the next one meets the others. */
export const signingKeyCollection = platformCollection<SigningKey>({
  name: 'signingKeys',
  schema: signingKeySchema,
  ttl: 'expiresAt',
  unindexed: ['publicKey', 'privateKey'],
});
