import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const userSchema = z.object({
  /** In its one form (email.ts). Reserved in its tenant. */
  email: z.string(),
  /** Who has the account has shown to read the address's mail. Until then nobody signs in. */
  emailVerified: z.boolean(),
  name: z.string().optional(),
  status: z.enum(['active', 'disabled']),
  roles: z.array(z.string()).max(50),
  /** Rises when everything that was given out before is to be refused: sessions, tokens and links. */
  epoch: z.int().min(0),
  /** Argon2id. Absent for who signs in otherwise. */
  passwordHash: z.string().optional(),
  /** `link` where it was set by a mailed link: then it shows no more than that somebody reads the mail. */
  passwordBy: z.enum(['link']).optional(),
  /** Accounts at identity providers that open this one, as they are reserved: they are given back with the account. */
  ties: z.array(z.string()).max(20).optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type User = z.infer<typeof userSchema>;

export const userViewSchema = userSchema
  .omit({ passwordHash: true, passwordBy: true, ties: true, epoch: true })
  .extend({ id: z.string(), hasPassword: z.boolean() })
  .meta({ id: 'User' });
export type UserView = z.infer<typeof userViewSchema>;

export const userCollection = tenantCollection<User>({
  name: 'users',
  schema: userSchema,
  unindexed: ['passwordHash', 'passwordBy', 'ties', 'name'],
});

/** What people call themselves. */
export const personNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u, 'Must have no control characters')
  .meta({ description: 'What they call themselves.', examples: ['Ada Lovelace'] });
