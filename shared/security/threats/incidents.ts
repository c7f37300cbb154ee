import type { MakeEvent } from '../../events/define-event.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Writes } from '../identity/links.ts';
import { type GuardRecord, guardId } from './guard.schema.ts';
import { type Incident, maxSample, maxTimeline, severities, type TimelineEntry } from './incident.schema.ts';
import { threatDetected } from './threat.events.ts';

/** What was found, as often as it is found. */
export interface Finding extends Pick<Incident, 'kind' | 'subject' | 'severity' | 'evidence'> {
  readonly user?: string | undefined;
  readonly affected: Incident['affected'];
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Incidents {
  /**
   * Reads, and returns what is to be written in the same transaction: a new incident, or what has changed of the one
   * that is open for this subject. What was found to be harmless opens none.
   */
  prepare(transaction: Transaction, tenant: string, finding: Finding): Promise<Writes>;
}

export interface IncidentsOptions {
  readonly incidents: TenantStore<Incident>;
  readonly guards: TenantStore<GuardRecord>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

const dayLength = 86_400_000;
const keptFirst = 10;

/** One a kind, subject and UTC day, whoever finds it and how often. */
export const incidentId = ({ kind, subject, at }: Pick<Finding, 'kind' | 'subject' | 'at'>): string =>
  derivedId('inc', kind, subject.type, subject.id, String(Math.floor(at / dayLength)));

/** The beginning and the latest of it stay. */
export const withEntry = (timeline: readonly TimelineEntry[], entry: TimelineEntry): TimelineEntry[] => {
  const all = [...timeline, entry];
  return all.length <= maxTimeline ? all : [...all.slice(0, keptFirst), ...all.slice(keptFirst + 1)];
};

const rankOf = ({ severity }: Pick<Incident, 'severity'>): number => severities.indexOf(severity);

/** Milliseconds after which going on is written down again. */
const quiet = 60_000;

const merged = (there: Incident, finding: Finding, now: string): Incident | undefined => {
  const escalates = rankOf(finding) > rankOf(there);
  const sample = [...new Set([...there.affected.sample, ...finding.affected.sample])].slice(0, maxSample);
  const count = Math.max(there.affected.count, finding.affected.count);
  const seenAt = isoTime(Math.max(Date.parse(there.seenAt), finding.at));
  const grows = sample.length > there.affected.sample.length || count >= 1.5 * there.affected.count;
  if (!escalates && !grows && Date.parse(seenAt) - Date.parse(there.seenAt) < quiet) return undefined;
  const entry: TimelineEntry = { at: isoTime(finding.at), what: 'escalated', by: 'detection', text: finding.text };
  return {
    ...there,
    severity: escalates ? finding.severity : there.severity,
    // What has become worse is to be looked at again.
    status: escalates && there.status === 'resolved' ? 'open' : there.status,
    seenAt,
    updatedAt: now,
    affected: { count, sample },
    evidence: finding.at >= Date.parse(there.seenAt) ? finding.evidence : there.evidence,
    timeline: escalates ? withEntry(there.timeline, entry) : there.timeline,
  };
};

const opened = (finding: Finding, now: string): Incident => {
  const { kind, subject, severity, affected, evidence, user, text } = finding;
  const at = isoTime(finding.at);
  return {
    kind,
    subject,
    severity,
    status: 'open',
    openedAt: at,
    seenAt: at,
    updatedAt: now,
    affected: { count: affected.count, sample: affected.sample.slice(0, maxSample) },
    evidence,
    timeline: [{ at, what: 'opened', by: 'detection', text }],
    ...(user === undefined ? {} : { user }),
  };
};

export const createIncidents = ({ incidents, guards, makeEvent, clock }: IncidentsOptions): Incidents => {
  const detected = (tenant: string, id: string, incident: Incident) => {
    const { kind, severity, subject, affected, user } = incident;
    return makeEvent(threatDetected, {
      // A severity is reached once, whoever finds it.
      id: derivedId('evt', 'threat', tenant, id, severity),
      tenant,
      subject: id,
      data: {
        incident: id,
        kind,
        severity,
        subject,
        affected: affected.count,
        by: 'detection',
        byKind: 'system',
        ...(user === undefined ? {} : { user }),
      },
    });
  };

  return {
    prepare: async (transaction, tenant, finding) => {
      const id = incidentId(finding);
      const [there, allowance] = await Promise.all([
        transaction.get(incidents.of(tenant), id),
        transaction.get(guards.of(tenant), guardId.allowance(finding.kind, finding.subject.id)),
      ]);
      if (allowance !== undefined) return () => {};
      const now = isoTime(clock.now());
      const next = there === undefined ? opened(finding, now) : merged(there.value, finding, now);
      return write({ incidents, tenant, id, there, next, event: (incident) => detected(tenant, id, incident) });
    },
  };
};

const write =
  (change: {
    readonly incidents: TenantStore<Incident>;
    readonly tenant: string;
    readonly id: string;
    readonly there: Stored<Incident> | undefined;
    readonly next: Incident | undefined;
    readonly event: (incident: Incident) => ReturnType<MakeEvent>;
  }): Writes =>
  (transaction) => {
    const { incidents, tenant, id, there, next, event } = change;
    if (next === undefined) return;
    if (there === undefined) transaction.create(incidents.of(tenant), id, next);
    else transaction.update(incidents.of(tenant), id, next, { revision: there.revision });
    if (there === undefined || rankOf(next) > rankOf(there.value)) transaction.emit(event(next));
  };
