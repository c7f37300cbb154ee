import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { Stored } from '../../store/store.ts';
import type { Subscription } from './subscription.schema.ts';

const minute = 60_000;
const hour = 60 * minute;
/** Until something that was down is asked again, at the soonest. */
const wait = 5 * minute;
const longestPause = 8 * hour;

/** Whether it is ours to mend, and nothing that a tenant could. */
export const isOurs = (error: unknown): boolean =>
  !isOmniError(error) || error.code === 'internal' || error.code === 'stored-data-invalid';

/** What is wrong inside of us is for the log alone. */
const reasonOf = (error: unknown): string =>
  error instanceof Error && !isOurs(error) ? error.message : 'Something went wrong that is ours to mend.';

const told = (id: string, reason: string): string => `${id}: ${reason}`.slice(0, 300);

/** A subscription that can't be billed: after an hour it is tried again, then after twice that, up to eight. */
export const putOff = ({ id, value }: Stored<Subscription>, error: unknown, now: number): Subscription => {
  const failures = value.failures + 1;
  const pause = Math.min(hour * 2 ** Math.min(failures - 1, 10), longestPause);
  return { ...value, failures, problem: told(id, reasonOf(error)), nextActionAt: isoTime(now + pause) };
};

/**
 * One that was not tried, because what it needs is down. It comes before all that were tried and failed, so that these
 * never hold it up twice.
 */
export const waiting = ({ id, value }: Stored<Subscription>, reason: string, now: number): Subscription => ({
  ...value,
  problem: told(id, reason),
  nextActionAt: isoTime(now + wait),
});
