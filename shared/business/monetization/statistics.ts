/**
 * The quantile of the standard normal distribution, by P. J. Acklam's rational approximation (relative error below
 * 1.15e-9).
 */
export const normalQuantile = (p: number): number => {
  const a = [
    -3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1,
    2.506628277459239,
  ];
  const b = [
    -5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1,
  ];
  const c = [
    -7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ];
  const d = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
  const poly = (coefficients: readonly number[], x: number): number =>
    coefficients.reduce((sum, one) => sum * x + one, 0);
  const tail = (q: number): number => poly(c, q) / (poly(d, q) * q + 1);
  if (p <= 0 || p >= 1) throw new RangeError('A probability is between 0 and 1.');
  if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  return (poly(a, r) * q) / (poly(b, r) * r + 1);
};

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Wilson's score interval of a proportion (E. B. Wilson, 1927). Good for few trials, and at 0 and 1. */
export const wilson = (successes: number, trials: number, alpha: number): Interval => {
  if (trials === 0) return { low: 0, high: 1 };
  const z = normalQuantile(1 - alpha / 2);
  const p = successes / trials;
  const below = 1 + z ** 2 / trials;
  const middle = (p + z ** 2 / (2 * trials)) / below;
  const half = (z / below) * Math.sqrt((p * (1 - p)) / trials + z ** 2 / (4 * trials ** 2));
  return { low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
};

interface Counted {
  readonly successes: number;
  readonly trials: number;
}

/** Interval of the difference of two proportions, b − a, of Wilson's scores (R. G. Newcombe, 1998, method 10). */
export const differenceOfProportions = (a: Counted, b: Counted, alpha: number): Interval => {
  const [pa, pb] = [a, b].map(({ successes, trials }) => (trials === 0 ? 0 : successes / trials));
  const [wa, wb] = [wilson(a.successes, a.trials, alpha), wilson(b.successes, b.trials, alpha)];
  const difference = (pb ?? 0) - (pa ?? 0);
  return {
    low: difference - Math.hypot((pb ?? 0) - wb.low, wa.high - (pa ?? 0)),
    high: difference + Math.hypot(wb.high - (pb ?? 0), (pa ?? 0) - wa.low),
  };
};

export interface Sums {
  readonly count: number;
  readonly sum: number;
  /** Of squares. */
  readonly squares: number;
}

const meanOf = ({ count, sum }: Sums): number => (count === 0 ? 0 : sum / count);
const errorOf = (sums: Sums): number => {
  const { count, squares } = sums;
  if (count < 2) return Number.POSITIVE_INFINITY;
  return Math.max(0, squares - count * meanOf(sums) ** 2) / (count - 1) / count;
};

/** Interval of the difference of two means, b − a, with variances of their own; normal, so for large samples. */
export const differenceOfMeans = (a: Sums, b: Sums, alpha: number): Interval => {
  const difference = meanOf(b) - meanOf(a);
  const half = normalQuantile(1 - alpha / 2) * Math.sqrt(errorOf(a) + errorOf(b));
  return { low: difference - half, high: difference + half };
};

/**
 * How many each variant needs so that a difference of `effect` from a proportion of `base` is found with a chance of
 * `power` (two-sided, normal approximation; J. L. Fleiss, 1981, without the correction for continuity).
 */
export const sampleSize = (base: number, effect: number, alpha = 0.05, power = 0.8): number => {
  const other = base + effect;
  const mean = (base + other) / 2;
  const chance = normalQuantile(1 - alpha / 2) * Math.sqrt(2 * mean * (1 - mean));
  const found = normalQuantile(power) * Math.sqrt(base * (1 - base) + other * (1 - other));
  return Math.ceil(((chance + found) / effect) ** 2);
};
