import type { MakeEvent } from '../../events/define-event.ts';
import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Database, Filter, Stored, TenantStore } from '../../store/store.ts';
import { doneByActor } from '../identity/identity.events.ts';
import { type GuardRecord, guardId } from './guard.schema.ts';
import type { Incident, IncidentChange, IncidentView, TimelineEntry } from './incident.schema.ts';
import { withEntry } from './incidents.ts';
import { threatUpdated } from './threat.events.ts';

export interface IncidentFilter extends PageRequest {
  readonly kind?: Incident['kind'] | undefined;
  readonly status?: Incident['status'] | undefined;
  readonly severity?: Incident['severity'] | undefined;
  readonly subject?: string | undefined;
  readonly user?: string | undefined;
}

export interface IncidentService {
  /** The newest first. */
  list(actor: Actor, filter: IncidentFilter): Promise<Page<IncidentView>>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<IncidentView>;
  /** Fails with `not-found`. Each change is an entry of the timeline, and in the audit log. */
  update(actor: Actor, id: string, change: IncidentChange): Promise<IncidentView>;
}

export interface IncidentServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly incidents: TenantStore<Incident>;
  readonly guards: TenantStore<GuardRecord>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Milliseconds for which what was harmless opens no incident again. */
const allowedFor = 30 * 86_400_000;

const unknown = () => new OmniError('not-found', 'There is no such incident.');
const viewOf = ({ id, value }: Pick<Stored<Incident>, 'id' | 'value'>): IncidentView => ({ id, ...value });

const filtersOf = ({ kind, status, severity, subject, user }: IncidentFilter): Filter[] =>
  Object.entries({ kind, status, severity, 'subject.id': subject, user }).flatMap(([field, value]): Filter[] =>
    value === undefined ? [] : [{ field, op: '==', value }],
  );

const changed = (incident: Incident, change: IncidentChange, by: string, at: string): Incident => {
  const { status, assignee, note } = change;
  const entries: TimelineEntry[] = [
    ...(status === undefined || status === incident.status
      ? []
      : [{ at, what: 'status-changed' as const, by, text: `${incident.status} → ${status}` }]),
    ...(assignee === undefined ? [] : [{ at, what: 'assigned' as const, by, text: assignee ?? 'nobody' }]),
    ...(note === undefined ? [] : [{ at, what: 'noted' as const, by, text: note }]),
  ];
  const { assignee: before, ...rest } = incident;
  const next = assignee === undefined ? before : (assignee ?? undefined);
  return {
    ...rest,
    status: status ?? incident.status,
    updatedAt: at,
    timeline: entries.reduce(withEntry, incident.timeline),
    ...(next === undefined ? {} : { assignee: next }),
  };
};

export const createIncidentService = (options: IncidentServiceOptions): IncidentService => {
  const { database, incidents, guards, makeEvent, clock } = options;

  return {
    list: async ({ tenant }, filter) => {
      const page = await incidents.of(tenant).query({
        where: filtersOf(filter),
        orderBy: { field: 'openedAt', order: 'desc' },
        limit: filter.limit,
        cursor: filter.cursor,
      });
      return { ...page, items: page.items.map(viewOf) };
    },
    get: async ({ tenant }, id) => {
      const stored = await incidents.of(tenant).get(id);
      if (stored === undefined) throw unknown();
      return viewOf(stored);
    },
    update: async (actor, id, change) => {
      const { tenant, id: by } = actor;
      const update = database.transaction(async (transaction) => {
        const stored = await transaction.get(incidents.of(tenant), id);
        if (stored === undefined) throw unknown();
        const { kind, subject } = stored.value;
        const allowanceId = guardId.allowance(kind, subject.id);
        const allowance = await transaction.get(guards.of(tenant), allowanceId);
        const now = clock.now();
        const value = changed(stored.value, change, by, isoTime(now));
        transaction.update(incidents.of(tenant), id, value, { revision: stored.revision });
        if (change.status === 'false-positive' && allowance === undefined) {
          transaction.create(guards.of(tenant), allowanceId, {
            kind: 'allowance',
            of: kind,
            subject: subject.id,
            incident: id,
            by,
            createdAt: isoTime(now),
            expiresAt: isoTime(now + allowedFor),
          });
        }
        const { severity, status, assignee } = value;
        const about = { incident: id, kind, severity, status, ...(assignee === undefined ? {} : { assignee }) };
        const data = { ...about, ...doneByActor(actor) };
        transaction.emit(makeEvent(threatUpdated, { tenant, subject: id, data }));
        return viewOf({ id, value });
      });
      return update.catch((error: unknown) => {
        if (!isOmniError(error, 'already-exists')) throw error;
        throw new OmniError('revision-conflict', 'The incident was changed meanwhile. Try again.');
      });
    },
  };
};
