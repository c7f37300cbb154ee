import type { WindowCounter } from '../cache/counter.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Allowance, RateLimiter } from './pipeline/rate-limiter.ts';

export interface LeasedRateLimiterOptions {
  /** Shared by all instances. */
  readonly counter: WindowCounter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What this instance holds of one key's window. */
interface Lease {
  readonly window: number;
  /** Tokens leased and not yet spent. */
  tokens: number;
  /** The shared count when it was last seen: what all instances have leased. */
  count: number;
  /** What this instance has leased in this window so far. */
  leased: number;
  renewal: Promise<void> | undefined;
}

const windowSeconds = 60;
const maxKeys = 10_000;

/**
 * Limits over many instances without a write per request: an instance leases part of a window's limit from a shared
 * counter, and spends it in memory. It begins with a two-hundredth and doubles up to a twentieth.
 *
 * The limit is never exceeded. The counter only grows, and an instance reads it after its own increment: what it reads
 * is at least the sum of all leases up to its own, and of what it asked for it takes only the part below the limit.
 * Close to the limit concurrent leases can leave a few tokens unspent. When the counter is down each instance allows
 * the whole limit by itself: better than refusing everybody.
 */
export const leasedRateLimiter = ({ counter, clock, logger }: LeasedRateLimiterOptions): RateLimiter => {
  const leases = new Map<string, Lease>();

  const leaseOf = (key: string, window: number): Lease => {
    const known = leases.get(key);
    if (known?.window === window) return known;
    const oldest = leases.size >= maxKeys ? leases.keys().next().value : undefined;
    if (oldest !== undefined) leases.delete(oldest);
    const lease: Lease = { window, tokens: 0, count: 0, leased: 0, renewal: undefined };
    leases.set(key, lease);
    return lease;
  };

  const renew = async (key: string, lease: Lease, limit: number): Promise<void> => {
    // As much again as before, so that many instances that serve a few requests each leave little unspent.
    const wanted = Math.min(Math.ceil(limit / 20), Math.max(Math.ceil(limit / 200), lease.leased));
    lease.leased += wanted;
    try {
      lease.count = await counter.add(`${key}:${lease.window}`, wanted, 2 * windowSeconds);
      lease.tokens += Math.max(0, Math.min(wanted, limit - (lease.count - wanted)));
    } catch (error) {
      logger.warn('The rate limit counter is down; each instance limits by itself.', { error });
      lease.count = limit;
      lease.tokens += limit;
    }
  };

  return {
    take: (key, limit) => {
      const seconds = clock.now() / 1000;
      const window = Math.floor(seconds / windowSeconds);
      const reset = Math.max(1, Math.ceil((window + 1) * windowSeconds - seconds));
      const answer = (allowed: boolean, lease: Lease): Allowance => ({
        allowed,
        limit,
        remaining: Math.max(0, limit - lease.count) + lease.tokens,
        reset,
      });
      if (limit === Number.POSITIVE_INFINITY) return { allowed: true, limit, remaining: limit, reset };
      const lease = leaseOf(key, window);
      const spend = (): Allowance => {
        lease.tokens -= 1;
        return answer(true, lease);
      };
      if (lease.tokens > 0) return spend();
      if (lease.count >= limit && lease.renewal === undefined) return answer(false, lease);
      const wait = async (): Promise<Allowance> => {
        while (lease.tokens === 0 && lease.count < limit) {
          lease.renewal ??= renew(key, lease, limit).finally(() => {
            lease.renewal = undefined;
          });
          await lease.renewal;
        }
        return lease.tokens > 0 ? spend() : answer(false, lease);
      };
      return wait();
    },
  };
};
