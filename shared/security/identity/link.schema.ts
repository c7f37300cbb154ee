import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const linkPurposes = ['sign-up', 'sign-in', 'password-reset', 'email-change'] as const;
export type LinkPurpose = (typeof linkPurposes)[number];

/** Minutes for which a link is good. */
export const linkMinutes: Readonly<Record<LinkPurpose, number>> = {
  'sign-up': 24 * 60,
  'sign-in': 15,
  'password-reset': 30,
  'email-change': 60,
};

/** The secret in a link that was mailed, good once. It is stored by its hash alone. */
export const identityLinkSchema = z.object({
  purpose: z.enum(linkPurposes),
  user: z.string(),
  /** Where it was sent; for a change of address, the new one. */
  email: z.string(),
  /** For a change of address, the one that the account had then: with another one it is good no more. */
  from: z.string().optional(),
  /** The user's epoch then: a new password or the end of all sessions ends links too. */
  epoch: z.int(),
  /** The password of the sign-up, which becomes the account's with this link and no other. */
  passwordHash: z.string().optional(),
  name: z.string().optional(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type IdentityLink = z.infer<typeof identityLinkSchema>;

/** By the hash of the secret. */
export const identityLinkCollection = tenantCollection<IdentityLink>({
  name: 'identityLinks',
  schema: identityLinkSchema,
  ttl: 'expiresAt',
  unindexed: ['passwordHash', 'name'],
});
