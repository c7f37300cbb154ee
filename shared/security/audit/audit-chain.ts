import * as z from 'zod';
import { canonicalJson } from '../../kernel/json.ts';
import { type AuditContent, entryHash } from './audit-entry.schema.ts';
import {
  type AuditPosition,
  type AuditSegment,
  auditPositionSchema,
  type ChainState,
  nextSegment,
} from './audit-segment.schema.ts';

/** The first thing that is wrong with a log. */
export const auditProblemSchema = z
  .object({
    code: z.enum([
      'entry-changed',
      'entry-missing',
      'entry-inserted',
      'segment-changed',
      'segment-missing',
      'root-mismatch',
      'truncated',
    ]),
    segment: z.int().meta({ description: 'Where in the log.' }),
    entry: z.string().nullable().meta({ description: 'The id of the entry, where it is one that is wrong.' }),
    message: z.string(),
  })
  .meta({ id: 'AuditProblem' });
export type AuditProblem = z.infer<typeof auditProblemSchema>;

const messages: Readonly<Record<AuditProblem['code'], string>> = {
  'entry-changed': 'The entry is not what was sealed.',
  'entry-missing': 'The entry was sealed and is gone.',
  'entry-inserted': 'The entry claims to be sealed and is not.',
  'segment-changed': 'The segment does not continue the one before, or is not what was sealed.',
  'segment-missing': 'The segment is gone.',
  'root-mismatch': 'The log is not the one whose root was kept on that day.',
  truncated: 'The log goes on after this, and its end is gone.',
};

export const problem = (code: AuditProblem['code'], segment: number, entry: string | null = null): AuditProblem => ({
  code,
  segment,
  entry,
  message: messages[code],
});

/** What is wrong with the segment that should come after `state`; `entries` are all that claim to be in it, by id. */
export const checkSegment = (
  tenant: string,
  state: ChainState,
  segment: AuditSegment | undefined,
  entries: ReadonlyMap<string, AuditContent>,
): AuditProblem | undefined => {
  const sequence = state.sequence + 1;
  if (segment?.sequence !== sequence) return problem('segment-missing', sequence);
  const { ids, hashes, sealedAt } = segment;
  // Entries first: of all that may be wrong they are what someone wants to change.
  for (const [i, id] of ids.entries()) {
    const entry = entries.get(id);
    if (entry === undefined) return problem('entry-missing', sequence, id);
    if (entryHash(tenant, id, entry) !== hashes[i]) return problem('entry-changed', sequence, id);
  }
  const sealed = new Set(ids);
  const inserted = [...entries.keys()].find((id) => !sealed.has(id));
  if (inserted !== undefined) return problem('entry-inserted', sequence, inserted);
  const claimed = ids.map((id, i) => ({ id, hash: hashes[i] ?? '' }));
  const expected = nextSegment(tenant, state, claimed, sealedAt);
  return canonicalJson(expected) === canonicalJson(segment) ? undefined : problem('segment-changed', sequence);
};

/** What goes to a blob that nobody can change: how the log stood on a day. */
export const auditRootSchema = z
  .object({
    format: z.literal('omni-audit-root/1'),
    tenant: z.string(),
    day: z.iso.date(),
    ...auditPositionSchema.shape,
    tree: auditPositionSchema.shape.hash.meta({ description: 'RFC 6962 Merkle root of all entries.' }),
    madeAt: z.iso.datetime(),
  })
  .meta({ id: 'AuditRoot' });
export type AuditRoot = z.infer<typeof auditRootSchema>;

/** The roots of days, against the segments that they name as they come by. */
export const checkRoots = (
  roots: readonly AuditRoot[],
  { sequence, size, hash, tree }: AuditPosition & { tree: string },
) =>
  roots
    .filter((root) => root.sequence === sequence)
    .every((root) => root.size === size && root.hash === hash && root.tree === tree)
    ? undefined
    : problem('root-mismatch', sequence);
