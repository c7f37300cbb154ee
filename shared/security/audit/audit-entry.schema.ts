import * as z from 'zod';
import { canonicalJson } from '../../kernel/json.ts';
import { tenantCollection } from '../../store/collection.ts';
import { leafHash } from './merkle.ts';

const name = z.string().min(1).max(300);

/** What was written, and is covered by the entry's hash. It never changes. */
const contentShape = {
  /** Of this form. A later one has another number, and its own way of being hashed. */
  version: z.literal(1),
  at: z.iso.datetime(),
  actor: z.object({ kind: z.enum(['user', 'key', 'system', 'anonymous']), id: name }),
  /** `security.policy.updated`. */
  action: name,
  target: z.object({ type: name, id: name }),
  outcome: z.enum(['success', 'failure', 'denied']),
  /** What there is to say without naming a person, as JSON. */
  data: z.string(),
  /** What names or describes a person, encrypted under the subject's own key. */
  personal: z.object({ subject: name, sealed: z.string() }).nullable(),
};
export const auditContentSchema = z.object(contentShape);
export type AuditContent = z.infer<typeof auditContentSchema>;

export const auditEntrySchema = z.object({
  ...contentShape,
  /** The number of the segment that it is sealed in; 0 until then. The only field that is ever written again. */
  segment: z.int().min(0),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

const newestFirst = { field: 'at', order: 'desc' } as const;
const by = (field: string) => ({ fields: [{ field, order: 'asc' } as const, newestFirst] });

export const auditEntryCollection = tenantCollection<AuditEntry>({
  name: 'auditEntries',
  schema: auditEntrySchema,
  // The first three together answer any combination of filters.
  indexes: [
    by('actor.id'),
    by('action'),
    by('target.id'),
    {
      fields: [
        { field: 'segment', order: 'asc' },
        { field: 'at', order: 'asc' },
      ],
    },
  ],
  unindexed: ['version', 'outcome', 'data', 'personal'],
});

/**
 * The hash of one entry. Tenant and id are in it, so that no entry passes for another; personal data is in it as it is
 * encrypted, so that its key can be destroyed without a change to any hash.
 */
export const entryHash = (tenant: string, id: string, entry: AuditContent): string =>
  leafHash(canonicalJson({ tenant, id, ...auditContentSchema.parse(entry) }));

export const auditEntryViewSchema = z
  .object({
    id: z.string(),
    at: contentShape.at,
    actor: contentShape.actor.meta({
      description: 'Who did it or tried: `anonymous` for who has not shown who they are, as in a failed sign-in.',
    }),
    action: contentShape.action.meta({ examples: ['security.policy.updated'] }),
    target: contentShape.target,
    outcome: contentShape.outcome,
    data: z.record(z.string(), z.unknown()).meta({ description: 'What there is to say without naming a person.' }),
    personal: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: 'What names or describes a person. Null where there is none, or where `erased` is true.' }),
    erased: z.boolean().meta({ description: 'Its personal data was destroyed. The entry and its hash still stand.' }),
    segment: z.int().nullable().meta({ description: 'The segment that it is sealed in; null until it is.' }),
    hash: z.string().meta({ description: 'SHA-256 of the entry, a leaf of the log.' }),
  })
  .meta({ id: 'AuditEntry', description: 'Something that was done or tried, by whom, to what, and how it ended.' });
export type AuditEntryView = z.infer<typeof auditEntryViewSchema>;
