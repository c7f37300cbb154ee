import { interpolate, probabilityOf } from '#shared/ai/churn/churn-model.ts';
import type { Values } from './dataset.ts';

/** What to fit for one feature: a curve through the knots, or one number per level. */
export type Term =
  | { readonly kind: 'numeric'; readonly name: string; readonly knots: readonly number[] }
  | { readonly kind: 'categorical'; readonly name: string; readonly levels: readonly string[] };

/** `ridge` pulls every contribution to 0, `smoothness` pulls neighbouring slopes of a curve together. */
export interface Penalties {
  readonly ridge: number;
  readonly smoothness: number;
}

export interface Fit {
  readonly intercept: number;
  /** Contribution of each knot or level of each term, in its order. */
  readonly contributions: readonly Float64Array[];
}

type Matrix = readonly Float64Array[];

const zeros = (size: number): Matrix => Array.from({ length: size }, () => new Float64Array(size));
const sizeOf = (term: Term): number => (term.kind === 'numeric' ? term.knots.length : term.levels.length);
const at = (row: Float64Array | undefined, i: number): number => row?.[i] ?? 0;

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += at(a, i) * at(b, i);
  return sum;
};

/**
 * The weight of each knot or level in a value's contribution, by the scoring code's own interpolation. NaN throughout
 * where the value is missing or the feature does not apply ("No internet service"): its contribution is then 0, and
 * the level of the feature that makes it inapplicable carries the effect.
 */
const basis = (term: Term, value: string | number | null | undefined): readonly number[] => {
  if (term.kind === 'numeric')
    return term.knots.map((_, k) =>
      typeof value === 'number'
        ? interpolate(
            term.knots.map((x, i) => [x, Number(i === k)]),
            value,
          )
        : Number.NaN,
    );
  const known = typeof value === 'string' && term.levels.includes(value);
  return term.levels.map((level) => (known ? Number(level === value) : Number.NaN));
};

export const encode = (terms: readonly Term[], values: Values): Float64Array =>
  Float64Array.from(terms.flatMap((term) => basis(term, values[term.name])));

const columnMeans = (rows: Matrix): Float64Array =>
  (rows[0] ?? new Float64Array()).map((_, column) => {
    let sum = 0;
    let count = 0;
    for (const row of rows) {
      const value = at(row, column);
      if (Number.isNaN(value)) continue;
      sum += value;
      count += 1;
    }
    return count === 0 ? 0 : sum / count;
  });

/** Centred columns behind a leading 1, so that the intercept is the average customer's and is not penalised. */
const centre = (rows: Matrix, means: Float64Array): Matrix =>
  rows.map((row) => {
    const centred = new Float64Array(row.length + 1);
    centred[0] = 1;
    row.forEach((value, i) => {
      centred[i + 1] = Number.isNaN(value) ? 0 : value - at(means, i);
    });
    return centred;
  });

/** Adds weight·(c·w)² to the quadratic form. */
const addSquare = (matrix: Matrix, weight: number, c: readonly (readonly [index: number, factor: number])[]): void => {
  for (const [i, a] of c)
    for (const [j, b] of c) {
      const row = matrix[i];
      if (row !== undefined) row[j] = at(row, j) + weight * a * b;
    }
};

/** Ridge, and second differences along each curve (P-splines of degree 1: Eilers and Marx, Statistical Science 1996). */
const penaltyMatrix = (terms: readonly Term[], { ridge, smoothness }: Penalties): Matrix => {
  const matrix = zeros(terms.reduce((sum, term) => sum + sizeOf(term), 1));
  let first = 1;
  for (const term of terms) {
    const size = sizeOf(term);
    for (let k = first; k < first + size; k += 1) addSquare(matrix, ridge, [[k, 1]]);
    if (term.kind === 'numeric')
      for (let k = first + 1; k < first + size - 1; k += 1)
        addSquare(matrix, smoothness, [
          [k - 1, 1],
          [k, -2],
          [k + 1, 1],
        ]);
    first += size;
  }
  return matrix;
};

/** Solves A·x = b for a symmetric positive definite A, given by its lower triangle, by Cholesky decomposition. */
const solve = (matrix: Matrix, b: Float64Array): Float64Array => {
  const lower = matrix.map((row) => row.slice());
  lower.forEach((row, i) => {
    for (let j = 0; j <= i; j += 1) {
      const other = lower[j];
      let sum = at(row, j);
      for (let k = 0; k < j; k += 1) sum -= at(row, k) * at(other, k);
      row[j] = i === j ? Math.sqrt(sum) : sum / at(other, j);
    }
  });
  const x = b.slice();
  for (let i = 0; i < x.length; i += 1) {
    for (let k = 0; k < i; k += 1) x[i] = at(x, i) - at(lower[i], k) * at(x, k);
    x[i] = at(x, i) / at(lower[i], i);
  }
  for (let i = x.length - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < x.length; k += 1) x[i] = at(x, i) - at(lower[k], i) * at(x, k);
    x[i] = at(x, i) / at(lower[i], i);
  }
  return x;
};

/** One step of Newton's method on the penalised log-likelihood. */
const newtonStep = (
  rows: Matrix,
  churned: readonly boolean[],
  penalty: Matrix,
  weights: Float64Array,
): Float64Array => {
  const gradient = weights.map((_, i) => -dot(penalty[i] ?? weights, weights));
  const hessian = penalty.map((row) => row.slice());
  rows.forEach((row, n) => {
    const probability = probabilityOf(dot(row, weights));
    const residual = Number(churned[n]) - probability;
    const variance = probability * (1 - probability);
    hessian.forEach((target, i) => {
      const value = at(row, i);
      if (value === 0) return;
      gradient[i] = at(gradient, i) + residual * value;
      const scaled = variance * value;
      for (let j = 0; j <= i; j += 1) target[j] = (target[j] ?? 0) + scaled * (row[j] ?? 0);
    });
  });
  return solve(hessian, gradient);
};

const maxSteps = 50;

/**
 * Fits by Newton's method, whose error after a last step of 1e-6 is about its square. Throws when it does not converge;
 * here it takes about six steps.
 */
export const fitAdditiveModel = (
  terms: readonly Term[],
  encoded: Matrix,
  churned: readonly boolean[],
  penalties: Penalties,
): Fit => {
  const means = columnMeans(encoded);
  const rows = centre(encoded, means);
  const penalty = penaltyMatrix(terms, penalties);
  let weights = new Float64Array(penalty.length);
  for (let step = 0; step < maxSteps; step += 1) {
    const change = newtonStep(rows, churned, penalty, weights);
    weights = weights.map((weight, i) => weight + at(change, i));
    if (change.every((value) => Math.abs(value) < 1e-6)) return tables(terms, weights, means);
  }
  throw new Error(`The fit did not converge in ${maxSteps} steps.`);
};

/** Takes each term's mean contribution out of its table: `centre` did the same to the columns. */
const tables = (terms: readonly Term[], weights: Float64Array, means: Float64Array): Fit => {
  let first = 0;
  const contributions = terms.map((term) => {
    const own = weights.slice(first + 1, first + 1 + sizeOf(term));
    const average = dot(own, means.slice(first, first + sizeOf(term)));
    first += sizeOf(term);
    return own.map((weight) => weight - average);
  });
  return { intercept: at(weights, 0), contributions };
};

/** Log-odds of one encoded customer. */
export const logOddsOf = ({ intercept, contributions }: Fit, encoded: Float64Array): number => {
  let column = 0;
  let sum = intercept;
  for (const table of contributions)
    for (const contribution of table) {
      const weight = at(encoded, column);
      if (!Number.isNaN(weight)) sum += weight * contribution;
      column += 1;
    }
  return sum;
};
