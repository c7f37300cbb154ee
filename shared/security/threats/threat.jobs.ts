import { defineJob } from '../../events/define-job.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { TenantStore, Transaction } from '../../store/store.ts';
import type { Writes } from '../identity/links.ts';
import { signInSucceeded } from '../sessions/session.events.ts';
import type { AttackWindows, WindowCount } from './attack-window.ts';
import { findingsOf } from './detection.ts';
import { windowsOf } from './failure-counts.ts';
import type { Incident } from './incident.schema.ts';
import { type Finding, type Incidents, withEntry } from './incidents.ts';
import type { FindPlace } from './ip-places.ts';
import { networkOf, unknownNetwork } from './networks.ts';
import { type Assessment, emptyBehaviour, type RiskProfile, withSignIn } from './profile.ts';
import type { Response, Responses } from './responses.ts';
import { failureCounted, signInAssessed, threatDetected } from './threat.events.ts';
import type { ThreatRulesService } from './threat-rules.service.ts';
import { judgeIncident } from './threat-rules.ts';

export interface ThreatJobServices {
  readonly riskProfiles: TenantStore<RiskProfile>;
  readonly threatIncidents: TenantStore<Incident>;
  readonly attackWindows: AttackWindows;
  readonly threatFindings: Incidents;
  readonly threatResponses: Responses;
  readonly threatRules: Pick<ThreatRulesService, 'of'>;
  readonly findPlace: FindPlace;
  readonly clock: Clock;
}

/** Whoever is erased has no profile any more, and gets none. */
const unlessErased = (work: Promise<unknown>): Promise<void> =>
  work.then(
    () => {},
    (error: unknown) => {
      if (!isOmniError(error, 'shredded')) throw error;
    },
  );

const changeProfile = async (
  transaction: Transaction,
  profiles: TenantStore<RiskProfile>,
  where: { readonly tenant: string; readonly user: string; readonly now: number },
  change: (profile: RiskProfile) => Partial<RiskProfile>,
): Promise<Writes> => {
  const { tenant, user, now } = where;
  const stored = await transaction.get(profiles.of(tenant), user);
  const there: RiskProfile = stored?.value ?? { user, behaviour: emptyBehaviour, updatedAt: isoTime(now) };
  const next = { ...there, ...change(there), updatedAt: isoTime(now) };
  return (writing) => {
    if (stored === undefined) writing.create(profiles.of(tenant), user, next);
    else writing.update(profiles.of(tenant), user, next, { revision: stored.revision });
  };
};

/** Learns how somebody signs in. */
export const learnSignIn = defineJob({
  name: 'security.learn-sign-in',
  on: [signInSucceeded],
  handle: async ({ id: event, tenant, time, data }, { commit }, services: ThreatJobServices) => {
    const { riskProfiles, attackWindows, findPlace, clock } = services;
    const { user, device } = data;
    const at = Date.parse(time);
    const place = await findPlace(device.ip);
    await unlessErased(
      commit(async (transaction) => {
        const write = await changeProfile(transaction, riskProfiles, { tenant, user, now: clock.now() }, (profile) =>
          'shredded' in profile.behaviour
            ? {}
            : { behaviour: withSignIn(profile.behaviour, { at, event, device, place }) },
        );
        write(transaction);
        const what = { member: user, outcome: 'successes' } as const;
        attackWindows.add(transaction, tenant, { kind: 'tenant', key: '', at }, what);
      }),
    );
  },
});

/** Looks at what the failures so far amount to. They were counted with the event, so the last one sees all. */
export const detectAttacks = defineJob({
  name: 'security.detect-attacks',
  on: [failureCounted],
  handle: async ({ tenant, data }, { commit }, services: ThreatJobServices) => {
    const { attackWindows, threatRules, threatFindings } = services;
    const failure = { ...data, at: Date.parse(data.at) };
    const [{ thresholds }, counts] = await Promise.all([
      threatRules.of(tenant),
      attackWindows.read(
        tenant,
        windowsOf(failure).map(([where]) => where),
      ),
    ]);
    const none: WindowCount = { failures: 0, successes: 0, distinct: 0 };
    const [ofTenant = none, account = none, network = none, password] = counts;
    const findings = findingsOf(failure, { tenant: ofTenant, account, network, password }, thresholds);
    if (findings.length === 0) return;
    await commit(async (transaction) => {
      const writes: Writes[] = [];
      for (const finding of findings) writes.push(await threatFindings.prepare(transaction, tenant, finding));
      for (const write of writes) write(transaction);
    });
  },
});

const later = (there: RiskProfile['assessment'], next: Assessment): Assessment =>
  there === undefined || 'shredded' in there || next.at > there.at || (next.at === there.at && next.event > there.event)
    ? next
    : there;

const placeText = async (findPlace: FindPlace, ip: string | undefined): Promise<string> => {
  const place = await findPlace(ip);
  if (place === undefined) return 'unknown';
  return place.city === undefined ? place.country : `${place.city}, ${place.country}`;
};

/** Keeps what was found out about a sign-in, and does what rules ask for but could not be done before its answer. */
export const noteRisk = defineJob({
  name: 'security.note-risk',
  on: [signInAssessed],
  handle: async ({ id: event, tenant, time, data }, { commit }, services: ThreatJobServices) => {
    const { riskProfiles, threatFindings, threatResponses, threatRules, findPlace, clock } = services;
    const { user, score, signals, decision, device, blockMinutes } = data;
    const at = Date.parse(time);
    const { thresholds } = await threatRules.of(tenant);
    const actions = new Set(data.rules.filter(({ dryRun }) => !dryRun).flatMap(({ actions: asked }) => asked));
    const kinds: Incident['kind'][] = [
      ...(score >= thresholds.incidentScore ? (['anomalous-sign-in'] as const) : []),
      ...(actions.has('open-incident') && signals.some(({ kind }) => kind === 'breached-password')
        ? (['breached-password'] as const)
        : []),
    ];
    const isOther = actions.has('open-incident') && kinds.length === 0;
    const text = signals.map(({ reason }) => reason).join(' ');
    const finding = (kind: Incident['kind']): Finding => ({
      kind,
      subject: { type: 'user', id: user },
      user,
      severity: kind === 'breached-password' ? 'low' : score >= 90 ? 'high' : 'medium',
      affected: { count: 1, sample: [user] },
      evidence: { score, ...Object.fromEntries(signals.map((signal) => [signal.kind, signal.weight])) },
      text,
      at,
    });
    const network = networkOf(device.ip);
    const response: Response = {
      cause: event,
      actions,
      user,
      at: time,
      what: `Unusual sign-in, score ${score}`,
      detail: text,
      device: device.userAgent ?? 'unknown',
      place: await placeText(findPlace, device.ip),
      ...(blockMinutes === undefined || network === unknownNetwork
        ? {}
        : {
            block: {
              target: 'network',
              value: network,
              minutes: blockMinutes,
              reason: 'A sign-in that a rule blocks.',
            },
          }),
    };
    await unlessErased(
      commit(async (transaction) => {
        const writes: Writes[] = [];
        for (const kind of isOther ? [...kinds, 'anomalous-sign-in' as const] : kinds) {
          writes.push(await threatFindings.prepare(transaction, tenant, finding(kind)));
        }
        writes.push(await threatResponses.prepare(transaction, tenant, response));
        const assessment: Assessment = { at, event, score, signals, decision };
        const where = { tenant, user, now: clock.now() };
        const profiles = riskProfiles;
        writes.push(
          await changeProfile(transaction, profiles, where, (profile) =>
            'shredded' in profile.behaviour ? {} : { assessment: later(profile.assessment, assessment) },
          ),
        );
        for (const write of writes) write(transaction);
      }),
    );
  },
});

const titles: Readonly<Record<Incident['kind'], string>> = {
  'brute-force': 'Many passwords tried on one account',
  'credential-stuffing': 'Many accounts tried from one network',
  'password-spraying': 'One password tried on many accounts',
  'failure-surge': 'Most sign-ins fail',
  'anomalous-sign-in': 'Unusual sign-in',
  'breached-password': 'Stolen password in use',
};

/** Does what rules ask for when an incident is opened or becomes worse, and writes it into the incident. */
export const respondToThreat = defineJob({
  name: 'security.respond-to-threat',
  on: [threatDetected],
  handle: async ({ id: event, tenant, time, data }, { commit }, services: ThreatJobServices) => {
    const { threatIncidents, threatResponses, threatRules, clock } = services;
    const { kind, severity, subject, incident, user } = data;
    const { matched, actions, blockMinutes } = judgeIncident((await threatRules.of(tenant)).rules, { kind, severity });
    if (matched.length === 0) return;
    const target = subject.type === 'network' || subject.type === 'account' ? subject.type : undefined;
    await commit(async (transaction) => {
      const stored = await transaction.get(threatIncidents.of(tenant), incident);
      if (stored === undefined) return;
      const { timeline } = stored.value;
      const response: Response = {
        cause: event,
        actions,
        user,
        at: time,
        what: titles[kind],
        detail: timeline[0]?.text ?? '',
        device: 'unknown',
        place: 'unknown',
        ...(target === undefined || blockMinutes === 0
          ? {}
          : {
              block: {
                target,
                value: subject.id,
                minutes: blockMinutes,
                reason: titles[kind],
                incident,
                ...(user === undefined ? {} : { user }),
              },
            }),
      };
      const write = await threatResponses.prepare(transaction, tenant, response);
      const text = matched
        .map(({ rule, dryRun, actions: asked }) => `${rule}${dryRun ? ' (dry run)' : ''}: ${asked.join(', ')}`)
        .join('; ');
      const at = isoTime(clock.now());
      const entry = { at, what: 'responded' as const, by: 'rules', text: text.slice(0, 2_000) };
      const next = { ...stored.value, updatedAt: at, timeline: withEntry(timeline, entry) };
      transaction.update(threatIncidents.of(tenant), incident, next, { revision: stored.revision });
      write(transaction);
    });
  },
});

export const threatJobs = [learnSignIn, detectAttacks, noteRisk, respondToThreat];
