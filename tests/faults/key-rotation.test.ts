import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { Bus } from '#shared/events/bus.ts';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { createOutbox, type Outbox } from '#shared/events/outbox.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { sequentialIds } from '#shared/kernel/ids.ts';
import { type KeyRotationJobServices, renewEncryption } from '#shared/security/encryption/key-rotation.jobs.ts';
import { keyRotationCollection } from '#shared/security/encryption/key-rotation.schema.ts';
import {
  createKeyRotationService,
  type KeyRotationServiceOptions,
  settledAfter,
} from '#shared/security/encryption/key-rotation.service.ts';
import { tenantCollection } from '#shared/store/collection.ts';
import { databaseOn } from '#shared/store/database.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { encrypted, shreddable } from '#shared/store/encrypted-field.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { impersonalAudit } from '#tests/support/auditing.ts';
import { type Killer, killAt } from '#tests/support/crashing.ts';
import { countingManagement, encryptedDatabase } from '#tests/support/encryption.ts';

const notes = tenantCollection({
  name: 'notes',
  schema: z.object({
    author: z.string(),
    text: encrypted(z.string(), { index: 'exact' }),
    diary: shreddable('author', z.string()).optional(),
  }),
});
const cards = tenantCollection({ name: 'cards', schema: z.object({ number: encrypted(z.string()) }) });
const encryptedCollections = [notes, cards];
const { management } = countingManagement();
const actor = systemActor('acme', 'test');
const noteCount = 205;

const world = () => {
  const messages: DomainEvent[] = [];
  const bus: Bus = { publish: async (events) => void messages.push(...events), close: async () => undefined };
  return { driver: embeddedDriver(), bus, messages, clock: manualClock(), newId: sequentialIds() };
};
type World = ReturnType<typeof world>;

/** One process, with caches of its own, which may be killed. */
const processIn = ({ driver, bus, clock, newId }: World, killer?: Killer) => {
  const { database, keys, fields } = encryptedDatabase(
    (wrap) =>
      databaseOn(killer?.driver(driver) ?? driver, {
        now: clock.now,
        wrap,
        onCommitted: (events) => outbox.publish(events),
      }),
    { management, clock },
  );
  const outbox: Outbox = createOutbox({
    database,
    entries: database.platform(outboxCollection),
    bus: killer?.bus(bus) ?? bus,
    clock,
    logger: nullLogger,
  });
  const inboxEntries = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const run = createJobRunner({
    database,
    inbox: createInbox({ entries: inboxEntries, clock }),
    deadLetters: createDeadLetters({ database, letters, inbox: inboxEntries, clock }),
    logger: nullLogger,
  });
  const services = {
    database,
    keys,
    fields,
    clock,
    audit: impersonalAudit(database, clock),
    rotations: database.tenants(keyRotationCollection),
    encryptedCollections,
    makeEvent: eventMaker({ source: 'omni/test', clock, newId }),
  } satisfies KeyRotationJobServices & Pick<KeyRotationServiceOptions, 'database' | 'audit'>;
  return {
    outbox,
    keys,
    deliver: (event: DomainEvent) => run(renewEncryption, event, services),
    rotation: createKeyRotationService(services),
    notes: database.tenants(notes).of('acme'),
    cards: database.tenants(cards).of('acme'),
  };
};

const fill = async (there: World, count = noteCount): Promise<void> => {
  const { notes, cards } = processIn(there);
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      notes.create(`n${i}`, { author: 'ann', text: `text ${i}`, diary: `diary ${i}` }),
    ),
  );
  await cards.create('c', { number: '4242' });
};

/** Delivers every message until all are settled, as the bus does. */
const settle = async (there: World): Promise<void> => {
  for (let round = 0; round < 20; round += 1) {
    there.clock.advance(400_000);
    const alive = processIn(there);
    await alive.outbox.sweep();
    const before = there.messages.length;
    const outcomes: string[] = [];
    for (const event of [...there.messages]) outcomes.push(await alive.deliver(event));
    if (there.messages.length === before && outcomes.every((one) => one === 'done' || one === 'duplicate')) return;
  }
  throw new Error('It never settled.');
};

const keysInUse = async ({ driver }: World): Promise<Record<string, number>> => {
  const found: Record<string, number> = {};
  for (const name of ['notes', 'cards']) {
    const query = { where: [], orderBy: undefined, after: undefined, limit: 1_000 };
    for (const { data } of await driver.query(`tenants/acme/${name}`, query)) {
      for (const [, key = ''] of JSON.stringify(data).matchAll(/((?:fields)~\d+)\./g))
        found[key] = (found[key] ?? 0) + 1;
    }
  }
  return found;
};

const everythingReads = async (there: World, count = noteCount): Promise<void> => {
  const { notes, cards } = processIn(there);
  const ids = Array.from({ length: count }, (_, i) => i);
  const found = await notes.getMany(ids.map((i) => `n${i}`));
  expect(found.map((one) => one?.value)).toEqual(
    ids.map((i) => ({ author: 'ann', text: `text ${i}`, diary: `diary ${i}` })),
  );
  const where = [{ field: 'text', op: '==', value: 'text 3' } as const];
  expect((await notes.query({ where, limit: 5 })).items.map(({ id }) => id)).toEqual(['n3']);
  expect((await cards.get('c'))?.value).toEqual({ number: '4242' });
};

describe('a rotation', () => {
  it('walks through every collection page by page, says how far it is, and then lets the old key be destroyed', async () => {
    const there = world();
    await fill(there);
    const { rotation } = processIn(there);
    expect(await rotation.rotate(actor, 'fields')).toMatchObject({ id: 'fields~2', state: 'renewing' });
    await expect(rotation.rotate(actor, 'fields')).rejects.toMatchObject({ code: 'precondition-failed' });
    await everythingReads(there);
    const [first] = there.messages;
    if (first !== undefined) await processIn(there).deliver(first);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'renewing', documents: 100, renewed: 100 });
    await everythingReads(there);
    await expect(rotation.retire(actor, 'fields~2')).rejects.toMatchObject({ code: 'precondition-failed' });
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'renewed', documents: 206, renewed: 206 });
    expect(Object.keys(await keysInUse(there))).toEqual(['fields~2']);
    expect(await rotation.retire(actor, 'fields~2')).toMatchObject({ state: 'retiring' });
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'retired', documents: 206, renewed: 0 });
    expect((await rotation.list(actor))[0]?.versions.map(({ state }) => state)).toEqual(['current', 'destroyed']);
    await everythingReads(there);
  });

  it('renews what another instance wrote under the old key meanwhile, before it destroys that', async () => {
    const there = world();
    await fill(there, 5);
    const late = processIn(there);
    await late.keys.current('acme', 'fields');
    const { rotation } = processIn(there);
    await rotation.rotate(actor, 'fields');
    for (let i = 0; i < there.messages.length; i += 1) {
      const event = there.messages[i];
      if (event !== undefined) await processIn(there).deliver(event);
    }
    await late.cards.create('late', { number: '5555' });
    expect(await keysInUse(there)).toHaveProperty('fields~1', 1);
    await expect(rotation.retire(actor, 'fields~2')).rejects.toThrow('may be in use until');
    there.clock.advance(settledAfter);
    await rotation.retire(actor, 'fields~2');
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'retired', renewed: 1 });
    expect((await processIn(there).cards.get('late'))?.value).toEqual({ number: '5555' });
  });

  it('destroys nothing while a document cannot be read, and can be tried again', async () => {
    const there = world();
    await fill(there, 3);
    const { rotation } = processIn(there);
    await rotation.rotate(actor, 'fields');
    const key = { collection: 'tenants/acme/cards', id: 'bad' };
    await there.driver.commit([{ kind: 'create', key, content: { data: { number: 'enc1.x' }, fieldNames: [] } }]);
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'renewed', unreadable: 1 });
    await rotation.retire(actor, 'fields~2');
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'incomplete', unreadable: 1 });
    expect((await rotation.list(actor))[0]?.versions.map(({ state }) => state)).toEqual(['current', 'readable']);
    await there.driver.commit([{ kind: 'delete', key }]);
    await rotation.retire(actor, 'fields~2');
    await settle(there);
    expect(await rotation.get(actor, 'fields~2')).toMatchObject({ state: 'retired' });
  });

  it('does not lose what somebody changes while it runs', async () => {
    const there = world();
    await fill(there, 20);
    const { rotation } = processIn(there);
    await rotation.rotate(actor, 'fields');
    const writer = processIn(there).notes;
    const [first] = there.messages;
    await Promise.all([
      ...Array.from({ length: 20 }, (_, i) => writer.update(`n${i}`, { author: 'ann', text: `new ${i}` })),
      first && processIn(there).deliver(first),
    ]);
    await settle(there);
    const { items } = await processIn(there).notes.query({ limit: 50 });
    expect(items.map(({ value }) => value.text).sort()).toEqual(
      Array.from({ length: 20 }, (_, i) => `new ${i}`).sort(),
    );
    expect(Object.keys(await keysInUse(there))).toEqual(['fields~2']);
  });

  it.each(['before', 'after'] as const)('finishes after its worker was killed %s any of its calls', async (when) => {
    for (let nth = 1; ; nth += 1) {
      const there = world();
      await fill(there, 105);
      await processIn(there).rotation.rotate(actor, 'fields');
      const killer = killAt(nth, when);
      const [first] = there.messages;
      if (first === undefined) throw new Error('There is no first page.');
      await processIn(there, killer)
        .deliver(first)
        .catch(() => undefined);
      await settle(there);
      await processIn(there).rotation.retire(actor, 'fields~2');
      await settle(there);
      expect(await processIn(there).rotation.get(actor, 'fields~2')).toMatchObject({ state: 'retired', unreadable: 0 });
      await everythingReads(there, 105);
      expect(Object.keys(await keysInUse(there))).toEqual(['fields~2']);
      if (killer.calls() < nth) break;
      // One document's write is like another's: try the first ten and the last.
      if (nth === 14) nth = 100;
    }
  });
});
