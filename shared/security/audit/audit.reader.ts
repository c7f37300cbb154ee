import { isOmniError } from '../../kernel/errors.ts';
import { type AuditStores, maxSegment, trustedState } from './audit.sealer.ts';
import { type AuditProblem, type AuditRoot, checkRoots, checkSegment, problem } from './audit-chain.ts';
import type { AuditContent } from './audit-entry.schema.ts';
import { type AuditSegment, type ChainState, genesis, headId, segmentId, stateAfter } from './audit-segment.schema.ts';

/** A segment as it is stored, with every entry that claims to be in it. */
export interface StoredSegment {
  readonly segment: AuditSegment;
  readonly entries: ReadonlyMap<string, AuditContent>;
}

/** Segments read at once; a page of them is all that is ever in memory. */
const page = 4;

/** Reads the log of one tenant in its order. */
export const createAuditReader = ({ entries, segments, heads }: AuditStores) => {
  const entriesOf = async (tenant: string, sequence: number): Promise<ReadonlyMap<string, AuditContent>> => {
    // One more than a segment can have: that one was put in.
    const where = [{ field: 'segment', op: '==', value: sequence }] as const;
    const { items } = await entries.of(tenant).query({ where, limit: maxSegment + 1 });
    return new Map(items.map(({ id, value }) => [id, value]));
  };

  const walk = async function* (tenant: string, after: number): AsyncGenerator<StoredSegment> {
    for (let from = after; ; ) {
      const { items, nextCursor } = await segments.of(tenant).query({
        where: [{ field: 'sequence', op: '>', value: from }],
        orderBy: { field: 'sequence', order: 'asc' },
        limit: page,
      });
      const read = await Promise.all(items.map(({ value }) => entriesOf(tenant, value.sequence)));
      for (const [i, { value }] of items.entries()) yield { segment: value, entries: read[i] ?? new Map() };
      if (nextCursor === null) return;
      from = items.at(-1)?.value.sequence ?? from;
    }
  };

  return {
    /** Every segment after one, in order, each with its entries. */
    walk,
    headOf: async (tenant: string) => (await heads.of(tenant).get(headId))?.value ?? genesis,
    /** The state after a segment, by which the next one is judged. Undefined where it is gone or damaged. */
    stateAt: async (tenant: string, sequence: number): Promise<ChainState | undefined> => {
      if (sequence === 0) return genesis;
      const stored = await segments
        .of(tenant)
        .get(segmentId(sequence))
        .catch((error: unknown) => {
          if (isOmniError(error, 'stored-data-invalid')) return undefined;
          throw error;
        });
      return stored && trustedState(tenant, stored.value);
    },
    /** Entries not sealed yet, oldest first. */
    unsealed: (tenant: string, cursor?: string) =>
      entries.of(tenant).query({
        where: [{ field: 'segment', op: '==', value: 0 }],
        orderBy: { field: 'at', order: 'asc' },
        limit: 500,
        cursor,
      }),
    countUnsealed: async (tenant: string): Promise<number> =>
      (await entries.of(tenant).aggregate({ where: [{ field: 'segment', op: '==', value: 0 }] })).count,
    /** An entry that claims a segment which there is not. */
    beyond: async (tenant: string, sequence: number): Promise<AuditProblem | undefined> => {
      const { items } = await entries.of(tenant).query({
        where: [{ field: 'segment', op: '>', value: sequence }],
        orderBy: { field: 'segment', order: 'asc' },
        limit: 1,
      });
      const [first] = items;
      return first && problem('entry-inserted', first.value.segment, first.id);
    },
  };
};
export type AuditReader = ReturnType<typeof createAuditReader>;

export interface Checked {
  readonly state: ChainState;
  readonly problem: AuditProblem | undefined;
  /** Entries whose hashes were recomputed. */
  readonly entries: number;
}

/**
 * Goes on from `state` over the segments that follow, to `until` at most and about `maxEntries` entries, and stops at
 * the first thing that is wrong.
 */
export const checkChain = async (
  tenant: string,
  segments: AsyncIterable<StoredSegment>,
  from: ChainState,
  { until, maxEntries, roots }: { until: number; maxEntries: number; roots: readonly AuditRoot[] },
): Promise<Checked> => {
  let state = from;
  let checked = 0;
  if (state.sequence >= until) return { state, problem: undefined, entries: 0 };
  for await (const { segment, entries } of segments) {
    const found = checkSegment(tenant, state, segment, entries) ?? checkRoots(roots, segment);
    if (found !== undefined) return { state, problem: found, entries: checked };
    state = stateAfter(segment);
    checked += segment.ids.length;
    if (state.sequence >= until || checked >= maxEntries) return { state, problem: undefined, entries: checked };
  }
  return { state, problem: problem('segment-missing', state.sequence + 1), entries: checked };
};
