import * as z from 'zod';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { derivedId } from '../../kernel/ids.ts';
import { tenantCollection } from '../../store/collection.ts';
import type { Database, TenantStore } from '../../store/store.ts';
import type { Logger } from '../../telemetry/index.ts';

export const usageSchema = z.object({
  /** ISO 8601, the start of the hour. */
  hour: z.iso.datetime(),
  principal: z.string(),
  /** `GET /api/v1/things/:id` */
  endpoint: z.string(),
  requests: z.number(),
  /** Answers of 400 and above. */
  errors: z.number(),
});
export type Usage = z.infer<typeof usageSchema>;

/** Requests of each hour by key and endpoint: what analytics shows and billing reads. */
export const usageCollection = tenantCollection<Usage>({
  name: 'apiUsage',
  schema: usageSchema,
  indexes: [
    {
      fields: [
        { field: 'endpoint', order: 'asc' },
        { field: 'hour', order: 'asc' },
      ],
    },
    {
      fields: [
        { field: 'principal', order: 'asc' },
        { field: 'hour', order: 'asc' },
      ],
    },
  ],
});

interface Seen {
  readonly tenant: string;
  readonly principal: string;
  readonly endpoint: string;
  readonly status: number;
}

interface Tally {
  readonly tenant: string;
  readonly hour: string;
  readonly principal: string;
  readonly endpoint: string;
  requests: number;
  errors: number;
}

export interface UsageMeterOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly usage: TenantStore<Usage>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds between two flushes. */
  readonly every?: number;
}

const hourMs = 3_600_000;
const maxWrites = 400;

/**
 * Counts requests in memory and adds them to the store every few seconds, with the response of whichever request finds
 * the flush due. An instance that dies loses what it counted since the last one: usage may be under-counted by seconds
 * of one instance, never over-counted.
 */
export const createUsageMeter = ({ database, usage, clock, logger, every = 10_000 }: UsageMeterOptions) => {
  let tallies = new Map<string, Tally>();
  let lastFlush = clock.now();

  const flush = async (): Promise<void> => {
    const due = [...tallies.values()];
    tallies = new Map();
    lastFlush = clock.now();
    for (let i = 0; i < due.length; i += maxWrites) {
      const part = due.slice(i, i + maxWrites);
      try {
        await database.transaction((transaction) => {
          for (const { tenant, hour, principal, endpoint, requests, errors } of part) {
            const id = derivedId('use', hour, principal, endpoint);
            transaction.increment(usage.of(tenant), id, { requests, errors }, { hour, principal, endpoint });
          }
        });
      } catch (error) {
        logger.warn('Usage could not be stored.', { requests: part.reduce((sum, t) => sum + t.requests, 0), error });
      }
    }
  };

  return {
    record: ({ tenant, principal, endpoint, status }: Seen): void => {
      const hour = isoTime(Math.floor(clock.now() / hourMs) * hourMs);
      const key = `${tenant} ${hour} ${principal} ${endpoint}`;
      const tally = tallies.get(key) ?? { tenant, hour, principal, endpoint, requests: 0, errors: 0 };
      tally.requests += 1;
      if (status >= 400) tally.errors += 1;
      tallies.set(key, tally);
    },
    flushWhenDue: (): Promise<void> | undefined =>
      tallies.size > 0 && (clock.now() - lastFlush >= every || tallies.size >= maxWrites) ? flush() : undefined,
    flush,
  };
};
