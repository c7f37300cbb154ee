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
   * now stays for the sweep. Concurrent calls share one publish, and requests that run side by side one delete.
   */
  publish(events: readonly DomainEvent[]): Promise<void>;
  /**
   * Runs a request or a job. What it publishes is taken out of the outbox at the latest when the last of those that run
   * side by side ends, and before it ends: after that an instance may get no processor time.
   */
  during<R>(work: () => Promise<R>): Promise<R>;
  /**
   * Publishes what crashes left behind, oldest first, until nothing is left or `budget` milliseconds are over. An event
   * that the bus refuses holds up no other. Fails with `unavailable` when it takes none.
   */
  sweep(options?: { readonly olderThan?: number; readonly budget?: number }): Promise<{ readonly published: number }>;
}

const sweepPage = 200;

/** Milliseconds for which a published event stays in the outbox while requests run: well below what the sweep takes. */
const clearAfter = 1_000;
/** Published events that are taken out at once, however many requests run. */
const clearAt = 100;

/** What is published and still in the outbox. Requests that run side by side take it out in one commit. */
const publishedEntries = (remove: (ids: readonly string[]) => Promise<void>, logger: Logger) => {
  let published: string[] = [];
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  const removeGrouped = grouped(remove, clearAt);

  const clear = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const ids = published;
    published = [];
    if (ids.length === 0) return;
    try {
      await Promise.all(ids.map(removeGrouped));
    } catch (error) {
      logger.warn('Published events stay in the outbox: the sweep publishes them again.', { events: ids, error });
    }
  };

  return {
    add: async (ids: readonly string[]): Promise<void> => {
      published.push(...ids);
      if (running === 0 || published.length >= clearAt) await clear();
      else timer ??= setTimeout(() => void clear(), clearAfter).unref();
    },
    during: async <R>(work: () => Promise<R>): Promise<R> => {
      running += 1;
      try {
        return await work();
      } finally {
        running -= 1;
        if (running === 0) await clear();
      }
    },
  };
};

export const createOutbox = ({ database, entries, bus, clock, logger }: OutboxOptions): Outbox => {
  const remove = (ids: readonly string[]): Promise<void> =>
    database.transaction((transaction) => {
      for (const id of ids) transaction.delete(entries, id);
    });
  const published = publishedEntries(remove, logger);
  const publishAndClear = async (events: readonly DomainEvent[]): Promise<void> => {
    await bus.publish(events);
    await remove(events.map(({ id }) => id));
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
  const publishGrouped = grouped((events: readonly DomainEvent[]) => bus.publish(events), 100);

  return {
    publish: async (events) => {
      try {
        await Promise.all(events.map(publishGrouped));
      } catch (error) {
        logger.warn('Events stay in the outbox for the sweep.', { events: events.map(({ id }) => id), error });
        return;
      }
      await published.add(events.map(({ id }) => id));
    },
    during: published.during,
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
