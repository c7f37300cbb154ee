import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

export const incidentKindSchema = z.enum([
  'brute-force',
  'credential-stuffing',
  'password-spraying',
  'failure-surge',
  'anomalous-sign-in',
  'breached-password',
]);
export type IncidentKind = z.infer<typeof incidentKindSchema>;

export const severities = ['low', 'medium', 'high', 'critical'] as const;
export const severitySchema = z.enum(severities);
export type Severity = z.infer<typeof severitySchema>;

export const statusSchema = z.enum(['open', 'acknowledged', 'resolved', 'false-positive']);
export type IncidentStatus = z.infer<typeof statusSchema>;

export const maxTimeline = 100;
export const maxSample = 20;

const timelineSchema = z.object({
  at: z.iso.datetime(),
  what: z.enum(['opened', 'escalated', 'responded', 'status-changed', 'assigned', 'noted']),
  /** Id of the user or key; `rules` or `detection` for what nobody did. */
  by: z.string(),
  text: z.string().max(2_000),
});
export type TimelineEntry = z.infer<typeof timelineSchema>;

export const incidentSchema = z.object({
  kind: incidentKindSchema,
  subject: z.object({
    type: z.enum(['account', 'network', 'password', 'tenant', 'user']),
    /** An account is named by SHA-256 of its address, a password by 20 bits of a keyed hash. */
    id: z.string(),
  }),
  /** Whose account it is about, where there is one. */
  user: z.string().optional(),
  severity: severitySchema,
  status: statusSchema,
  assignee: z.string().optional(),
  openedAt: z.iso.datetime(),
  /** When it was last seen to go on. */
  seenAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  affected: z.object({
    count: z.int(),
    /** Some of the accounts, by SHA-256 of their addresses or by the ids of their users. */
    sample: z.array(z.string()).max(maxSample),
  }),
  evidence: z.record(z.string(), z.union([z.string(), z.number()])),
  /** The oldest first. When it is full, entries after the first ten give way. */
  timeline: z.array(timelineSchema).max(maxTimeline),
});
export type Incident = z.infer<typeof incidentSchema>;

const by = (field: string) => ({
  fields: [
    { field, order: 'asc' as const },
    { field: 'openedAt', order: 'desc' as const },
  ],
});

export const incidentCollection = tenantCollection<Incident>({
  name: 'threatIncidents',
  schema: incidentSchema,
  indexes: [by('kind'), by('status'), by('severity'), by('subject.id'), by('user')],
  unindexed: ['affected', 'evidence', 'timeline', 'assignee'],
});

export const incidentViewSchema = incidentSchema.extend({ id: z.string() }).meta({ id: 'ThreatIncident' });
export type IncidentView = z.infer<typeof incidentViewSchema>;

/** An incident in a list: its timeline comes with itself. */
export const incidentSummarySchema = incidentViewSchema.omit({ timeline: true }).meta({ id: 'ThreatIncidentSummary' });

export const incidentChangeSchema = z
  .strictObject({
    status: statusSchema.optional().meta({
      description: '`false-positive` also keeps the same from being opened for the same subject for 30 days.',
    }),
    assignee: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[\w:@.-]+$/)
      .nullable()
      .optional()
      .meta({ description: 'Id of the user who looks after it; null for nobody.' }),
    note: z
      .string()
      .trim()
      .min(1)
      .max(2_000)
      .regex(/^[^\p{Cs}\0]*$/u)
      .optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'Must change something')
  .meta({ examples: [{ status: 'acknowledged', assignee: 'usr_1', note: 'Looking into it.' }] });
export type IncidentChange = z.infer<typeof incidentChangeSchema>;
