import type { WindowCount } from './attack-window.ts';
import type { Incident, Severity } from './incident.schema.ts';
import type { Finding } from './incidents.ts';
import { unknownNetwork } from './networks.ts';
import type { ThreatRules } from './threat-rules.schema.ts';

/** How far beyond a threshold something is. */
const severityOf = (count: number, threshold: number): Severity => {
  if (count >= 10 * threshold) return 'critical';
  return count >= 3 * threshold ? 'high' : 'medium';
};

export interface CountedFailure {
  readonly account: string;
  readonly user?: string | undefined;
  readonly network: string;
  readonly passwordTag?: string | undefined;
  readonly at: number;
}

export interface Counts {
  readonly tenant: WindowCount;
  readonly account: WindowCount;
  readonly network: WindowCount;
  readonly password: WindowCount | undefined;
}

/** Hashes that tags can have. */
const tags = 2 ** 20;
/** A password is tried on many accounts where it meets this many times more than chance would have it. */
const beyondChance = 5;

/** What the failures up to this one amount to. Only the counts decide, so every order of events comes to the same. */
export const findingsOf = (
  failure: CountedFailure,
  counts: Counts,
  thresholds: ThreatRules['thresholds'],
): readonly Finding[] => {
  const { account, user, network, passwordTag, at } = failure;
  const { tenant, account: ofAccount, network: ofNetwork, password } = counts;
  const found = (
    kind: Incident['kind'],
    subject: Incident['subject'],
    count: number,
    threshold: number,
    rest: Pick<Finding, 'text' | 'evidence'> & { readonly affected: number },
  ): readonly Finding[] =>
    count < threshold
      ? []
      : [
          {
            kind,
            subject,
            severity: severityOf(count, threshold),
            affected: { count: rest.affected, sample: [user ?? account] },
            evidence: rest.evidence,
            text: rest.text,
            at,
            ...(user === undefined || kind !== 'brute-force' ? {} : { user }),
          },
        ];

  const ratio = tenant.failures / Math.max(1, tenant.failures + tenant.successes);
  const chance = (beyondChance * tenant.failures) / tags;
  return [
    ...found('brute-force', { type: 'account', id: account }, ofAccount.failures, thresholds.bruteForceFailures, {
      affected: 1,
      evidence: { failures: ofAccount.failures, networks: ofAccount.distinct },
      text: `${ofAccount.failures} attempts on one account failed, from ${ofAccount.distinct} networks.`,
    }),
    ...(network === unknownNetwork
      ? []
      : found(
          'credential-stuffing',
          { type: 'network', id: network },
          ofNetwork.distinct,
          thresholds.stuffingAccounts,
          {
            affected: ofNetwork.distinct,
            evidence: { failures: ofNetwork.failures, accounts: ofNetwork.distinct },
            text: `Sign-in to about ${ofNetwork.distinct} accounts failed from ${network}.`,
          },
        )),
    ...(passwordTag === undefined || password === undefined || password.distinct <= chance
      ? []
      : found(
          'password-spraying',
          { type: 'password', id: passwordTag },
          password.distinct,
          thresholds.sprayingAccounts,
          {
            affected: password.distinct,
            evidence: { failures: password.failures, accounts: password.distinct },
            text: `One password was tried on about ${password.distinct} accounts.`,
          },
        )),
    ...(ratio < thresholds.surgeRatio
      ? []
      : found('failure-surge', { type: 'tenant', id: 'all' }, tenant.failures, thresholds.surgeFailures, {
          affected: tenant.distinct,
          evidence: { failures: tenant.failures, successes: tenant.successes, accounts: tenant.distinct },
          text: `${tenant.failures} of ${tenant.failures + tenant.successes} sign-ins failed.`,
        })),
  ];
};
