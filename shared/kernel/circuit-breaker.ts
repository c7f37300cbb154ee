import type { Clock } from './clock.ts';
import { OmniError } from './errors.ts';

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds for which it stays open. Then one call goes through to try. */
  readonly pause: number;
}

/** Keeps calls away from a system that is down: they fail with `unavailable` at once. A rejection is a failure. */
export const circuitBreaker = ({ clock, failures, pause }: CircuitBreakerOptions) => {
  let inARow = 0;
  let openUntil = 0;
  return async <R>(call: () => Promise<R>): Promise<R> => {
    if (inARow >= failures) {
      if (clock.now() < openUntil)
        throw new OmniError('unavailable', 'The outside system is down; not tried again yet.');
      // Others wait until this call has shown how it is.
      openUntil = clock.now() + pause;
    }
    try {
      const result = await call();
      inARow = 0;
      return result;
    } catch (error) {
      inARow += 1;
      openUntil = clock.now() + pause;
      throw error;
    }
  };
};
