import type { Clock } from '../kernel/clock.ts';
import { isoTime } from '../kernel/clock.ts';
import type { DomainEvent } from '../kernel/event.ts';
import type { OutboxEntry } from '../store/outbox.collection.ts';
import type { Database, Store, Stored } from '../store/store.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Bus } from './bus.ts';
import { parseEvent } from './define-event.ts';
import { grouped } from './grouped.ts';

export interface OutboxOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly entries: Store<OutboxEntry>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Outbox {
  /**
   * Publishes events that are committed, and takes them out of the outbox. It never throws: what can't be published
   * now stays for the sweep. Concurrent calls share one publish and one delete.
   */
  publish(events: readonly DomainEvent[]): Promise<void>;
  /**
   * Publishes what crashes left behind, oldest first, until nothing is left or `budget` milliseconds are over. An event
   * that the bus refuses holds up no other. Fails with `unavailable` when it takes none.
   */
  sweep(options?: { readonly olderThan?: number; readonly budget?: number }): Promise<{ readonly published: number }>;
}

const sweepPage = 200;

export const createOutbox = ({ database, entries, bus, clock, logger }: OutboxOptions): Outbox => {
  const publishAndClear = async (events: readonly DomainEvent[]): Promise<void> => {
    await bus.publish(events);
    await database.transaction((transaction) => {
      for (const { id } of events) transaction.delete(entries, id);
    });
  };
  /** One entry that does not parse must not hold up the others. It stays, for a person to look at. */
  const readable = ({ id, value }: Stored<OutboxEntry>): DomainEvent[] => {
    try {
      return [parseEvent(JSON.parse(value.event))];
    } catch {
      logger.error('An outbox entry is no event.', { id });
      return [];
    }
  };
  /** How many could be published: one by one, when they can't be together. */
  const publishWhatCan = async (all: readonly DomainEvent[]): Promise<number> => {
    try {
      await publishAndClear(all);
      return all.length;
    } catch {
      const tried = await Promise.allSettled(all.map((event) => publishAndClear([event])));
      const refused = all.filter((_, index) => tried[index]?.status === 'rejected');
      const failure = tried.find((one) => one.status === 'rejected');
      if (refused.length === all.length) throw failure?.reason;
      if (refused.length > 0) {
        const events = refused.map(({ id }) => id);
        logger.error('Events that the bus refuses stay in the outbox.', { events, error: failure?.reason });
      }
      return all.length - refused.length;
    }
  };
  const publishGrouped = grouped(publishAndClear, 100);

  return {
    publish: async (events) => {
      try {
        await Promise.all(events.map(publishGrouped));
      } catch (error) {
        logger.warn('Events stay in the outbox for the sweep.', { events: events.map(({ id }) => id), error });
      }
    },
    sweep: async ({ olderThan = 30_000, budget = 45_000 } = {}) => {
      const started = performance.now();
      const until = isoTime(clock.now() - olderThan);
      let published = 0;
      let cursor: string | undefined;
      do {
        const page = await entries.query({
          where: [{ field: 'committedAt', op: '<=', value: until }],
          orderBy: { field: 'committedAt', order: 'asc' },
          limit: sweepPage,
          cursor,
        });
        const events = page.items.flatMap(readable);
        if (events.length > 0) published += await publishWhatCan(events);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined && performance.now() - started < budget);
      return { published };
    },
  };
};
