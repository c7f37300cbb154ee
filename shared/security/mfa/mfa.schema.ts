import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';
import { factorMethodSchema } from '../policy/security-policy.schema.ts';

/** What an authenticator app shares with us (RFC 6238). */
const totpSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** Base32. */
  secret: encrypted(z.string()),
  /** Steps up to this one are used up, so that a code is good once. */
  lastStep: z.int(),
  confirmedAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
});
export type Totp = z.infer<typeof totpSchema>;

const phoneSchema = z.object({
  id: z.string(),
  /** E.164. */
  number: encrypted(z.string()),
  confirmedAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
});

const mailboxSchema = z.object({
  id: z.string(),
  confirmedAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
});

/**
 * All second factors of one person but passkeys, in one document: each use is one write on condition of its revision,
 * so that of those who use one code at once one succeeds.
 */
export const mfaProfileSchema = z.object({
  totps: z.array(totpSchema).max(10),
  phone: phoneSchema.optional(),
  /** Codes go to the address that the account has at the time. */
  mailbox: mailboxSchema.optional(),
  /**
   * How many there are, so that a sign-in looks for them only where there are any. Written with each that comes or
   * goes; absent where that was not counted yet.
   */
  passkeys: z.int().min(0).optional(),
  backupCodes: z
    .object({
      /** Argon2id, by the digit that the code begins with; null once it is used. */
      hashes: z.array(z.string().nullable()).max(10),
      createdAt: z.iso.datetime(),
    })
    .optional(),
  /** Wrong codes since the last right one, over all challenges. */
  failures: z.int().min(0),
  /** Until then no code is looked at. */
  lockedUntil: z.iso.datetime().optional(),
  /** Messages with a code, and since when they count. */
  sent: z.object({ count: z.int().min(0), since: z.iso.datetime() }).optional(),
  /** After a reset there is no way in but by setting up a factor. */
  mustEnrol: z.boolean(),
  /** The reset that is under way. */
  reset: z.string().optional(),
});
export type MfaProfile = z.infer<typeof mfaProfileSchema>;

/** By the user's id. */
export const mfaProfileCollection = tenantCollection<MfaProfile>({
  name: 'mfaProfiles',
  schema: mfaProfileSchema,
  unindexed: ['totps', 'phone', 'mailbox', 'backupCodes', 'sent'],
});

export const noProfile: MfaProfile = { totps: [], passkeys: 0, failures: 0, mustEnrol: false };

const sixDigits = z
  .string()
  .regex(/^\d{6}$/)
  .meta({ description: 'Six digits.', examples: ['123456'] });

export const codeSchema = sixDigits;

export const factorNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u, 'Must have no control characters')
  .meta({ description: 'What you call it.', examples: ['My phone'] });

export const factorViewSchema = z
  .object({
    id: z.string(),
    method: factorMethodSchema,
    name: z.string().meta({ description: 'For a number, its last digits.' }),
    createdAt: z.iso.datetime(),
    lastUsedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'SecondFactor' });
export type FactorView = z.infer<typeof factorViewSchema>;

export const mfaOverviewSchema = z
  .object({
    factors: z.array(factorViewSchema).readonly(),
    backupCodesLeft: z.int().meta({ description: 'Of ten.' }),
    required: z.boolean().meta({ description: 'Whether the tenant asks for a second factor.' }),
    requiredFrom: z.iso.datetime().nullable().meta({ description: 'From when on, where it does.' }),
    lockedUntil: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'Until then no code is taken: there were wrong ones.' }),
    reset: z.string().nullable().meta({ description: 'The reset of your factors that is under way.' }),
  })
  .meta({ id: 'SecondFactors' });
export type MfaOverview = z.infer<typeof mfaOverviewSchema>;

export const newTotpSchema = z
  .object({
    enrolment: z.string().meta({ description: 'To be sent with the first code, within ten minutes.' }),
    secret: z.string().meta({ description: 'Base32, for an app that takes no URL. Shown this once.' }),
    uri: z.string().meta({ description: '`otpauth://totp/…`, to be shown as a QR code.' }),
  })
  .meta({ id: 'NewAuthenticator' });
export type NewTotp = z.infer<typeof newTotpSchema>;
