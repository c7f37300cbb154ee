import * as z from 'zod';
import { derivedId } from '../../kernel/ids.ts';
import { tenantCollection } from '../../store/collection.ts';

const expiresAt = z.iso.datetime();

/** Attempts with one budget that have not been shown to be the owner's: made before the credential is looked at. */
export const attemptsSchema = z.object({
  kind: z.literal('attempts'),
  /** Milliseconds since the epoch. At most as many as a policy may allow. */
  at: z.array(z.int()).max(50),
  expiresAt,
});

/** Failures of one caller on one UTC day. */
const failuresSchema = z.object({ kind: z.literal('failures'), count: z.number(), expiresAt });

/** A device on which somebody has signed in, by the hash of the token that it was given. */
const deviceSchema = z.object({
  kind: z.literal('device'),
  user: z.string(),
  /** SHA-256 of the address that the account had. */
  account: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt,
});

export const blockSchema = z.object({
  kind: z.literal('block'),
  /** What is kept away: a network, or whoever tries one account. */
  target: z.enum(['network', 'account']),
  /** `203.0.113.0/24`, or SHA-256 of the account's address. */
  value: z.string().max(64),
  /** Whose account it is, where it is somebody's. */
  user: z.string().optional(),
  reason: z.string().max(500),
  /** What it was set for by a rule. */
  incident: z.string().optional(),
  by: z.string(),
  /** Devices on which the account's owner has signed in before are let through. */
  sparesKnownDevices: z.boolean(),
  createdAt: z.iso.datetime(),
  expiresAt,
});
export type Block = z.infer<typeof blockSchema>;

/** What was found to be harmless: no incident of this kind is opened for this subject meanwhile. */
export const allowanceSchema = z.object({
  kind: z.literal('allowance'),
  of: z.string(),
  subject: z.string(),
  incident: z.string(),
  by: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt,
});
export type Allowance = z.infer<typeof allowanceSchema>;

const guardSchema = z.discriminatedUnion('kind', [
  attemptsSchema,
  failuresSchema,
  deviceSchema,
  blockSchema,
  allowanceSchema,
]);
export type GuardRecord = z.infer<typeof guardSchema>;

/** Everything that a sign-in is held against is in one collection, so that one round trip reads all of it. */
export const guardCollection = tenantCollection<GuardRecord>({
  name: 'signInGuards',
  schema: guardSchema,
  ttl: 'expiresAt',
  indexes: [
    {
      fields: [
        { field: 'kind', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
  ],
  unindexed: ['at', 'count', 'account', 'value', 'reason', 'incident', 'by', 'of', 'subject'],
});

/** By what each record is found. Hashed parts, so that no key range is hot and no address is in a path. */
export const guardId = {
  attempts: (account: string, network: string) => derivedId('att', account, network),
  deviceAttempts: (device: string) => derivedId('att', 'device', device),
  failures: (caller: string, day: string) => derivedId('fld', caller, day),
  device: (tokenHash: string) => `dev_${tokenHash}`,
  block: (target: Block['target'], value: string) => derivedId('blk', target, value),
  allowance: (kind: string, subject: string) => derivedId('alw', kind, subject),
} as const;
