import type { Movement } from './movement.schema.ts';

export type MovementKind = 'new' | 'expansion' | 'contraction' | 'churn' | 'reactivation';

/** A customer's monthly revenue before and after a moment. */
interface Step {
  readonly at: string;
  readonly before: number;
  readonly after: number;
  readonly kind: MovementKind;
}

const kindOf = (before: number, after: number, wasThere: boolean): MovementKind => {
  if (before === 0) return wasThere ? 'reactivation' : 'new';
  if (after === 0) return 'churn';
  return after > before ? 'expansion' : 'contraction';
};

/** By customer, in order of time; what happens to several subscriptions of one at one moment is one step. */
const stepsOf = (movements: readonly Movement[]): ReadonlyMap<string, readonly Step[]> =>
  new Map(
    [...Map.groupBy(movements, ({ customer }) => customer)].map(([customer, all]) => {
      const steps: Step[] = [];
      let mrr = 0;
      let wasThere = false;
      const byTime = [...Map.groupBy(all, ({ at }) => at)].sort(([a], [b]) => (a < b ? -1 : 1));
      for (const [at, together] of byTime) {
        const after = mrr + together.reduce((sum, { delta }) => sum + delta, 0);
        if (after !== mrr) steps.push({ at, before: mrr, after, kind: kindOf(mrr, after, wasThere) });
        wasThere ||= after > 0;
        mrr = after;
      }
      return [customer, steps] as const;
    }),
  );

const mrrAt = (steps: readonly Step[], at: string): number => steps.findLast((step) => step.at < at)?.after ?? 0;

export interface RevenueMetrics {
  readonly mrrStart: number;
  readonly mrr: number;
  readonly arr: number;
  readonly customersStart: number;
  readonly customers: number;
  readonly movements: Readonly<Record<MovementKind, number>>;
  readonly netRevenueRetention: number | null;
  readonly grossRevenueRetention: number | null;
  readonly logoChurn: number | null;
  readonly revenueChurn: number | null;
  readonly averageRevenue: number | null;
  readonly lifetimeValue: number | null;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const ratio = (a: number, b: number): number | null => (b === 0 ? null : a / b);

/** Milliseconds of a month: a twelfth of 365 days. */
const month = (365 * 86_400_000) / 12;

/**
 * Recurring revenue over a span, minor units of one currency. Retention and churn are of those who were customers at its
 * start: net retention is what they pay at its end against what they paid then, gross retention without what any of them
 * pays more. Lifetime value is the average revenue divided by the monthly rate at which customers leave, and unknown
 * where none left.
 */
export const revenueMetrics = (movements: readonly Movement[], from: string, to: string): RevenueMetrics => {
  const all = [...stepsOf(movements).values()];
  const spans = all.map((steps) => ({ start: mrrAt(steps, from), end: mrrAt(steps, to) }));
  const there = spans.filter(({ start }) => start > 0);
  const kinds: Record<MovementKind, number> = { new: 0, expansion: 0, contraction: 0, churn: 0, reactivation: 0 };
  for (const { at, before, after, kind } of all.flat()) if (at >= from && at < to) kinds[kind] += after - before;
  const mrrStart = sum(spans.map(({ start }) => start));
  const mrr = sum(spans.map(({ end }) => end));
  const customers = spans.filter(({ end }) => end > 0).length;
  const kept = sum(there.map(({ end }) => end));
  const keptAtMost = sum(there.map(({ start, end }) => Math.min(start, end)));
  const left = there.filter(({ end }) => end === 0).length;
  const logoChurn = ratio(left, there.length);
  const averageRevenue = ratio(mrr, customers);
  const months = (Date.parse(to) - Date.parse(from)) / month;
  const monthlyChurn = logoChurn === null ? 0 : 1 - (1 - logoChurn) ** (1 / months);
  const grossRevenueRetention = ratio(keptAtMost, mrrStart);
  return {
    mrrStart,
    mrr,
    arr: mrr * 12,
    customersStart: there.length,
    customers,
    movements: kinds,
    netRevenueRetention: ratio(kept, mrrStart),
    grossRevenueRetention,
    logoChurn,
    revenueChurn: grossRevenueRetention === null ? null : 1 - grossRevenueRetention,
    averageRevenue,
    lifetimeValue: monthlyChurn === 0 || averageRevenue === null ? null : averageRevenue / monthlyChurn,
  };
};

export interface Cohort {
  /** `YYYY-MM`, UTC: when its customers first paid. */
  readonly id: string;
  readonly customers: number;
  /** At the end of each month from the first, as far as it is over or running: who still pays, and how much. */
  readonly months: readonly { readonly customers: number; readonly mrr: number }[];
}

const nextMonth = (name: string): string => {
  const [year = 1970, number = 1] = name.split('-').map(Number);
  return number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, '0')}`;
};
const maxMonths = 24;

/** Customers by the month in which they began, and what became of them. */
export const cohorts = (movements: readonly Movement[], until: string): readonly Cohort[] => {
  const all = [...stepsOf(movements).values()].filter((steps) => steps.length > 0);
  const groups = Map.groupBy(all, ([first]) => first?.at.slice(0, 7) ?? '');
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(-maxMonths)
    .map(([id, members]) => {
      const months = [];
      for (let name = id; name <= until.slice(0, 7) && months.length < maxMonths; name = nextMonth(name)) {
        const end = `${nextMonth(name)}-01T00:00:00.000Z`;
        const paying = members.map((steps) => mrrAt(steps, end < until ? end : until)).filter((mrr) => mrr > 0);
        months.push({ customers: paying.length, mrr: sum(paying) });
      }
      return { id, customers: members.length, months };
    });
};
