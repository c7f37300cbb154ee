import { OmniError } from '../../kernel/errors.ts';
import { type Money, scale, toUnits } from '../../kernel/money.ts';
import type { ConnectedGateway } from '../accounts/gateway-account.service.ts';
import type { GatewayName } from '../gateways/gateway.ts';
import type { RoutingRuleView } from './routing-rule.schema.ts';

export interface RouteRequest {
  readonly amount: Money;
  readonly capture: 'automatic' | 'manual';
  readonly offSession: boolean;
  readonly country?: string | undefined;
  /** Gateways that know a means of payment of the payer; any where empty. */
  readonly gateways: readonly GatewayName[];
}

export interface RouteCandidate {
  readonly account: string;
  readonly gateway: GatewayName;
  readonly eligible: boolean;
  /** Why not, or what speaks for and against it. */
  readonly reasons: readonly string[];
  /** What it is expected to cost, in minor units. */
  readonly cost: number;
}

export interface Route {
  /** The rule that decided; null where none matched. */
  readonly rule: string | null;
  readonly because: string;
  /** The best first, then those that can't be used. */
  readonly candidates: readonly RouteCandidate[];
}

const matches = (rule: RoutingRuleView, { amount, country }: RouteRequest): boolean =>
  rule.enabled &&
  (rule.currencies?.includes(amount.currency) ?? true) &&
  (rule.countries === undefined || (country !== undefined && rule.countries.includes(country))) &&
  amount.amount >= (rule.minAmount ?? 0) &&
  amount.amount <= (rule.maxAmount ?? Number.POSITIVE_INFINITY);

/** Whether a gateway can be told an amount, where its minor unit has so many digits. */
export const isExact = (money: Money, digits: number | undefined): boolean => {
  if (digits === undefined) return true;
  try {
    toUnits(money, digits);
    return true;
  } catch (error) {
    if (error instanceof OmniError) return false;
    throw error;
  }
};

/** Everything that keeps a payment from an account. */
const obstacles = (
  { account, gateway }: ConnectedGateway,
  request: RouteRequest,
  rule: RoutingRuleView | undefined,
): readonly string[] => {
  const { amount, capture, country, gateways } = request;
  const { capabilities, name } = gateway;
  const checks: readonly (readonly [boolean, string])[] = [
    [capabilities.currencies.has(amount.currency), `does not take ${amount.currency}`],
    [isExact(amount, capabilities.minorDigits.get(amount.currency)), `can't charge this amount of ${amount.currency}`],
    [capture === 'automatic' || capabilities.manualCapture, 'can not hold an amount'],
    [
      account.countries.length === 0 || (country !== undefined && account.countries.includes(country)),
      "is not set up for the payer's country",
    ],
    [gateways.length === 0 || gateways.includes(name), 'knows no means of payment of the payer'],
    [!request.offSession || gateways.includes(name), 'needs the payer to be there'],
    [rule === undefined || rule.others || rule.gateways.includes(name), 'is not named by the routing rule'],
  ];
  return checks.filter(([holds]) => !holds).map(([, reason]) => reason);
};

/**
 * Which accounts can take a payment, the best first: those that answer before those that do not, then as the first
 * matching rule has them, then the cheapest, then the fastest. Pure: it asks nobody.
 */
export const routePayment = (
  request: RouteRequest,
  accounts: readonly ConnectedGateway[],
  rules: readonly RoutingRuleView[],
): Route => {
  const rule = rules.find((one) => matches(one, request));
  const ranked = accounts.map((connected) => {
    const { id, account, gateway } = connected;
    const problems = obstacles(connected, request, rule);
    const { healthy, latencyMs } = gateway.status();
    const cost = scale(request.amount, account.cost.basisPoints, 10_000).amount + account.cost.fixed;
    const named = rule?.gateways.indexOf(gateway.name) ?? -1;
    const rank = named === -1 ? Number.MAX_SAFE_INTEGER : named;
    const facts = [`costs about ${cost}`, healthy ? 'answers' : 'does not answer now'];
    if (named !== -1) facts.push(`is choice ${named + 1} of the routing rule`);
    const eligible = problems.length === 0;
    const candidate = { account: id, gateway: gateway.name, eligible, reasons: eligible ? facts : problems, cost };
    return { candidate, eligible, healthy, rank, cost, latencyMs };
  });
  const ordered = ranked.toSorted(
    (a, b) =>
      Number(b.eligible) - Number(a.eligible) ||
      Number(b.healthy) - Number(a.healthy) ||
      a.rank - b.rank ||
      a.cost - b.cost ||
      a.latencyMs - b.latencyMs ||
      (a.candidate.account < b.candidate.account ? -1 : 1),
  );
  const [best] = ordered;
  const because =
    best === undefined || !best.eligible
      ? 'No gateway account can take this payment.'
      : `${best.candidate.account} ${best.candidate.reasons.join(', ')}.`;
  return { rule: rule?.id ?? null, because, candidates: ordered.map(({ candidate }) => candidate) };
};
