import type { Middleware } from '../context.ts';

/** One request as the meter counts it. */
export interface UsageRecord {
  readonly tenant: string;
  /** Id of the key or user. */
  readonly principal: string;
  readonly endpoint: string;
  readonly status: number;
}

export interface UsageMeter {
  /** Counts in memory. */
  record(usage: UsageRecord): void;
  /** Stores what was counted when it is due, at most once in a while: most requests pay nothing. Never throws. */
  flushWhenDue(): Promise<void> | undefined;
  flush(): Promise<void>;
}

/** Fifth of the seven. Requests of our own services are not metered. */
export const usageTracker =
  (meter: UsageMeter): Middleware =>
  async (c, next) => {
    await next();
    const principal = c.get('principal');
    if (principal === undefined || c.get('internal')) return;
    meter.record({
      tenant: principal.actor.tenant,
      principal: principal.actor.id,
      endpoint: `${c.req.method} ${c.get('endpoint')}`,
      status: c.res.status,
    });
    const flushed = meter.flushWhenDue();
    if (flushed !== undefined) await flushed;
  };
