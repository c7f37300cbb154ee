import type { Clock } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Gateway } from './gateway.ts';

/** Calls without an answer, in a row, after which a gateway counts as down. */
const failuresToOpen = 5;
/** Milliseconds for which it then is not called. One call goes through afterwards to try. */
const pause = 30_000;
/** How much the last call counts in the mean of the latency. */
const weight = 0.2;

/**
 * Watches a gateway's calls: how long they take, and whether it answers. While it is down, and for as long as it said
 * that it wants to be left alone (429), calls fail at once and nothing is sent.
 */
export const gatewayHealth = (clock: Clock) => {
  let inARow = 0;
  let openUntil = 0;
  let limitedUntil = 0;
  let latency = 0;

  const admit = (): void => {
    const now = clock.now();
    if (limitedUntil > now) {
      const retryAfter = Math.ceil((limitedUntil - now) / 1_000);
      throw new OmniError('rate-limited', 'The gateway asks to be called less often.', { retryAfter });
    }
    if (inARow < failuresToOpen) return;
    if (now < openUntil) throw new OmniError('unavailable', 'The gateway is down; not tried again yet.');
    // Others wait until this call has shown how it is.
    openUntil = now + pause;
  };

  const note = (error: unknown): void => {
    if (isOmniError(error, 'rate-limited')) limitedUntil = clock.now() + (error.retryAfter ?? 1) * 1_000;
    if (!isOmniError(error, 'unavailable')) {
      // A refusal is an answer.
      inARow = 0;
      return;
    }
    inARow += 1;
    openUntil = clock.now() + pause;
  };

  return {
    watched: async <R>(call: () => Promise<R>): Promise<R> => {
      admit();
      const started = performance.now();
      try {
        const result = await call();
        inARow = 0;
        return result;
      } catch (error) {
        note(error);
        throw error;
      } finally {
        const took = performance.now() - started;
        latency = latency === 0 ? took : latency * (1 - weight) + took * weight;
      }
    },
    status: (): ReturnType<Gateway['status']> => ({
      healthy: limitedUntil <= clock.now() && (inARow < failuresToOpen || openUntil <= clock.now()),
      latencyMs: Math.round(latency),
    }),
  };
};
