import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { auditContentSchema } from './audit-entry.schema.ts';
import { auditPositionSchema, auditSegmentSchema } from './audit-segment.schema.ts';

const count = z.int().min(0);

const partSchema = z.object({
  key: z.string(),
  /** Bytes. */
  size: count,
  entries: count,
  from: count,
  to: count,
});

/** A request for the whole log in files, and how far it has come. */
export const auditExportSchema = z.object({
  status: z.enum(['running', 'done', 'failed']),
  requestedBy: z.string(),
  requestedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().nullable(),
  /** What the log was when it was asked for: later segments are left out. */
  until: auditPositionSchema,
  /** Entries before the first one that is exported. */
  skipped: count,
  /** The segment after which the next part begins. */
  next: count,
  /** Entries written at the end that are not sealed. */
  unsealed: count,
  parts: z.array(partSchema).max(10_000),
});
export type AuditExport = z.infer<typeof auditExportSchema>;

export const auditExportCollection = tenantCollection<AuditExport>({
  name: 'auditExports',
  schema: auditExportSchema,
  unindexed: ['until', 'parts', 'skipped', 'next', 'unsealed'],
});

export const auditExportViewSchema = auditExportSchema
  .pick({ status: true, requestedBy: true, requestedAt: true, finishedAt: true, unsealed: true })
  .extend({
    id: z.string(),
    entries: count.meta({ description: 'Sealed entries that there are to export.' }),
    exported: count.meta({ description: 'How many of them are written.' }),
    parts: z.array(
      partSchema.omit({ key: true }).extend({
        url: z.string().nullable().meta({ description: 'Gives the file without a credential, for 15 minutes.' }),
      }),
    ),
  })
  .meta({
    id: 'AuditExport',
    description: 'Files of JSON lines. `npm run audit:verify FILE…` checks them without any connection.',
  });
export type AuditExportView = z.infer<typeof auditExportViewSchema>;

/** The lines of a file, in this order: a header, each segment before its entries, what is not sealed, an end. */
export const auditLineSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('header'),
    format: z.literal('omni-audit/1'),
    tenant: z.string(),
    part: z.int().min(1),
    /** The state that the first segment continues. */
    base: auditPositionSchema.extend({ frontier: auditSegmentSchema.shape.frontier }),
  }),
  z.object({ kind: z.literal('segment'), ...auditSegmentSchema.shape }),
  z.object({ kind: z.literal('entry'), id: z.string(), ...auditContentSchema.shape }),
  z.object({ kind: z.literal('unsealed'), id: z.string(), ...auditContentSchema.shape }),
  z.object({
    kind: z.literal('end'),
    last: z.boolean(),
    sequence: count,
    size: count,
    hash: auditPositionSchema.shape.hash,
  }),
]);
export type AuditLine = z.infer<typeof auditLineSchema>;
