import { valueAt } from './query.ts';
import type { Filter, NearestRequest } from './store.ts';

/** Firestore's order of types (https://cloud.google.com/firestore/docs/concepts/data-types#value_type_ordering). */
const rankOf = (value: unknown): number => {
  const rank = ['null', 'boolean', 'number', 'string', 'array', 'object'].indexOf(
    value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value,
  );
  return rank;
};

/** Firestore's order, but for arrays and objects among themselves: lists are not ordered by those. */
export const compareValues = (a: unknown, b: unknown): number => {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  // By UTF-8 bytes; JavaScript's own order differs beyond the basic plane.
  if (typeof a === 'string' && typeof b === 'string')
    return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
  return rankOf(a) - rankOf(b);
};

/** Strict about types, as Firestore is: `x < 5` holds for numbers only. */
export const matches = (data: unknown, filter: Filter): boolean => {
  const value = valueAt(data, filter.field);
  switch (filter.op) {
    case '==':
      return value === filter.value;
    case 'in':
      return filter.value.some((one) => one === value);
    case 'contains':
      return Array.isArray(value) && value.includes(filter.value);
    default: {
      if (typeof value !== typeof filter.value || value === null) return false;
      const order = compareValues(value, filter.value);
      return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[filter.op];
    }
  }
};

export const distanceBetween = (
  measure: NearestRequest['distance'],
  a: readonly number[],
  b: readonly number[],
): number => {
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, one, i) => sum + one * (y[i] ?? 0), 0);
  switch (measure) {
    case 'dot-product':
      return dot(a, b);
    case 'euclidean':
      return Math.hypot(...a.map((one, i) => one - (b[i] ?? 0)));
    case 'cosine':
      return 1 - dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }
};
