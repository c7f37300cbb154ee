import * as z from 'zod';
import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { type Clock, isoDay, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { type DomainEvent, platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import { canonicalJson } from '../../kernel/json.ts';
import type { TenantService } from '../../platform/index.ts';
import type { TenantStore } from '../../store/store.ts';
import { doneBy, unknownCaller } from '../identity/identity.events.ts';
import { exportDue, fanOutDue, rootDue, sealDue, securityEvents } from './audit.events.ts';
import type { WriteAuditPart } from './audit.exporter.ts';
import type { AuditActor, AuditInput, AuditLog } from './audit.log.ts';
import type { AuditRoots } from './audit.roots.ts';
import type { AuditSealer } from './audit.sealer.ts';
import type { AuditExport } from './audit-export.schema.ts';

export interface AuditJobServices {
  readonly audit: AuditLog;
  readonly sealer: AuditSealer;
  readonly auditRoots: Pick<AuditRoots, 'keep'>;
  readonly auditExports: TenantStore<AuditExport>;
  readonly writeAuditPart: WriteAuditPart;
  readonly tenants: Pick<TenantService, 'list'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** The oldest entry that is not sealed is at most about this old: five minutes. */
export const auditSeal = defineSchedule({ name: 'audit-seal', cron: '*/5 * * * *' });
export const auditRoot = defineSchedule({ name: 'audit-root', cron: '10 0 * * *' });

const textIn = (data: DomainEvent['data'], name: string): string | undefined => {
  const value = data[name];
  return typeof value === 'string' && value.length > 0 && value.length <= 300 ? value : undefined;
};

const outcomeOf = (type: string): AuditInput['outcome'] =>
  /failed$/.test(type) ? 'failure' : /(denied|refused|blocked)$/.test(type) ? 'denied' : 'success';

const doerSchema = z.object({
  by: z.string().min(1).max(300),
  byKind: z.union([z.literal(unknownCaller.byKind), doneBy.byKind]),
});

/**
 * `by` did it, as what `byKind` says, where the event names it; else the user whom it is about. Without either nobody
 * is known to have done it.
 */
const actorOf = ({ tenant, data }: DomainEvent): AuditActor => {
  const doer = doerSchema.safeParse(data).data;
  if (doer !== undefined) return { tenant, kind: doer.byKind, id: doer.by };
  const id = textIn(data, 'user');
  return id === undefined ? { tenant, kind: unknownCaller.byKind, id: unknownCaller.by } : { tenant, kind: 'user', id };
};

/** What an event says may all be personal, so all of it is kept under the key of whom it is about. */
const inputOf = ({ id, type, tenant, subject, time, data }: DomainEvent): AuditInput => {
  const about = textIn(data, 'user') ?? subject;
  return {
    id: derivedId('aud', tenant, id),
    at: isoTime(Date.parse(time)),
    action: type,
    target: { type: type.split('.')[1] ?? type, id: about },
    outcome: outcomeOf(type),
    subject: about,
    personal: JSON.parse(canonicalJson(data)),
  };
};

/** Takes every security event into the log, once, whoever says it. */
export const recordSecurityEvent = defineJob({
  name: 'security.record-event',
  on: [securityEvents],
  handle: async (event, { commit }, { audit }: AuditJobServices) => {
    await commit((transaction) => audit.record(transaction, actorOf(event), inputOf(event)));
  },
});

const startOf = (work: 'seal' | 'root', schedule: typeof auditSeal) =>
  defineJob({
    name: `security.start-audit-${work}`,
    on: [schedule.event],
    handle: async ({ time }, { commit }, { makeEvent }: AuditJobServices) => {
      await commit((transaction) => {
        const data = { work, at: time };
        const id = `audit-${work}:${time.slice(0, 16)}`;
        transaction.emit(makeEvent(fanOutDue, { id, tenant: platformTenant, subject: 'audit', data }));
      });
    },
  });
export const startAuditSeal = startOf('seal', auditSeal);
export const startAuditRoot = startOf('root', auditRoot);

const page = 200;
const readsAtOnce = 25;
const dayLength = 86_400_000;

/** Those of the tenants who have something to seal: one read each. */
const withPending = async (tenants: readonly string[], sealer: AuditSealer): Promise<readonly string[]> => {
  const found: string[] = [];
  for (let i = 0; i < tenants.length; i += readsAtOnce) {
    const some = tenants.slice(i, i + readsAtOnce);
    const pending = await Promise.all(some.map((tenant) => sealer.isPending(tenant)));
    found.push(...some.filter((_, j) => pending[j]));
  }
  return found;
};

/** A page of tenants a run, the platform itself with the first: suspended ones too, for their log goes on. */
export const fanOutAudit = defineJob({
  name: 'security.fan-out-audit',
  on: [fanOutDue],
  timeout: 300,
  handle: async ({ data }, { commit }, { tenants, sealer, makeEvent }: AuditJobServices) => {
    const { work, at, cursor } = data;
    const { items, nextCursor } = await tenants.list({ limit: page, cursor });
    const all = [...(cursor === undefined ? [platformTenant] : []), ...items.map(({ id }) => id)];
    const due = work === 'seal' ? await withPending(all, sealer) : all;
    const slot = at.slice(0, 16);
    const day = isoDay(Date.parse(at) - dayLength);
    await commit((transaction) => {
      for (const tenant of due) {
        const about = { id: `audit-${work}:${slot}:${tenant}`, tenant, subject: tenant };
        transaction.emit(
          work === 'seal'
            ? makeEvent(sealDue, { ...about, data: { slot, round: 1 } })
            : makeEvent(rootDue, { ...about, data: { day } }),
        );
      }
      if (nextCursor === null) return;
      const id = `audit-${work}:${slot}~${items.at(-1)?.id ?? ''}`;
      const next = { work, at, cursor: nextCursor };
      transaction.emit(makeEvent(fanOutDue, { id, tenant: platformTenant, subject: 'audit', data: next }));
    });
  },
});

/** Segments that one run seals; what is left is the next run's. */
const segmentsPerRun = 40;

export const sealAudit = defineJob({
  name: 'security.seal-audit',
  on: [sealDue],
  timeout: 300,
  handle: async ({ tenant, data }, { commit }, { sealer, makeEvent }: AuditJobServices) => {
    const { more } = await sealer.seal(tenant, segmentsPerRun);
    await commit((transaction) => {
      if (!more) return;
      const next = { slot: data.slot, round: data.round + 1 };
      const id = `audit-seal:${next.slot}:${tenant}:${next.round}`;
      transaction.emit(makeEvent(sealDue, { id, tenant, subject: tenant, data: next }));
    });
  },
});

/** Ends the day: what is pending is sealed, and the root of all goes where nobody can change it. */
export const keepAuditRoot = defineJob({
  name: 'security.keep-audit-root',
  on: [rootDue],
  timeout: 300,
  handle: async ({ tenant, data }, _context, { sealer, auditRoots }: AuditJobServices) => {
    await sealer.seal(tenant, segmentsPerRun);
    await auditRoots.keep(tenant, data.day);
  },
});

const exportAttempts = 5;

/** One part of an export a run. A part that is written again after a crash replaces its file. */
export const exportAudit = defineJob({
  name: 'security.export-audit',
  on: [exportDue],
  timeout: 540,
  maxAttempts: exportAttempts,
  handle: async ({ tenant, data }, { commit, attempt, signal }, services: AuditJobServices) => {
    const { auditExports, writeAuditPart, makeEvent, clock } = services;
    const stored = await auditExports.of(tenant).get(data.export);
    if (stored === undefined || stored.value.status !== 'running' || stored.value.parts.length >= data.part) return;
    const { id, value, revision } = stored;
    const save = (next: AuditExport, more: boolean) =>
      commit((transaction) => {
        transaction.update(auditExports.of(tenant), id, next, { revision });
        if (!more) return;
        const part = data.part + 1;
        transaction.emit(makeEvent(exportDue, { tenant, subject: id, data: { export: id, part } }));
      });
    try {
      const { part, unsealed } = await writeAuditPart(tenant, id, value, signal);
      const more = part.to < value.until.sequence;
      const finished = more ? {} : { status: 'done' as const, finishedAt: isoTime(clock.now()) };
      await save({ ...value, ...finished, next: part.to, unsealed, parts: [...value.parts, part] }, more);
    } catch (error) {
      if (attempt < exportAttempts && !isOmniError(error, 'invalid-request')) throw error;
      await save({ ...value, status: 'failed', finishedAt: isoTime(clock.now()) }, false);
    }
  },
});

export const auditJobs = [
  recordSecurityEvent,
  startAuditSeal,
  startAuditRoot,
  fanOutAudit,
  sealAudit,
  keepAuditRoot,
  exportAudit,
];

export const auditSchedules = [auditSeal, auditRoot];
