import { createHash } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../../kernel/json.ts';
import { tenantCollection } from '../../store/collection.ts';
import { appendLeaves, emptyFrontier, type Frontier, rootOf } from './merkle.ts';

const hash = z.string().regex(/^[\da-f]{64}$/);

/** A run of entries that were sealed together. Segments are numbered from 1 and each holds the hash of the one before. */
export const auditSegmentSchema = z.object({
  sequence: z.int().min(1),
  /** Entries in all segments up to this one. */
  size: z.int().min(1),
  /** Hash of the segment before; of nothing for the first. */
  previous: hash,
  /** Its entries, and their hashes in the same order. */
  ids: z.array(z.string()).min(1),
  hashes: z.array(hash).min(1),
  /** Merkle root of its entries. */
  root: hash,
  /** Merkle root of all entries of the log up to its end. */
  tree: hash,
  /** What it takes to go on from here: the complete subtrees of that tree. */
  frontier: z.array(hash).max(64),
  sealedAt: z.iso.datetime(),
  /** Over all of this that says something. */
  hash,
});
export type AuditSegment = z.infer<typeof auditSegmentSchema>;

/** By sequence, so that two segments can't have the same place. */
export const auditSegmentCollection = tenantCollection<AuditSegment>({
  name: 'auditSegments',
  schema: auditSegmentSchema,
  unindexed: ['size', 'previous', 'ids', 'hashes', 'root', 'tree', 'frontier', 'sealedAt', 'hash'],
});

export const segmentId = (sequence: number): string => String(sequence).padStart(12, '0');

/** How far the log reaches. */
export const auditPositionSchema = z.object({
  sequence: z.int().min(0),
  size: z.int().min(0),
  hash,
});
export type AuditPosition = z.infer<typeof auditPositionSchema>;

/** One document a tenant, written with every segment: whoever would cut off the end has to change it as well. */
export const auditHeadCollection = tenantCollection<AuditPosition>({
  name: 'auditHead',
  schema: auditPositionSchema,
  unindexed: ['sequence', 'size', 'hash'],
});
export const headId = 'head';

/** A place in the log from which it can be gone on: after a segment, or before the first. */
export interface ChainState extends AuditPosition {
  readonly frontier: Frontier;
}

export const genesis: ChainState = {
  sequence: 0,
  size: 0,
  hash: createHash('sha256').digest('hex'),
  frontier: emptyFrontier,
};

/** Neither an entry nor a node of the tree can have the same hash: those begin with 0 and 1. */
const segmentPrefix = Buffer.of(2);

type Hashed = Pick<AuditSegment, 'sequence' | 'size' | 'previous' | 'root' | 'tree' | 'sealedAt'>;

export const segmentHash = (tenant: string, { sequence, size, previous, root, tree, sealedAt }: Hashed): string =>
  createHash('sha256')
    .update(segmentPrefix)
    .update(canonicalJson({ tenant, sequence, size, previous, root, tree, sealedAt }))
    .digest('hex');

/** The segment that comes after `state` and holds these entries. */
export const nextSegment = (
  tenant: string,
  state: ChainState,
  entries: readonly { readonly id: string; readonly hash: string }[],
  sealedAt: string,
): AuditSegment => {
  const hashes = entries.map((entry) => entry.hash);
  const frontier = appendLeaves(state.frontier, hashes);
  const hashed = {
    sequence: state.sequence + 1,
    size: frontier.size,
    previous: state.hash,
    root: rootOf(appendLeaves(emptyFrontier, hashes)),
    tree: rootOf(frontier),
    sealedAt,
  };
  return {
    ...hashed,
    ids: entries.map(({ id }) => id),
    hashes,
    frontier: [...frontier.nodes],
    hash: segmentHash(tenant, hashed),
  };
};

export const stateAfter = ({ sequence, size, hash: own, frontier }: AuditSegment): ChainState => ({
  sequence,
  size,
  hash: own,
  frontier: { size, nodes: frontier },
});
