import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';
import { passwordSchema } from '../identity/password.ts';
import { factorMethodSchema } from '../policy/security-policy.schema.ts';
import { authenticationResponseSchema } from '../sessions/passkey.schema.ts';
import { methodSchema, tokensSchema } from '../sessions/session.schema.ts';
import { challengeSchema } from '../sessions/sign-in.service.ts';
import { codeSchema } from './mfa.schema.ts';

export const challengeMethodSchema = z.enum([...factorMethodSchema.options, 'password']);
export type ChallengeMethod = z.infer<typeof challengeMethodSchema>;

/** What somebody is asked for before they get further. Good once, for ten minutes, for who holds its secret. */
export const mfaChallengeSchema = z.object({
  /** `enrolment` opens a session by setting up a factor; `totp`, `phone` and `mailbox` set one up in a session. */
  purpose: z.enum(['sign-in', 'enrolment', 'step-up', 'totp', 'phone', 'mailbox']),
  user: z.string(),
  /** The user's epoch then: a new password or the end of all sessions ends challenges too. */
  epoch: z.int(),
  /** The session in which it is asked; absent before there is one. */
  session: z.string().optional(),
  /** What was shown before. */
  shown: z.array(methodSchema),
  /** Any of them will do. */
  methods: z.array(challengeMethodSchema),
  guesses: z.int().min(0),
  sends: z.int().min(0),
  lastSentAt: z.iso.datetime().optional(),
  /** The code that was sent last, as a keyed hash. */
  code: z.object({ method: factorMethodSchema, hash: z.string() }).optional(),
  /** What a passkey is to sign. */
  passkey: z.string().optional(),
  /** The secret of an authenticator app that is being set up. */
  totp: z.object({ secret: encrypted(z.string()) }).optional(),
  /** The number that is being set up. */
  phone: z.object({ number: encrypted(z.string()) }).optional(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
});
export type MfaChallenge = z.infer<typeof mfaChallengeSchema>;

/** By the hash of its secret. */
export const mfaChallengeCollection = tenantCollection<MfaChallenge>({
  name: 'mfaChallenges',
  schema: mfaChallengeSchema,
  ttl: 'expiresAt',
  unindexed: ['shown', 'methods', 'code', 'passkey', 'totp', 'phone'],
});

export const challengeTokenSchema = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: 'As it was answered: `omc_…`.', examples: ['omc_acme.q2f…'] });

/** What is shown in answer to a challenge. */
export const proofSchema = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('totp'), code: codeSchema }),
  z.strictObject({ method: z.enum(['sms', 'email']), code: codeSchema }),
  z.strictObject({ method: z.literal('backup-code'), code: z.string().min(1).max(40) }),
  z.strictObject({ method: z.literal('passkey'), response: authenticationResponseSchema }),
  z.strictObject({ method: z.literal('password'), password: passwordSchema }),
]);
export type FactorProof = z.infer<typeof proofSchema>;

export const mfaSignInSchema = z
  .discriminatedUnion('status', [
    tokensSchema
      .extend({
        status: z.literal('complete'),
        deviceToken: z.string().optional().meta({ description: 'For this device to keep, where it is to be trusted.' }),
      })
      .meta({ id: 'SignedInByFactors' }),
    challengeSchema.extend({ status: z.literal('second-factor') }).meta({ id: 'SecondFactorNeeded' }),
  ])
  .meta({ id: 'SecondFactorResult' });
export type MfaSignIn = z.infer<typeof mfaSignInSchema>;
