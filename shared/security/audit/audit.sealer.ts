import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, Stored, TenantStore } from '../../store/store.ts';
import { type AuditEntry, entryHash } from './audit-entry.schema.ts';
import {
  type AuditPosition,
  type AuditSegment,
  type ChainState,
  genesis,
  headId,
  nextSegment,
  segmentHash,
  segmentId,
  stateAfter,
} from './audit-segment.schema.ts';

export interface AuditStores {
  readonly entries: TenantStore<AuditEntry>;
  readonly segments: TenantStore<AuditSegment>;
  readonly heads: TenantStore<AuditPosition>;
}

export interface AuditSealer {
  /** True while there is an entry that is not sealed. One read. */
  isPending(tenant: string): Promise<boolean>;
  /**
   * Seals what is pending, oldest first, at most `maxSegments` segments. Each is one commit on the condition that the
   * head is still what it was read as, so of several sealers at once one continues the chain and the others begin
   * anew. Fails with `stored-data-invalid` where the end of the chain is damaged: nothing is built on that.
   */
  seal(tenant: string, maxSegments: number): Promise<{ readonly entries: number; readonly more: boolean }>;
}

export interface AuditSealerOptions extends AuditStores {
  readonly database: Pick<Database, 'transaction'>;
  readonly clock: Clock;
}

/** Entries of a segment at most. With the segment and the head it stays below the 500 writes of a commit. */
export const maxSegment = 256;
/** Characters in one commit, which takes 10 MiB. */
const maxCommit = 2_000_000;
const attempts = 5;

/** What a commit fails with when another sealer was faster. */
const faster = ['revision-conflict', 'already-exists', 'not-found'] as const;

const lengthOf = ({ value: { data, personal } }: Stored<AuditEntry>): number =>
  data.length + (personal?.sealed.length ?? 0);

/** As many as fit a commit. */
const fitting = (items: readonly Stored<AuditEntry>[]): readonly Stored<AuditEntry>[] => {
  let total = 0;
  return items.filter((item, i) => {
    total += lengthOf(item);
    return i === 0 || total <= maxCommit;
  });
};

const damaged = () => new OmniError('stored-data-invalid', 'The end of the audit log is damaged. Verify it.');

/** The state after a stored segment, which must be what its hash says. */
export const trustedState = (tenant: string, segment: AuditSegment): ChainState | undefined =>
  segmentHash(tenant, segment) === segment.hash ? stateAfter(segment) : undefined;

export const createAuditSealer = (options: AuditSealerOptions): AuditSealer => {
  const { database, entries, segments, heads, clock } = options;

  const pending = (tenant: string, limit: number) =>
    entries.of(tenant).query({
      where: [{ field: 'segment', op: '==', value: 0 }],
      orderBy: { field: 'at', order: 'asc' },
      limit,
    });

  const endOf = async (tenant: string, head: Stored<AuditPosition> | undefined): Promise<ChainState> => {
    if (head === undefined) return genesis;
    const last = await segments.of(tenant).get(segmentId(head.value.sequence));
    const state = last && trustedState(tenant, last.value);
    if (state?.hash !== head.value.hash) throw damaged();
    return state;
  };

  /** One segment. Undefined when another sealer was faster. */
  const sealNext = async (tenant: string): Promise<{ entries: number; more: boolean } | undefined> => {
    const [head, page] = await Promise.all([heads.of(tenant).get(headId), pending(tenant, maxSegment)]);
    const chosen = fitting(page.items);
    if (chosen.length === 0) return { entries: 0, more: false };
    const state = await endOf(tenant, head);
    const hashed = chosen.map(({ id, value }) => ({ id, hash: entryHash(tenant, id, value) }));
    const segment = nextSegment(tenant, state, hashed, isoTime(clock.now()));
    const { sequence, size, hash } = segment;
    try {
      await database.transaction((transaction) => {
        transaction.create(segments.of(tenant), segmentId(sequence), segment);
        if (head === undefined) transaction.create(heads.of(tenant), headId, { sequence, size, hash });
        else transaction.update(heads.of(tenant), headId, { sequence, size, hash }, { revision: head.revision });
        for (const { id, value, revision } of chosen) {
          transaction.update(entries.of(tenant), id, { ...value, segment: sequence }, { revision });
        }
      });
    } catch (error) {
      if (faster.some((code) => isOmniError(error, code))) return undefined;
      throw error;
    }
    return { entries: chosen.length, more: page.nextCursor !== null || chosen.length < page.items.length };
  };

  return {
    isPending: async (tenant) => (await pending(tenant, 1)).items.length > 0,
    seal: async (tenant, maxSegments) => {
      let sealed = 0;
      let lost = 0;
      for (let made = 0; made < maxSegments; ) {
        const result = await sealNext(tenant);
        if (result === undefined) {
          lost += 1;
          if (lost === attempts) throw new OmniError('unavailable', 'Others seal this log at the same time.');
          continue;
        }
        made += 1;
        sealed += result.entries;
        if (!result.more) return { entries: sealed, more: false };
      }
      return { entries: sealed, more: true };
    },
  };
};
