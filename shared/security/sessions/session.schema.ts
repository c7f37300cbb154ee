import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { deviceSchema } from '../identity/identity.events.ts';

/**
 * How somebody proved who they are (the `amr` claim, RFC 8176; ours are `link`, `fed`, `mail` for a code by mail and `rcv`
 * for a backup code).
 */
export const methodSchema = z.enum(['pwd', 'link', 'fed', 'hwk', 'otp', 'sms', 'mail', 'rcv']);
export type Method = z.infer<typeof methodSchema>;

/** One sign-in, with the family of refresh tokens that descends from it. */
export const sessionSchema = z.object({
  user: z.string(),
  /** The user's epoch at sign-in. Once the user's is higher, the session is over. */
  epoch: z.int(),
  methods: z.array(methodSchema),
  /** Whether the account had a second factor when they last proved who they are. */
  secondFactor: z.boolean().optional(),
  device: deviceSchema,
  createdAt: z.iso.datetime(),
  /** When they last proved who they are; 1970 where rules say that this proof is not to count for sensitive calls. */
  authenticatedAt: z.iso.datetime(),
  refreshedAt: z.iso.datetime(),
  /** Without a refresh it is over then. */
  idleUntil: z.iso.datetime(),
  /** It is over then in any case. */
  expiresAt: z.iso.datetime(),
  /** SHA-256 of the only refresh token that is good now. */
  tokenHash: z.string(),
  /** Tells a token that once was good from one that never was. It opens nothing by itself. */
  familyKey: z.string(),
  revokedAt: z.iso.datetime().optional(),
  revokedFor: z.enum(['signed-out', 'revoked', 'reuse']).optional(),
});
export type Session = z.infer<typeof sessionSchema>;

export const sessionCollection = tenantCollection<Session>({
  name: 'sessions',
  schema: sessionSchema,
  ttl: 'expiresAt',
  indexes: [
    {
      fields: [
        { field: 'user', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
  ],
  unindexed: ['device', 'methods', 'secondFactor', 'tokenHash', 'familyKey'],
});

export const sessionViewSchema = sessionSchema
  .omit({ epoch: true, secondFactor: true, tokenHash: true, familyKey: true, revokedAt: true, revokedFor: true })
  .extend({ id: z.string(), current: z.boolean().meta({ description: 'The one in which this is asked.' }) })
  .meta({ id: 'Session' });
export type SessionView = z.infer<typeof sessionViewSchema>;

export const tokensSchema = z
  .object({
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().meta({ description: 'Seconds.' }),
    refreshToken: z.string().meta({ description: 'Good once: each refresh answers with the next.' }),
    refreshExpiresAt: z.iso.datetime().meta({ description: 'When the session is over in any case.' }),
    session: z.string(),
    user: z.string(),
    knownDevice: z
      .string()
      .optional()
      .meta({
        description:
          'To be kept on this device and sent as `Omni-Device` with every sign-in: then what others fail at does not ' +
          'lock this device out. Only where it has shown none of this user.',
      }),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof tokensSchema>;
