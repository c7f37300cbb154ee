import { type Incident, severities } from './incident.schema.ts';
import { type Signal, scoreOf } from './risk.schema.ts';
import type { IncidentAction, SignInAction, ThreatRule } from './threat-rules.schema.ts';

/** A rule that held. */
export interface Matched<A> {
  readonly rule: string;
  readonly dryRun: boolean;
  readonly actions: readonly A[];
  readonly blockMinutes: number;
}

export type Decision = 'allow' | 'step-up' | 'challenge' | 'block';

export interface Verdict<A> {
  /** In the order of the rules. */
  readonly matched: readonly Matched<A>[];
  /** What is to be done, each once; nothing of a dry run is. */
  readonly actions: ReadonlySet<A>;
  /** The longest that a rule asks for; 0 where none blocks. */
  readonly blockMinutes: number;
}

const conclude = <A extends string>(matched: readonly Matched<A>[]): Verdict<A> => {
  const real = matched.filter(({ dryRun }) => !dryRun);
  const blocking = real.filter(({ actions }) => actions.some((action) => action === 'block'));
  return {
    matched,
    actions: new Set(real.flatMap(({ actions }) => actions)),
    blockMinutes: Math.max(0, ...blocking.map(({ blockMinutes }) => blockMinutes)),
  };
};

/** The same signals and rules always give the same answer. */
export const judgeSignIn = (rules: readonly ThreatRule[], signals: readonly Signal[]): Verdict<SignInAction> => {
  const score = scoreOf(signals);
  const kinds = new Set(signals.map(({ kind }) => kind));
  return conclude(
    rules.flatMap((rule) => {
      if (!rule.enabled || rule.on !== 'sign-in') return [];
      const { minScore, signals: wanted } = rule.when;
      const holds = score >= minScore && (wanted.length === 0 || wanted.some((kind) => kinds.has(kind)));
      const { name, dryRun, respond, blockMinutes } = rule;
      return holds ? [{ rule: name, dryRun, actions: respond, blockMinutes }] : [];
    }),
  );
};

export const judgeIncident = (
  rules: readonly ThreatRule[],
  { kind, severity }: Pick<Incident, 'kind' | 'severity'>,
): Verdict<IncidentAction> =>
  conclude(
    rules.flatMap((rule) => {
      if (!rule.enabled || rule.on !== 'incident') return [];
      const { kinds, minSeverity } = rule.when;
      const isSevere = severities.indexOf(severity) >= severities.indexOf(minSeverity);
      const { name, dryRun, respond, blockMinutes } = rule;
      return isSevere && (kinds.length === 0 || kinds.includes(kind))
        ? [{ rule: name, dryRun, actions: respond, blockMinutes }]
        : [];
    }),
  );

/** The strictest thing that is asked for. */
export const decisionOf = (actions: ReadonlySet<SignInAction>): Decision =>
  (['block', 'challenge', 'step-up'] as const).find((action) => actions.has(action)) ?? 'allow';
