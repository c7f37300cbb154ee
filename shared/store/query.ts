import { OmniError } from '../kernel/errors.ts';
import { checkField } from './document.ts';
import type { Filter, Scalar } from './store.ts';

const maxLimit = 1_000;
/** Firestore's limit on the disjunctions that a query comes to (https://cloud.google.com/firestore/quotas#limits). */
const maxAlternatives = 30;

export const isRange = (filter: Pick<Filter, 'op'>): boolean => !['==', 'in', 'contains'].includes(filter.op);

export const checkLimit = (limit: number): number => {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxLimit) return limit;
  throw new OmniError('invalid-request', `A limit must be a whole number from 1 to ${maxLimit}.`);
};

/**
 * Refuses what Firestore refuses or cannot answer from one index: a range on more than one field, or on another than
 * `rangeField` where that is given.
 */
export const checkFilters = (
  filters: readonly Filter[],
  fieldNames: readonly string[],
  rangeField?: string | 'none',
): readonly Filter[] => {
  const ranges = new Set(filters.filter(isRange).map(({ field }) => field));
  if (ranges.size > 1) throw new Error('A query can have a range on one field only.');
  if (rangeField !== undefined && ranges.size > 0 && !ranges.has(rangeField)) {
    throw new Error('A query can have a range only on the field that it orders by.');
  }
  if (filters.filter(({ op }) => op === 'contains').length > 1) throw new Error('A query can have one `contains`.');
  const alternatives = filters.reduce((product, one) => product * (one.op === 'in' ? one.value.length : 1), 1);
  if (alternatives > maxAlternatives) throw new Error(`A query can have ${maxAlternatives} alternatives at most.`);
  for (const filter of filters) {
    checkField(filter.field, fieldNames);
    const values: readonly Scalar[] = filter.op === 'in' ? filter.value : [filter.value];
    if (values.some((value) => typeof value === 'string' && !value.isWellFormed())) {
      throw new OmniError('invalid-request', 'A text is not well-formed Unicode.');
    }
    const nullable = filter.op === '==' || filter.op === 'contains';
    if (values.some((value) => (value === null ? !nullable : Number.isNaN(value)))) {
      throw new Error(`The filter on ${filter.field} has a value that its operator cannot take.`);
    }
  }
  return filters;
};

/** `in` nothing matches nothing; Firestore refuses to be asked. */
export const matchesNothing = (filters: readonly Filter[]): boolean =>
  filters.some((filter) => filter.op === 'in' && filter.value.length === 0);

/** What a dotted field reaches. */
export const valueAt = (data: unknown, field: string): unknown => {
  let value = data;
  for (const part of field.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = Reflect.get(value, part);
  }
  return value;
};
