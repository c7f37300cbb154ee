import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Bus } from '#shared/events/bus.ts';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { defineEvent, eventMaker } from '#shared/events/define-event.ts';
import { defineJob, type Job } from '#shared/events/define-job.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner, type Outcome } from '#shared/events/job-runner.ts';
import { createOutbox, type Outbox } from '#shared/events/outbox.ts';
import { toMessage } from '#shared/events/pubsub.ts';
import { eventOfPush } from '#shared/events/push.ts';
import { type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { sequentialIds } from '#shared/kernel/ids.ts';
import { tenantCollection } from '#shared/store/collection.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import type { Database } from '#shared/store/store.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { type Killer, killAt } from '#tests/support/crashing.ts';

const orderData = z.object({ order: z.string(), amount: z.number() });
const orderPlaced = defineEvent('shop.order.placed', orderData);
const orderBooked = defineEvent('shop.order.booked', orderData);

const orders = tenantCollection({ name: 'orders', schema: z.object({ amount: z.number() }) });
const totals = tenantCollection({ name: 'totals', schema: z.object({ amount: z.number() }) });
const mails = tenantCollection({ name: 'mails', schema: z.object({ sent: z.number() }) });

/** What outlives every process: the database, the bus and the time. */
interface World {
  readonly driver: Driver;
  readonly bus: Bus;
  readonly messages: DomainEvent[];
  readonly clock: ManualClock;
  readonly newId: (prefix: string) => string;
}

const world = (): World => {
  const messages: DomainEvent[] = [];
  const driver = embeddedDriver();
  const bus: Bus = {
    publish: async (events) => {
      // Through the wire's own form, as Pub/Sub would deliver it.
      for (const event of events) {
        const { data, attributes } = toMessage(event);
        const message = { data: data.toString('base64'), attributes, messageId: '1', publishTime: event.time };
        messages.push(eventOfPush({ message }));
      }
    },
    close: async () => undefined,
  };
  return { driver, bus, messages, clock: manualClock(), newId: sequentialIds() };
};

/** One process in that world, which may be killed. */
const processIn = ({ driver, bus, clock, newId }: World, killer?: Killer) => {
  const database: Database = databaseOn(killer?.driver(driver) ?? driver, {
    now: clock.now,
    onCommitted: (events) => outbox.publish(events),
  });
  const outbox: Outbox = createOutbox({
    database,
    entries: database.platform(outboxCollection),
    bus: killer?.bus(bus) ?? bus,
    clock,
    logger: nullLogger,
  });
  const entries = database.platform(inboxCollection);
  const deadLetters = createDeadLetters({
    database,
    letters: database.platform(deadLetterCollection),
    inbox: entries,
    clock,
  });
  const run = createJobRunner({ database, inbox: createInbox({ entries, clock }), deadLetters, logger: nullLogger });
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  return {
    database,
    outbox,
    deadLetters,
    deliver: (job: Job<Services>, event: DomainEvent): Promise<Outcome> => run(job, event, { database, makeEvent }),
    place: (id: string, amount: number) =>
      database.transaction((transaction) => {
        transaction.create(database.tenants(orders).of('acme'), id, { amount });
        transaction.emit(makeEvent(orderPlaced, { tenant: 'acme', subject: id, data: { order: id, amount } }));
      }),
  };
};

interface Services {
  readonly database: Database;
  readonly makeEvent: ReturnType<typeof eventMaker>;
}

/** Adds up what was ordered, and says so. */
const book = defineJob({
  name: 'shop.book',
  on: [orderPlaced],
  handle: async ({ tenant, data, subject }, { commit }, { database, makeEvent }: Services) => {
    await database.tenants(orders).of(tenant).get(subject);
    await commit((transaction) => {
      transaction.increment(database.tenants(totals).of(tenant), 'all', { amount: data.amount });
      transaction.emit(makeEvent(orderBooked, { tenant, subject, data }));
    });
  },
});

const mail = defineJob({
  name: 'shop.mail',
  on: [orderBooked],
  handle: async ({ tenant, subject }, { commit }, { database }: Services) => {
    await commit((transaction) => transaction.increment(database.tenants(mails).of(tenant), subject, { sent: 1 }));
  },
});

const jobs = [book, mail];

/** Delivers every message to every job until each has settled it, as the bus does. */
const settle = async (
  there: World,
  order: (messages: DomainEvent[]) => DomainEvent[] = (all) => all,
): Promise<void> => {
  for (let round = 0; round < 10; round += 1) {
    there.clock.advance(120_000);
    const alive = processIn(there);
    await alive.outbox.sweep();
    const before = there.messages.length;
    const outcomes: Outcome[] = [];
    for (const event of order([...there.messages])) {
      for (const job of jobs) outcomes.push(await alive.deliver(job, event));
    }
    const settled = outcomes.every((outcome) => outcome !== 'retry' && outcome !== 'busy');
    if (settled && there.messages.length === before) return;
  }
  throw new Error('It never settled.');
};

const effectsIn = async (there: World) => {
  const { database } = processIn(there);
  const total = await database.tenants(totals).of('acme').get('all');
  const sent = await database.tenants(mails).of('acme').query({ limit: 100 });
  const placed = await database.tenants(orders).of('acme').query({ limit: 100 });
  const left = await database.platform(outboxCollection).query({ limit: 100 });
  return {
    total: total?.value.amount ?? 0,
    mails: sent.items.map(({ id, value }) => [id, value.sent]),
    orders: placed.items.length,
    outbox: left.items.length,
  };
};

/** Runs `work` in a process that is killed at its first call, its second, … until it lives to the end. */
const atEveryAwait = async (when: 'before' | 'after', work: (killer: Killer) => Promise<void>): Promise<number> => {
  for (let at = 1; at < 100; at += 1) {
    const killer = killAt(at, when);
    await work(killer);
    if (killer.calls() < at) return at - 1;
  }
  throw new Error('The work has no end.');
};

describe.each(['before', 'after'] as const)('a process that is killed just %s a call takes effect', (when) => {
  it('loses no event of what it committed, and makes none of what it did not', async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const there = world();
      await processIn(there, killer)
        .place('order-1', 5)
        .catch(() => undefined);
      await settle(there);
      const { orders: placed, ...effects } = await effectsIn(there);
      expect(effects).toEqual({ total: placed * 5, mails: placed === 1 ? [['order-1', 1]] : [], outbox: 0 });
    });
    expect(tried).toBeGreaterThanOrEqual(3);
  });

  it('has each effect of its job happen once, however often and in whatever order the event comes again', async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const there = world();
      await processIn(there).place('order-1', 5);
      await processIn(there).place('order-2', 7);
      const worker = processIn(there, killer);
      for (const event of [...there.messages]) await worker.deliver(book, event).catch(() => undefined);
      await settle(there, (messages) => messages.toReversed());
      await settle(there, (messages) => [...messages, ...messages, ...messages]);
      expect(await effectsIn(there)).toEqual({
        total: 12,
        mails: [
          ['order-1', 1],
          ['order-2', 1],
        ],
        orders: 2,
        outbox: 0,
      });
    });
    expect(tried).toBeGreaterThanOrEqual(5);
  });

  it('leaves a sweep that another sweep finishes', async () => {
    await atEveryAwait(when, async (killer) => {
      const there = world();
      const silent: World = { ...there, bus: { ...there.bus, publish: () => Promise.reject(new Error('down')) } };
      for (let i = 0; i < 5; i += 1) await processIn(silent).place(`order-${i}`, 1);
      there.clock.advance(60_000);
      await processIn(there, killer)
        .outbox.sweep()
        .catch(() => undefined);
      await settle(there);
      expect(await effectsIn(there)).toMatchObject({ total: 5, orders: 5, outbox: 0 });
    });
  });
});

describe('a lease', () => {
  const slowly = (during: () => Promise<void>) =>
    defineJob({
      name: 'shop.book',
      on: [orderPlaced],
      handle: async (event, context, services: Services) => {
        await during();
        await book.run(event, context, services);
      },
    });

  const placed = async () => {
    const there = world();
    await processIn(there).place('order-1', 5);
    const [event] = there.messages;
    if (event === undefined) throw new Error('nothing was published');
    return { there, event };
  };

  it('keeps a second worker away while the first one works', async () => {
    const { there, event } = await placed();
    const other = processIn(there);
    let meanwhile: Outcome | undefined;
    const first = slowly(async () => {
      meanwhile = await other.deliver(book, event);
    });
    expect(await processIn(there).deliver(first, event)).toBe('done');
    expect(meanwhile).toBe('busy');
    expect(await effectsIn(there)).toMatchObject({ total: 5 });
  });

  it('that ends under a live worker goes to another, and what the first then commits is refused', async () => {
    const { there, event } = await placed();
    const other = processIn(there);
    let meanwhile: Outcome | undefined;
    const zombie = slowly(async () => {
      there.clock.advance(600_000);
      meanwhile = await other.deliver(book, event);
    });
    expect(await processIn(there).deliver(zombie, event)).toBe('retry');
    expect(meanwhile).toBe('done');
    await settle(there);
    expect(await effectsIn(there)).toMatchObject({ total: 5, mails: [['order-1', 1]] });
  });

  it('is claimed by one of twenty workers at once', async () => {
    const { there, event } = await placed();
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => processIn(there).deliver(book, event)));
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(await effectsIn(there)).toMatchObject({ total: 5 });
  });

  it('survives a clock that steps back', async () => {
    const { there, event } = await placed();
    const failing = slowly(() => Promise.reject(new Error('not now')));
    expect(await processIn(there).deliver(failing, event)).toBe('retry');
    there.clock.advance(-3_600_000);
    expect(await processIn(there).deliver(book, event)).toBe('done');
  });
});

describe('a dead letter', () => {
  const failing = (error: Error) =>
    defineJob({
      name: 'shop.book',
      on: [orderPlaced],
      maxAttempts: 3,
      handle: (_event, _context, _services: Services) => Promise.reject(error),
    });

  const placed = async () => {
    const there = world();
    await processIn(there).place('order-1', 5);
    const [event] = there.messages;
    if (event === undefined) throw new Error('nothing was published');
    return { there, event };
  };

  it('is made after the last attempt, and a redrive runs the job again, once', async () => {
    const { there, event } = await placed();
    const job = failing(new Error('broken'));
    const outcomes: Outcome[] = [];
    for (let i = 0; i < 4; i += 1) outcomes.push(await processIn(there).deliver(job, event));
    expect(outcomes).toEqual(['retry', 'retry', 'dead', 'duplicate']);

    const { deadLetters } = processIn(there);
    const { items } = await deadLetters.list({ limit: 10 });
    expect(items).toMatchObject([{ job: 'shop.book', eventType: 'shop.order.placed', tenant: 'acme', attempts: 3 }]);
    await deadLetters.redrive(items[0]?.id ?? '');
    await settle(there);
    await settle(there);
    expect(await effectsIn(there)).toMatchObject({ total: 5, mails: [['order-1', 1]], outbox: 0 });
    expect((await deadLetters.list({ limit: 10 })).items).toEqual([]);
  });

  it('is made at once of an event that does not parse', async () => {
    const { there, event } = await placed();
    expect(await processIn(there).deliver(book, { ...event, data: { order: 7 } })).toBe('dead');
  });

  it('is made of an event on which its workers die, one after the other', async () => {
    const { there, event } = await placed();
    for (let i = 0; i < 3; i += 1) {
      const killer = killAt(Number.POSITIVE_INFINITY, 'before');
      const deadly = defineJob({
        name: 'shop.book',
        on: [orderPlaced],
        maxAttempts: 3,
        handle: async (_event, _context, _services: Services) => {
          killer.kill();
          throw new Error('killed');
        },
      });
      await expect(processIn(there, killer).deliver(deadly, event)).rejects.toThrow('killed');
      there.clock.advance(600_000);
    }
    expect(await processIn(there).deliver(failing(new Error('unused')), event)).toBe('dead');
  });

  it('says nothing of what was in the error', async () => {
    const { there, event } = await placed();
    const job = failing(new Error('ada@example.com'));
    for (let i = 0; i < 3; i += 1) await processIn(there).deliver(job, event);
    const { items } = await processIn(there).deadLetters.list({ limit: 10 });
    expect(items[0]?.reason).toBe('Error');
  });

  it('is gone before anybody forgets that the other jobs of its event are done', async () => {
    const { there, event } = await placed();
    const sibling = { ...book, name: 'shop.count' };
    expect(await processIn(there).deliver(sibling, event)).toBe('done');
    const job = failing(new Error('broken'));
    // As long as a job goes on trying.
    there.clock.advance(20 * 3_600_000);
    for (let i = 0; i < 3; i += 1) await processIn(there).deliver(job, event);
    const { items } = await processIn(there).deadLetters.list({ limit: 10 });
    there.clock.advance(13 * 86_400_000 - 1);
    expect(await processIn(there).deliver(sibling, event)).toBe('duplicate');
    there.clock.advance(1);
    await expect(processIn(there).deadLetters.redrive(items[0]?.id ?? '')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('that does not exist can not be redriven', async () => {
    await expect(processIn(world()).deadLetters.redrive('none')).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('the outbox', () => {
  it('lets one entry that does not parse hold up no other', async () => {
    const there = world();
    const { database, outbox } = processIn(there);
    const entries = database.platform(outboxCollection);
    await entries.create('broken', { committedAt: '2025-12-31T00:00:00.000Z', event: '{"no":"event"}' });
    const silent: World = { ...there, bus: { ...there.bus, publish: () => Promise.reject(new Error('down')) } };
    await processIn(silent).place('order-1', 5);
    there.clock.advance(60_000);
    expect(await outbox.sweep()).toEqual({ published: 1 });
    expect(there.messages).toHaveLength(1);
  });

  it('shares a publication and a deletion among concurrent commits', async () => {
    const there = world();
    const counting = killAt(Number.POSITIVE_INFINITY, 'before');
    const process = processIn(there, counting);
    await Promise.all(Array.from({ length: 50 }, (_, i) => process.place(`order-${i}`, 1)));
    expect(there.messages).toHaveLength(50);
    // Fifty commits, and a handful of publications and deletions rather than a hundred.
    expect(counting.calls()).toBeLessThan(70);
  });
});

describe('an event that the bus refuses', () => {
  const refusing = (there: World, refused: (event: DomainEvent) => boolean): World => ({
    ...there,
    bus: {
      ...there.bus,
      publish: async (events) => {
        if (events.some(refused)) throw new OmniError('unavailable', 'Not this one.');
        await there.bus.publish(events);
      },
    },
  });

  it('holds up no other, and stays', async () => {
    const there = refusing(world(), ({ subject }) => subject === 'order-2');
    for (const id of ['order-1', 'order-2', 'order-3']) {
      await processIn(refusing(there, () => true)).place(id, 1);
    }
    there.clock.advance(120_000);
    expect(await processIn(there).outbox.sweep()).toEqual({ published: 2 });
    expect(there.messages.map(({ subject }) => subject).sort()).toEqual(['order-1', 'order-3']);
    expect((await effectsIn(there)).outbox).toBe(1);
  });

  it('makes the sweep fail where it is all of them, so that its timer tries again', async () => {
    const there = refusing(world(), () => true);
    await processIn(there).place('order-1', 1);
    there.clock.advance(120_000);
    await expect(processIn(there).outbox.sweep()).rejects.toMatchObject({ code: 'unavailable' });
  });
});
