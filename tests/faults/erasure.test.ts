import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadFunctions } from '#scripts/lib/functions.ts';
import type { BlobStore } from '#shared/blobs/blobs.ts';
import { createLocalDiskBlobs } from '#shared/blobs/local-disk.ts';
import type { Bus } from '#shared/events/bus.ts';
import { createDeadLetters, deadLetterCollection } from '#shared/events/dead-letters.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import { createInbox, inboxCollection } from '#shared/events/inbox.ts';
import { createJobRunner } from '#shared/events/job-runner.ts';
import { createOutbox } from '#shared/events/outbox.ts';
import { manualClock } from '#shared/kernel/clock.ts';
import type { DomainEvent } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { erasureEvent } from '#shared/platform/erasure/erasure.jobs.ts';
import {
  type ErasureJobServices,
  erasureCollection,
  erasureJobs,
  tenantCollection,
  tombstoneCollection,
} from '#shared/platform/index.ts';
import { erasers } from '#shared/runtime/erasers.ts';
import { createAuditing } from '#shared/security/audit/auditing.ts';
import { keyEraser, subjectCipher } from '#shared/security/index.ts';
import { databaseOn } from '#shared/store/database.ts';
import type { Driver } from '#shared/store/driver.ts';
import { embeddedDriver } from '#shared/store/embedded.ts';
import { outboxCollection } from '#shared/store/outbox.collection.ts';
import { nullLogger } from '#shared/telemetry/index.ts';
import { type Killer, killAt } from '#tests/support/crashing.ts';
import { dumping } from '#tests/support/dump.ts';
import { countingManagement, encryptedDatabase } from '#tests/support/encryption.ts';

const { management } = countingManagement();
const collections = [
  ...new Map(
    (await loadFunctions()).flatMap(({ definition }) => definition.collections).map((one) => [one.name, one]),
  ).values(),
];
const now = '2026-01-01T00:00:00.000Z';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const world = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-erasure-'));
  folders.push(folder);
  const messages: DomainEvent[] = [];
  const bus: Bus = { publish: async (events) => void messages.push(...events), close: async () => undefined };
  const blobs = (name: string): BlobStore =>
    createLocalDiskBlobs({ root: join(folder, name), baseUrl: 'http://127.0.0.1:1/blobs', signingKey: 'of-tests' });
  return {
    driver: dumping(embeddedDriver()),
    bus,
    messages,
    clock: manualClock(),
    blobs: blobs('blobs'),
    locked: blobs('locked'),
  };
};
type World = Awaited<ReturnType<typeof world>>;

/** Deletions and lists of blobs count as calls to the outside too. */
const steppedBlobs = ({ blobs }: World, killer: Killer | undefined): BlobStore =>
  killer === undefined
    ? blobs
    : {
        ...blobs,
        of: (tenant) => {
          const inner = blobs.of(tenant);
          return {
            ...inner,
            list: (request) => killer.step(() => inner.list(request)),
            delete: (key, expected) => killer.step(() => inner.delete(key, expected)),
          };
        },
      };

const processIn = (there: World, killer?: Killer) => {
  const { driver, bus, clock, locked } = there;
  const { database, keys } = encryptedDatabase(
    (wrap) =>
      databaseOn(killer?.driver(driver) ?? driver, {
        now: clock.now,
        wrap,
        onCommitted: (events) => outbox.publish(events),
      }),
    { management, clock },
  );
  const entries = database.platform(outboxCollection);
  const outbox = createOutbox({ database, entries, bus: killer?.bus(bus) ?? bus, clock, logger: nullLogger });
  const inboxEntries = database.platform(inboxCollection);
  const letters = database.platform(deadLetterCollection);
  const run = createJobRunner({
    database,
    inbox: createInbox({ entries: inboxEntries, clock }),
    deadLetters: createDeadLetters({ database, letters, inbox: inboxEntries, clock }),
    logger: nullLogger,
  });
  const makeEvent = eventMaker({ source: 'omni/test', clock, newId });
  const blobs = steppedBlobs(there, killer);
  const { audit } = createAuditing({
    database,
    cipher: subjectCipher(keys),
    blobs,
    rootBlobs: locked,
    makeEvent,
    newId,
    clock,
  });
  const services: ErasureJobServices = {
    erasures: database.platform(erasureCollection),
    tenantRecords: database.platform(tenantCollection),
    tombstones: database.platform(tombstoneCollection),
    erasers,
    keyEraser,
    erasing: { database, blobs, makeEvent, clock },
    audit,
    makeEvent,
    clock,
  };
  const deliver = async (event: DomainEvent): Promise<string[]> => {
    const outcomes: string[] = [];
    for (const { job } of erasers) outcomes.push(await run(job, event, services));
    for (const job of erasureJobs) outcomes.push(await run(job, event, services));
    return outcomes.filter((one) => one !== 'ignored');
  };
  return { database, outbox, deliver, makeEvent, services };
};

/** As a document of any collection lies in the database: also one that no schema of today takes. */
const put = (driver: Driver, collection: string, id: string, data: Readonly<Record<string, string>>) =>
  driver.commit([{ kind: 'create', key: { collection, id }, content: { data, fieldNames: Object.keys(data) } }]);

const fill = async ({ driver, blobs, locked }: World, tenant: string, count = 3): Promise<void> => {
  for (const { name, scope } of collections) {
    for (let i = 0; i < count && scope === 'tenant'; i += 1) {
      await put(driver, `tenants/${tenant}/${name}`, `${name}-${i}`, { broken: 'no schema takes this' });
    }
  }
  for (const name of ['apiKeys', 'deadLetters', 'domainChecks', 'domainHosts', 'providerAccounts', 'webhookIntake']) {
    await put(driver, name, `${name}-of-${tenant}`, { tenant });
  }
  await put(driver, `tenants/${tenant}/unique`, 'hash', { kind: 'email', owner: 'usr_1' });
  for (const key of ['audit/exports/1.jsonl', 'files/a.csv', 'anything/else.bin']) {
    await blobs.of(tenant).put(key, 'x', { contentType: 'text/plain' });
  }
  await locked.of(tenant).put('audit/roots/2026-01-01.json', '{}', { contentType: 'application/json' });
};

const begin = async (there: World, tenant: string): Promise<void> => {
  const { database, makeEvent, services } = processIn(there);
  const record = {
    name: tenant,
    slug: tenant,
    formerSlugs: ['former'],
    status: 'erasing',
    settings: { corsOrigins: [], requestsPerMinute: 1, locale: 'en', timeZone: 'UTC', supportEmail: null },
    plan: { id: 'free', overrides: {} },
    restoreHashes: [],
    createdAt: now,
    updatedAt: now,
  } as const;
  await database.transaction((transaction) => {
    transaction.create(services.tenantRecords, tenant, {
      ...record,
      formerSlugs: ['former'],
      restoreHashes: [],
      settings: { ...record.settings, corsOrigins: [] },
    });
    transaction.create(services.erasures, tenant, { round: 1, done: [], requestedAt: now, startedAt: now });
    transaction.emit(erasureEvent(makeEvent, tenant, now, 1));
  });
};

/** Delivers until all is settled, as the bus does: each event until every job has acknowledged it. */
const settle = async (there: World): Promise<void> => {
  const acknowledged = new Set<string>();
  for (let round = 0; round < 30; round += 1) {
    there.clock.advance(700_000);
    const alive = processIn(there);
    await alive.outbox.sweep();
    const waiting = there.messages.filter(({ id }) => !acknowledged.has(id));
    if (waiting.length === 0) return;
    for (const event of waiting) {
      const outcomes = await alive.deliver(event);
      if (outcomes.every((one) => one === 'done' || one === 'duplicate')) acknowledged.add(event.id);
    }
  }
  throw new Error('It never settled.');
};

const pathsOf = async ({ driver }: World, tenant: string): Promise<string[]> =>
  [...(await driver.dump())]
    .filter(([path, data]) => path.startsWith(`tenants/${tenant}/`) || data.tenant === tenant)
    .map(([path]) => path);

const blobsOf = async ({ blobs }: World, tenant: string): Promise<number> =>
  (await blobs.of(tenant).list({ prefix: '', limit: 1_000 })).items.length;

const expectErased = async (there: World, before: readonly string[]): Promise<void> => {
  expect(await pathsOf(there, 'acme')).toEqual([]);
  expect(await blobsOf(there, 'acme')).toBe(0);
  expect(await pathsOf(there, 'rival')).toEqual(before);
  expect(await blobsOf(there, 'rival')).toBe(3);
  const { services } = processIn(there);
  expect(await services.tenantRecords.get('acme')).toBeUndefined();
  expect(await services.erasures.get('acme')).toBeUndefined();
  const tombstone = (await services.tombstones.get('acme'))?.value;
  expect(Object.keys(tombstone ?? {}).sort()).toEqual(['createdAt', 'erasedAt', 'requestedAt', 'slugHash']);
};

describe('the erasure of a tenant', () => {
  it('leaves nothing of it, whatever shape it has, and everything of others; locked roots stay', async () => {
    const there = await world();
    await fill(there, 'acme');
    await fill(there, 'rival');
    const before = await pathsOf(there, 'rival');
    expect(before.length).toBeGreaterThan(90);
    await begin(there, 'acme');
    await settle(there);
    await expectErased(there, before);
    expect((await there.locked.of('acme').list({ prefix: '', limit: 10 })).items).toHaveLength(1);
    const audited = [...(await there.driver.dump())].filter(([path]) => path.startsWith('tenants/-/auditEntries/'));
    expect(audited.map(([, data]) => data.action)).toEqual(['platform.tenant.erased']);
  });

  it('goes through more pages than one run does', async () => {
    const there = await world();
    for (let i = 0; i < 1_000; i += 1) {
      await put(there.driver, 'tenants/acme/predictions', `p${i}`, { broken: 'x' });
    }
    for (let i = 0; i < 150; i += 1) await there.blobs.of('acme').put(`files/${i}`, 'x', { contentType: 'text/plain' });
    await begin(there, 'acme');
    await settle(there);
    expect(await pathsOf(there, 'acme')).toEqual([]);
    expect(await blobsOf(there, 'acme')).toBe(0);
  });

  it('begins another round where something came back before the end', async () => {
    const there = await world();
    await fill(there, 'acme', 1);
    await begin(there, 'acme');
    const alive = processIn(there);
    for (let i = 0; i < there.messages.length; i += 1) {
      const event = there.messages[i];
      if (event?.type === 'platform.tenant.erasure-collected' && event.data.round === 1) {
        await put(there.driver, 'tenants/acme/messages', 'late', { broken: 'x' });
      }
      if (event !== undefined) await alive.deliver(event);
    }
    expect(there.messages.filter(({ type }) => type === 'platform.tenant.erasure-collected')).toHaveLength(2);
    expect(await pathsOf(there, 'acme')).toEqual([]);
  });

  it.each(['before', 'after'] as const)(
    'ends the same when a worker dies %s any of its calls',
    async (when) => {
      let calls = 0;
      for (let nth = when === 'before' ? 1 : 6; ; nth += 1) {
        const there = await world();
        await fill(there, 'acme', 1);
        await fill(there, 'rival', 1);
        const before = await pathsOf(there, 'rival');
        await begin(there, 'acme');
        const killer = killAt(nth, when);
        const mortal = processIn(there, killer);
        for (let i = 0; i < there.messages.length; i += 1) {
          const event = there.messages[i];
          if (event !== undefined) await mortal.deliver(event).catch(() => undefined);
        }
        await settle(there);
        await expectErased(there, before);
        calls = killer.calls();
        if (calls < nth) break;
        // The calls of one domain are like those of another: every eleventh place is tried, and each of the end.
        if (nth < calls - 25) nth += 10;
      }
      expect(calls).toBeGreaterThan(100);
    },
    120_000,
  );
});
