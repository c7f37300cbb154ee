import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { deviceSchema } from '../identity/identity.events.ts';

/** A device that is not asked for a second factor again, for a while. */
export const trustedDeviceSchema = z.object({
  user: z.string(),
  /** The user's epoch then: a new password ends it. */
  epoch: z.int(),
  device: deviceSchema,
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type TrustedDevice = z.infer<typeof trustedDeviceSchema>;

/** By the hash of the secret that the device keeps. */
export const trustedDeviceCollection = tenantCollection<TrustedDevice>({
  name: 'trustedDevices',
  schema: trustedDeviceSchema,
  ttl: 'expiresAt',
  unindexed: ['device'],
});

export const trustedDeviceViewSchema = trustedDeviceSchema
  .omit({ user: true, epoch: true })
  .extend({ id: z.string() })
  .meta({ id: 'TrustedDevice' });
export type TrustedDeviceView = z.infer<typeof trustedDeviceViewSchema>;

export const deviceTokenSchema = z
  .string()
  .min(1)
  .max(100)
  .optional()
  .meta({ description: 'The `deviceToken` that this device was given, where its user chose to trust it.' });
