import * as z from 'zod';
import type { BlobStore } from '../../blobs/blobs.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import { type Actor, idsFor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Filter, Stored, TenantStore } from '../../store/store.ts';
import { exportDue } from './audit.events.ts';
import { type AuditLog, neverSealed } from './audit.log.ts';
import { type AuditReader, checkChain } from './audit.reader.ts';
import type { AuditRoots } from './audit.roots.ts';
import { type AuditProblem, auditProblemSchema, problem } from './audit-chain.ts';
import { type AuditEntry, type AuditEntryView, entryHash } from './audit-entry.schema.ts';
import type { AuditExport, AuditExportView } from './audit-export.schema.ts';
import { type AuditPosition, auditPositionSchema } from './audit-segment.schema.ts';
import { rootOf } from './merkle.ts';
import type { SubjectCipher } from './subject-cipher.ts';

export interface AuditFilter extends PageRequest {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  /** ISO 8601; included. */
  readonly from?: string | undefined;
  /** ISO 8601; not included. */
  readonly to?: string | undefined;
}

const count = z.int().min(0);

export const auditVerificationSchema = z
  .object({
    intact: z.boolean().meta({ description: 'Nothing is wrong with the segments that this call looked at.' }),
    problem: auditProblemSchema.nullable().meta({ description: 'The first thing that is wrong.' }),
    after: count.meta({ description: 'The segment after which this call began.' }),
    to: count.meta({ description: 'The last segment that holds.' }),
    entries: count.meta({ description: 'Entries whose hashes were recomputed.' }),
    next: count.nullable().meta({ description: 'To be sent as `after` to go on. Null at the end.' }),
    head: auditPositionSchema.meta({ description: 'How far the log reaches.' }),
    tree: z.string().meta({ description: 'RFC 6962 Merkle root of all entries up to `to`.' }),
    roots: count.meta({ description: 'Days whose kept root was compared.' }),
    unsealed: count.meta({ description: 'Entries that wait to be sealed. Nothing proves them yet.' }),
  })
  .meta({ id: 'AuditVerification' });
export type AuditVerification = z.infer<typeof auditVerificationSchema>;

export interface AuditService {
  /** Newest first. */
  list(actor: Actor, filter: AuditFilter): Promise<Page<AuditEntryView>>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<AuditEntryView>;
  /** A bounded piece of work: about 2,000 entries after the segment `after`. */
  verify(actor: Actor, after: number): Promise<AuditVerification>;
  /** Begins an export of all that is sealed after the segment `after`. */
  startExport(actor: Actor, after: number): Promise<AuditExportView>;
  /** Fails with `not-found`. */
  getExport(actor: Actor, id: string): Promise<AuditExportView>;
}

export interface AuditServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly entries: TenantStore<AuditEntry>;
  readonly exports: TenantStore<AuditExport>;
  readonly reader: AuditReader;
  readonly roots: Pick<AuditRoots, 'all'>;
  readonly audit: AuditLog;
  readonly cipher: Pick<SubjectCipher, 'open'>;
  readonly blobs: BlobStore;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
}

const maxChecked = 2_000;
/** Seconds. */
const urlLifetime = 900;

const filtersOf = ({ actor, action, target, from, to }: AuditFilter): Filter[] => {
  const equal = { 'actor.id': actor, action, 'target.id': target };
  const where: Filter[] = [];
  for (const [field, value] of Object.entries(equal)) {
    if (value !== undefined) where.push({ field, op: '==', value });
  }
  if (from !== undefined) where.push({ field: 'at', op: '>=', value: from });
  if (to !== undefined) where.push({ field: 'at', op: '<', value: to });
  return where;
};

export const createAuditService = (options: AuditServiceOptions): AuditService => {
  const { database, entries, exports, reader, roots, audit, cipher, blobs, makeEvent, newId, clock } = options;

  const personalOf = async (tenant: string, { id, value: { personal } }: Stored<AuditEntry>) => {
    if (personal === null) return { personal: null, erased: false };
    if (personal.sealed === neverSealed) return { personal: null, erased: true };
    try {
      return { personal: JSON.parse(await cipher.open(tenant, personal.sealed, id)), erased: false };
    } catch (error) {
      if (isOmniError(error, 'shredded')) return { personal: null, erased: true };
      throw error;
    }
  };

  const viewOf = async (tenant: string, stored: Stored<AuditEntry>): Promise<AuditEntryView> => {
    const { segment, data, version: _, ...told } = stored.value;
    return {
      id: stored.id,
      ...told,
      ...(await personalOf(tenant, stored)),
      data: JSON.parse(data),
      segment: segment === 0 ? null : segment,
      hash: entryHash(tenant, stored.id, stored.value),
    };
  };

  const exportView = async (tenant: string, id: string, value: AuditExport): Promise<AuditExportView> => {
    const urlOf = (key: string) => blobs.of(tenant).signedUrl(key, { action: 'read', expiresIn: urlLifetime });
    const parts = value.parts.map(async ({ key, ...part }) => ({ ...part, url: await urlOf(key) }));
    return {
      id,
      ...value,
      entries: value.until.size - value.skipped,
      exported: value.parts.reduce((sum, part) => sum + part.entries, 0),
      parts: await Promise.all(parts),
    };
  };

  const stateAfterOrRefuse = async (tenant: string, after: number, head: AuditPosition) => {
    if (after > head.sequence) {
      const issues = [{ path: 'after', message: `The log has ${head.sequence} segments` }];
      throw new OmniError('invalid-request', 'Some fields are not valid.', { issues });
    }
    return reader.stateAt(tenant, after);
  };

  /** What only shows once everything was gone through. */
  const checkEnd = async (tenant: string, head: AuditPosition): Promise<AuditProblem | undefined> => {
    const found = await reader.beyond(tenant, head.sequence);
    // A segment that was sealed meanwhile is no surprise.
    return found !== undefined && found.segment > (await reader.headOf(tenant)).sequence ? found : undefined;
  };

  return {
    list: async ({ tenant }, filter) => {
      const page = await entries.of(tenant).query({
        where: filtersOf(filter),
        orderBy: { field: 'at', order: 'desc' },
        limit: filter.limit,
        cursor: filter.cursor,
      });
      return { ...page, items: await Promise.all(page.items.map((stored) => viewOf(tenant, stored))) };
    },
    get: async ({ tenant }, id) => {
      const stored = await entries.of(tenant).get(id);
      if (stored === undefined) throw new OmniError('not-found', 'There is no such audit entry.');
      return viewOf(tenant, stored);
    },
    verify: async ({ tenant }, after) => {
      // The roots first: a log that grows meanwhile must not look shorter than they say.
      const kept = await roots.all(tenant);
      const { sequence, size, hash } = await reader.headOf(tenant);
      const head = { sequence, size, hash };
      const [unsealed, base] = await Promise.all([
        reader.countUnsealed(tenant),
        stateAfterOrRefuse(tenant, after, head),
      ]);
      const answer = { after, head, unsealed };
      const beyond = kept.find((root) => root.sequence > sequence);
      if (base === undefined || beyond !== undefined) {
        const found = base === undefined ? problem('segment-changed', after) : problem('truncated', sequence);
        return { ...answer, intact: false, problem: found, to: after, entries: 0, next: null, tree: '', roots: 0 };
      }
      const limits = { until: sequence, maxEntries: maxChecked, roots: kept };
      const checked = await checkChain(tenant, reader.walk(tenant, after), base, limits);
      const { state } = checked;
      const isEnd = state.sequence >= sequence;
      const found =
        checked.problem ??
        (isEnd && state.hash !== hash ? problem('truncated', sequence) : undefined) ??
        (isEnd ? await checkEnd(tenant, head) : undefined);
      return {
        ...answer,
        intact: found === undefined,
        problem: found ?? null,
        to: state.sequence,
        entries: checked.entries,
        next: isEnd || found !== undefined ? null : state.sequence,
        tree: rootOf(state.frontier),
        roots: kept.filter((root) => root.sequence > after && root.sequence <= state.sequence).length,
      };
    },
    startExport: async (actor, after) => {
      const { tenant } = actor;
      const { sequence, size, hash } = await reader.headOf(tenant);
      const base = await stateAfterOrRefuse(tenant, after, { sequence, size, hash });
      const id = idsFor(actor, newId)('exp');
      const value: AuditExport = {
        status: 'running',
        requestedBy: actor.id,
        requestedAt: isoTime(clock.now()),
        finishedAt: null,
        until: { sequence, size, hash },
        skipped: base?.size ?? 0,
        next: after,
        unsealed: 0,
        parts: [],
      };
      try {
        await database.transaction(async (transaction) => {
          const target = { type: 'audit-export', id };
          await audit.record(transaction, actor, { action: 'audit.export.requested', target, outcome: 'success' });
          transaction.create(exports.of(tenant), id, value);
          transaction.emit(makeEvent(exportDue, { tenant, subject: id, data: { export: id, part: 1 } }));
        });
      } catch (error) {
        // The first attempt of a repeated request has done it.
        if (!isOmniError(error, 'already-exists')) throw error;
      }
      return exportView(tenant, id, (await exports.of(tenant).get(id))?.value ?? value);
    },
    getExport: async ({ tenant }, id) => {
      const stored = await exports.of(tenant).get(id);
      if (stored === undefined) throw new OmniError('not-found', 'There is no such export.');
      return exportView(tenant, id, stored.value);
    },
  };
};
