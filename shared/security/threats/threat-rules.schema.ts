import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { incidentKindSchema, severitySchema } from './incident.schema.ts';
import { signalKindSchema } from './risk.schema.ts';

const common = {
  name: z
    .string()
    .regex(/^[a-z0-9](-?[a-z0-9]){0,59}$/)
    .meta({ examples: ['challenge-risky-sign-ins'] }),
  enabled: z.boolean().default(true),
  dryRun: z.boolean().default(false).meta({ description: 'Says what it would do, and does nothing.' }),
  blockMinutes: z.int().min(1).max(10_080).default(60).meta({ description: 'For `block`.' }),
};

export const signInActionSchema = z.enum([
  'challenge',
  'step-up',
  'block',
  'revoke-sessions',
  'notify-user',
  'notify-admins',
  'ask-for-new-password',
  'open-incident',
]);
export type SignInAction = z.infer<typeof signInActionSchema>;

const signInRuleSchema = z.strictObject({
  ...common,
  on: z.literal('sign-in'),
  when: z
    .strictObject({
      minScore: z.int().min(0).max(100).default(0),
      signals: z.array(signalKindSchema).max(6).default([]).meta({ description: 'Any of them; none: whichever.' }),
    })
    .refine(({ minScore, signals }) => minScore > 0 || signals.length > 0, 'Must not hold for every sign-in')
    .meta({ description: 'Both hold.' }),
  respond: z.array(signInActionSchema).min(1).max(8),
});
export type SignInRule = z.infer<typeof signInRuleSchema>;

const incidentRuleSchema = z.strictObject({
  ...common,
  on: z.literal('incident'),
  when: z
    .strictObject({
      kinds: z.array(incidentKindSchema).max(6).default([]).meta({ description: 'Any of them; none: whichever.' }),
      minSeverity: severitySchema.default('low'),
    })
    .meta({ description: 'Both hold.' }),
  respond: z
    .array(z.enum(['block', 'revoke-sessions', 'notify-user', 'notify-admins']))
    .min(1)
    .max(4),
});
export type IncidentRule = z.infer<typeof incidentRuleSchema>;
export type IncidentAction = IncidentRule['respond'][number];

export const threatRuleSchema = z.discriminatedUnion('on', [signInRuleSchema, incidentRuleSchema]);
export type ThreatRule = z.infer<typeof threatRuleSchema>;

const thresholdsSchema = z.strictObject({
  bruteForceFailures: z.int().min(5).max(1_000).default(10).meta({ description: 'Of one account, wherever from.' }),
  stuffingAccounts: z.int().min(5).max(2_000).default(20).meta({ description: 'Failed from one network.' }),
  sprayingAccounts: z.int().min(5).max(2_000).default(10).meta({ description: 'Failed with one password.' }),
  surgeFailures: z.int().min(50).max(1_000_000).default(500).meta({ description: 'Of all accounts together.' }),
  surgeRatio: z.number().min(0.5).max(1).default(0.9).meta({ description: 'Of all sign-ins, those that fail.' }),
  incidentScore: z.int().min(30).max(100).default(70).meta({ description: 'Of a sign-in that opens an incident.' }),
});

export const defaultRules: readonly ThreatRule[] = z.array(threatRuleSchema).parse([
  { on: 'sign-in', name: 'step-up-when-unusual', when: { minScore: 30 }, respond: ['step-up'] },
  { on: 'sign-in', name: 'challenge-when-risky', when: { minScore: 50 }, respond: ['challenge', 'notify-user'] },
  {
    on: 'sign-in',
    name: 'replace-breached-passwords',
    when: { signals: ['breached-password'] },
    respond: ['ask-for-new-password', 'open-incident'],
  },
  {
    on: 'incident',
    name: 'block-attacking-networks',
    when: { kinds: ['credential-stuffing'], minSeverity: 'medium' },
    respond: ['block', 'notify-admins'],
  },
  {
    on: 'incident',
    name: 'tell-administrators',
    when: { kinds: ['password-spraying', 'failure-surge', 'anomalous-sign-in'], minSeverity: 'medium' },
    respond: ['notify-admins'],
  },
  {
    on: 'incident',
    name: 'tell-owners-of-attacks',
    when: { kinds: ['brute-force'], minSeverity: 'high' },
    respond: ['notify-user'],
  },
]);

export const threatRulesSchema = z
  .strictObject({
    thresholds: thresholdsSchema.prefault({}).meta({ description: 'Within the last one to two hours.' }),
    rules: z
      .array(threatRuleSchema)
      .max(50)
      .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'Names must differ')
      .default([...defaultRules]),
  })
  .meta({
    id: 'ThreatRules',
    examples: [
      {
        thresholds: { stuffingAccounts: 50 },
        rules: [{ on: 'sign-in', name: 'challenge-when-risky', when: { minScore: 50 }, respond: ['challenge'] }],
      },
    ],
  });
export type ThreatRules = z.infer<typeof threatRulesSchema>;

const storedSchema = z.object({
  ...threatRulesSchema.shape,
  revision: z.int().min(1),
  updatedAt: z.iso.datetime(),
  updatedBy: z.string(),
});
export type StoredThreatRules = z.infer<typeof storedSchema>;

/** One document a tenant. */
export const threatRulesCollection = tenantCollection<StoredThreatRules>({
  name: 'threatRules',
  schema: storedSchema,
  unindexed: ['thresholds', 'rules'],
});

export const threatRulesViewSchema = z
  .object({
    ...threatRulesSchema.shape,
    revision: z.int().meta({ description: 'To be sent as `If-Match` with a change. 0 while the defaults hold.' }),
    updatedAt: z.string().nullable(),
    updatedBy: z.string().nullable(),
  })
  .meta({ id: 'ThreatRulesState' });
export type ThreatRulesView = z.infer<typeof threatRulesViewSchema>;
