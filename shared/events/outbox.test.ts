import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { manualClock } from '../kernel/clock.ts';
import { sequentialIds } from '../kernel/ids.ts';
import { databaseOn } from '../store/database.ts';
import type { Write } from '../store/driver.ts';
import { embeddedDriver } from '../store/embedded.ts';
import { outboxCollection } from '../store/outbox.collection.ts';
import type { Database } from '../store/store.ts';
import { nullLogger } from '../telemetry/index.ts';
import { defineEvent, eventMaker } from './define-event.ts';
import { createOutbox, type Outbox } from './outbox.ts';

const placed = defineEvent('shop.order.placed', z.object({ order: z.string() }));

/** An outbox whose deletes are seen, and can be made to fail. */
const start = () => {
  const driver = embeddedDriver();
  const seen = { deletes: [] as number[], published: [] as string[], failDeletes: false };
  const deletesOf = (writes: readonly Write[]): number => writes.filter(({ kind }) => kind === 'delete').length;
  const database: Database = databaseOn(
    {
      ...driver,
      transaction: (work) =>
        driver.transaction(async (reader) => {
          const done = await work(reader);
          const deletes = deletesOf(done.writes);
          if (deletes > 0 && seen.failDeletes) throw new Error('down');
          if (deletes > 0) seen.deletes.push(deletes);
          return done;
        }),
    },
    { now: () => clock.now(), onCommitted: (events) => outbox.publish(events) },
  );
  const clock = manualClock();
  const entries = database.platform(outboxCollection);
  const publish = async (events: readonly { readonly id: string }[]): Promise<void> => {
    seen.published.push(...events.map(({ id }) => id));
  };
  const bus = { publish, close: async () => undefined };
  const outbox: Outbox = createOutbox({ database, entries, bus, clock, logger: nullLogger });
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId: sequentialIds() });
  return {
    seen,
    clock,
    outbox,
    left: async () => (await entries.query({ limit: 1_000 })).items.length,
    emit: (order: string) =>
      database.transaction((transaction) => {
        transaction.emit(makeEvent(placed, { tenant: 'acme', subject: order, data: { order } }));
      }),
  };
};
let here: ReturnType<typeof start>;
beforeEach(() => {
  here = start();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A request that emits, and then goes on until it is let go. */
const request = (order: string) => {
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let emitted = () => {};
  const hasEmitted = new Promise<void>((resolve) => (emitted = resolve));
  const ended = here.outbox.during(async () => {
    await here.emit(order);
    emitted();
    await held;
    return order;
  });
  const end = (): Promise<string> => {
    letGo();
    return ended;
  };
  return { hasEmitted, end };
};

describe('what is published', () => {
  it('outside of a request leaves the outbox at once', async () => {
    await here.emit('a');
    expect(here.seen).toMatchObject({ published: ['evt_1'], deletes: [1] });
    expect(await here.left()).toBe(0);
  });

  it('in several commits of a request leaves it in one, before the request ends', async () => {
    await here.outbox.during(async () => {
      await here.emit('a');
      await here.emit('b');
      expect(here.seen).toMatchObject({ published: ['evt_1', 'evt_2'], deletes: [] });
    });
    expect(here.seen.deletes).toEqual([2]);
  });

  it('by requests side by side leaves it in one commit, before the last of them ends', async () => {
    const [first, second, third] = [request('a'), request('b'), request('c')];
    await Promise.all([first.hasEmitted, second.hasEmitted, third.hasEmitted]);
    expect(await second.end()).toBe('b');
    await first.end();
    expect(here.seen).toMatchObject({ deletes: [] });
    await third.end();
    expect(here.seen).toMatchObject({ deletes: [3] });
    expect(await here.left()).toBe(0);
  });

  it('also leaves it when the request fails', async () => {
    const failing = here.outbox.during(async () => {
      await here.emit('a');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(here.seen.deletes).toEqual([1]);
  });

  it('leaves it within a second, however long a request takes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const long = request('a');
    await long.hasEmitted;
    await vi.advanceTimersByTimeAsync(999);
    expect(here.seen.deletes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await vi.waitFor(() => expect(here.seen.deletes).toEqual([1]));
    await long.end();
    expect(here.seen.deletes).toEqual([1]);
  });

  it('never waits with more than a hundred', async () => {
    await here.outbox.during(async () => {
      for (let i = 0; i < 150; i += 1) await here.emit(`o-${i}`);
      expect(here.seen.deletes).toEqual([100]);
    });
    expect(here.seen.deletes).toEqual([100, 50]);
  });

  it('and could not be taken out is published again by the sweep; the request succeeds', async () => {
    here.seen.failDeletes = true;
    expect(await here.outbox.during(() => here.emit('a').then(() => 'done'))).toBe('done');
    here.seen.failDeletes = false;
    here.clock.advance(60_000);
    expect(await here.outbox.sweep()).toEqual({ published: 1 });
    expect(here.seen.published).toEqual(['evt_1', 'evt_1']);
    expect(await here.left()).toBe(0);
  });
});
