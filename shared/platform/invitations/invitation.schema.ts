import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const invitationSchema = z.object({
  /** In its one form. */
  email: z.string(),
  roles: z.array(z.string()).min(1).max(50),
  locale: z.string(),
  invitedBy: z.object({ kind: z.enum(['user', 'key', 'system']), id: z.string() }),
  /** Of the secret in the last mail; the ones before are good no more. */
  secretHash: z.string(),
  sent: z.int().min(1),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type Invitation = z.infer<typeof invitationSchema>;

/** By a hash of the address: an address has one invitation at a time. Accepting and revoking delete it. */
export const invitationCollection = tenantCollection<Invitation>({
  name: 'invitations',
  schema: invitationSchema,
  ttl: 'expiresAt',
});

export const invitationViewSchema = invitationSchema
  .omit({ secretHash: true })
  .extend({
    id: z.string(),
    status: z.enum(['pending', 'void']).meta({
      description:
        '`void`: whoever sent it last could not give its roles any more, as their key or service account is revoked, ' +
        'removed or expired, or they may less by now. Its link is refused for as long. Somebody who may can send it again.',
    }),
  })
  .meta({ id: 'Invitation' });
export type InvitationView = z.infer<typeof invitationViewSchema>;

export const acceptedSchema = z
  .object({
    tenant: z.string(),
    user: z.string(),
    email: z.string().meta({ description: 'With which to sign in now.' }),
    isNew: z
      .boolean()
      .meta({ description: 'False where the address had an account, which has the roles besides its own.' }),
  })
  .meta({ id: 'AcceptedInvitation' });
export type AcceptedInvitation = z.infer<typeof acceptedSchema>;
