import { circuitBreaker } from './circuit-breaker.ts';
import type { Clock } from './clock.ts';
import { isOmniError, OmniError } from './errors.ts';
import { within } from './within.ts';

export interface OutsideSystemOptions {
  /** As it stands in messages: `Stripe`. */
  readonly name: string;
  readonly clock: Clock;
  /** Seconds for one attempt. */
  readonly timeout: number;
  /** Attempts in all, 3 where absent. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt, 200 where absent; each further pause is twice as long, up to 2 s. */
  readonly pause?: number;
  /** Waits so many milliseconds. */
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** 0 to 1; spreads the pauses of many instances. */
  readonly random?: () => number;
}

export interface OutsideSystem {
  /**
   * Makes one call, again after `unavailable` and after `rate-limited` where the pause is short. So what is called must be
   * safe to repeat: a read, or a write with an idempotency key. Fails as the last attempt did; but `unavailable` where
   * that was `rate-limited` and an earlier one had no answer, for that one may have had its effect. While the system is
   * down, or wants to be left in peace, it fails at once.
   */
  call<R>(attempt: (signal: AbortSignal) => Promise<R>): Promise<R>;
  /** Whether it is worth calling now, and how long its last calls took. */
  status(): { readonly healthy: boolean; readonly latencyMs: number };
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const maxPause = 2_000;
const failuresToOpen = 5;
/** Milliseconds. */
const openFor = 30_000;
/** The share of the last call in the moving average. */
const weight = 0.2;

type Settled<R> = { readonly value: R } | { readonly refusal: unknown };

/** What every adapter to a system outside stands on: time-outs, bounded retries with jitter, a circuit breaker. */
export const outsideSystem = (options: OutsideSystemOptions): OutsideSystem => {
  const { name, clock, timeout, attempts = 3, pause = 200, wait = sleep, random = Math.random } = options;
  const guarded = circuitBreaker({ clock, failures: failuresToOpen, pause: openFor });
  let [failures, failedAt, quietUntil] = [0, 0, 0];
  let latencyMs = 0;

  /** A refusal is an answer: the system is up. Only `unavailable` counts against it. */
  const settle = async <R>(attempt: (signal: AbortSignal) => Promise<R>): Promise<Settled<R>> => {
    const started = performance.now();
    try {
      return { value: await within(timeout, attempt) };
    } catch (error) {
      if (!isOmniError(error))
        throw new OmniError('unavailable', `${name} gave no answer to rely on.`, { cause: error });
      if (error.code === 'unavailable') throw error;
      return { refusal: error };
    } finally {
      const took = performance.now() - started;
      latencyMs = latencyMs === 0 ? took : latencyMs * (1 - weight) + took * weight;
    }
  };

  const once = async <R>(attempt: (signal: AbortSignal) => Promise<R>): Promise<R> => {
    const left = quietUntil - clock.now();
    if (left > 0) throw new OmniError('rate-limited', `${name} wants a pause.`, { retryAfter: left / 1_000 });
    let settled: Settled<R>;
    let wasAsked = false;
    try {
      settled = await guarded(() => {
        wasAsked = true;
        return settle(attempt);
      });
      failures = 0;
    } catch (error) {
      // What the circuit breaker refuses says nothing new of the system.
      if (wasAsked) [failures, failedAt] = [failures + 1, clock.now()];
      throw error;
    }
    if ('value' in settled) return settled.value;
    if (isOmniError(settled.refusal, 'rate-limited')) {
      quietUntil = clock.now() + (settled.refusal.retryAfter ?? 1) * 1_000;
    }
    throw settled.refusal;
  };

  const pauseAfter = (error: unknown, made: number): number | undefined => {
    // With the circuit open the next attempt would be refused unasked.
    if (made >= attempts || failures >= failuresToOpen) return undefined;
    if (isOmniError(error, 'unavailable')) return Math.min(maxPause, pause * 2 ** (made - 1)) * (0.5 + random() / 2);
    const asked = isOmniError(error, 'rate-limited') ? (error.retryAfter ?? 1) * 1_000 : Number.POSITIVE_INFINITY;
    return asked <= maxPause ? asked : undefined;
  };

  /** That an attempt was not let in says nothing of the one before it. */
  const unsure = (error: unknown): unknown => {
    if (!isOmniError(error, 'rate-limited')) return error;
    const message = `${name} gave no answer to rely on, and wants a pause.`;
    return new OmniError('unavailable', message, { cause: error, retryAfter: error.retryAfter ?? 1 });
  };

  return {
    call: async (attempt) => {
      let isUnknown = false;
      for (let made = 1; ; made += 1) {
        try {
          return await once(attempt);
        } catch (error) {
          const before = pauseAfter(error, made);
          if (before === undefined) throw isUnknown ? unsure(error) : error;
          isUnknown ||= isOmniError(error, 'unavailable');
          await wait(before);
        }
      }
    },
    status: () => ({
      healthy: quietUntil <= clock.now() && (failures < failuresToOpen || clock.now() - failedAt >= openFor),
      latencyMs: Math.round(latencyMs),
    }),
  };
};
