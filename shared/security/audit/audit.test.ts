import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyExport } from '#scripts/lib/audit/verify-export.ts';
import { admin, auditingOn, temporaryFolder } from '#tests/support/auditing.ts';
import { killAt } from '#tests/support/crashing.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { systemActor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import type { Driver } from '../../store/driver.ts';
import { embeddedDatabase, embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import type { AuditVerification } from './audit.service.ts';
import { auditEntryCollection } from './audit-entry.schema.ts';
import { auditHeadCollection, auditSegmentCollection, genesis, headId, segmentId } from './audit-segment.schema.ts';

const folder = await temporaryFolder();
const actor = systemActor('acme', 'auditor');
const never = new AbortController().signal;

const start = (database: Database = embeddedDatabase({}), partSize?: number) => {
  const clock = manualClock();
  const rootBlobs = auditingOn(database, `${folder}/${crypto.randomUUID()}`).rootBlobs;
  return { database, ...auditingOn(database, folder, { clock, rootBlobs, ...(partSize ? { partSize } : {}) }) };
};
type Log = ReturnType<typeof start>;

/** Segments of the given sizes. */
const fill = async (log: Log, sizes: readonly number[]): Promise<void> => {
  let number = 0;
  for (const size of sizes) {
    for (let i = 0; i < size; i += 1) {
      log.clock.advance(1);
      await log.record(number);
      number += 1;
    }
    await log.sealer.seal('acme', 10);
  }
};

/** Page by page to the end, or to the first problem. */
const verifyAll = async (log: Pick<Log, 'auditService'>): Promise<AuditVerification> => {
  for (let after = 0; ; ) {
    const page = await log.auditService.verify(actor, after);
    if (page.next === null) return page;
    after = page.next;
  }
};

const exportAll = async ({ auditService, writeAuditPart, auditExports, blobs }: Log) => {
  const { id } = await auditService.startExport(actor, 0);
  const store = auditExports.of('acme');
  const files: { name: string; body: string }[] = [];
  for (let more = true; more; ) {
    const stored = await store.get(id);
    if (stored === undefined) throw new Error('There is no export.');
    const { value } = stored;
    const { part, unsealed } = await writeAuditPart('acme', id, value, never);
    await store.update(id, { ...value, next: part.to, unsealed, parts: [...value.parts, part] });
    files.push({ name: part.key, body: await text((await blobs.of('acme').read(part.key)).body) });
    more = part.to < value.until.sequence;
  }
  return files;
};

const asFiles = (bodies: readonly string[]) =>
  bodies.map((body, i) => ({
    name: `part-${i + 1}`,
    lines: (async function* () {
      yield* body.split('\n').filter((line) => line !== '');
    })(),
  }));

describe('the log', () => {
  it('keeps what was done, by whom and how it ended, newest first and found by any filters', async () => {
    const log = start();
    await fill(log, [6]);
    const { items } = await log.auditService.list(actor, { limit: 10 });
    expect(items.map(({ data }) => data.number)).toEqual([5, 4, 3, 2, 1, 0]);
    expect(items[0]).toMatchObject({
      actor: { kind: 'user', id: 'usr_admin' },
      action: 'shop.order.cancelled',
      target: { type: 'order', id: 'order-2' },
      outcome: 'success',
      personal: { name: 'Ada 5', ip: '192.0.2.7' },
      erased: false,
      segment: 1,
    });
    const filter = { actor: 'usr_admin', action: 'shop.order.placed', target: 'order-1', limit: 10 };
    const found = await log.auditService.list(actor, { ...filter, from: items[3]?.at, to: items[0]?.at });
    expect(found.items.map(({ data }) => data.number)).toEqual([4]);
    expect(await log.auditService.get(actor, items[0]?.id ?? '')).toEqual(items[0]);
  });

  it('has an entry where the deed is done, and none where it is not', async () => {
    const log = start();
    const failing = log.database.transaction(async (transaction) => {
      await log.audit.record(transaction, admin, { action: 'x', target: { type: 'x', id: '1' }, outcome: 'success' });
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect((await log.auditService.list(actor, { limit: 10 })).items).toEqual([]);
  });

  it('names data that is too long by its hash, and fails nothing for it', async () => {
    const log = start();
    await log.database.transaction((transaction) =>
      log.audit.record(transaction, admin, {
        action: 'x',
        target: { type: 'x', id: '1' },
        outcome: 'success',
        data: { text: 'x'.repeat(100_000) },
      }),
    );
    const { items } = await log.auditService.list(actor, { limit: 1 });
    expect(items[0]?.data).toMatchObject({ omitted: 'too long', length: 100_011 });
  });
});

describe('sealing', () => {
  it('chains what is pending, and counts what is not sealed yet', async () => {
    const log = start();
    await fill(log, [3, 1, 5]);
    await log.record(100);
    const page = await verifyAll(log);
    expect(page).toMatchObject({ intact: true, problem: null, to: 3, entries: 9, next: null, unsealed: 1 });
    expect(page.head).toMatchObject({ sequence: 3, size: 9 });
  });

  it('has nothing to say of an empty log', async () => {
    const page = await verifyAll(start());
    expect(page).toMatchObject({ intact: true, to: 0, entries: 0, unsealed: 0, head: { sequence: 0, size: 0 } });
  });

  it('cuts a long backlog into segments, which are verified page by page', async () => {
    const log = start();
    for (let i = 0; i < 2_400; i += 1) await log.record(i);
    expect(await log.sealer.seal('acme', 4)).toEqual({ entries: 1_024, more: true });
    expect(await log.sealer.seal('acme', 40)).toEqual({ entries: 1_376, more: false });
    const first = await log.auditService.verify(actor, 0);
    expect(first).toMatchObject({ intact: true, to: 8, entries: 2_048, next: 8 });
    expect(await log.auditService.verify(actor, 8)).toMatchObject({ intact: true, to: 10, entries: 352, next: null });
  });

  it.each(['embedded', 'Firestore'])(
    'has twenty writers and sealers make one chain (%s)',
    async (kind) => {
      const log = start(kind === 'Firestore' ? testDatabase() : undefined);
      const writers = Array.from({ length: 20 }, async (_, writer) => {
        for (let i = 0; i < 5; i += 1) await log.record(writer * 5 + i, { ...admin, id: `usr_${writer}` });
      });
      const sealers = Array.from({ length: 4 }, async () => {
        for (let i = 0; i < 3; i += 1) await log.sealer.seal('acme', 2).catch(() => undefined);
      });
      await Promise.all([...writers, ...sealers]);
      await log.sealer.seal('acme', 10);
      expect(await verifyAll(log)).toMatchObject({ intact: true, unsealed: 0, head: { size: 100 } });
      const sealed = await log.database.tenants(auditSegmentCollection).of('acme').query({ limit: 100 });
      expect(new Set(sealed.items.flatMap(({ value }) => value.ids)).size).toBe(100);
    },
    60_000,
  );

  it.each(['before', 'after'] as const)('survives a kill just %s any of its calls takes effect', async (when) => {
    let tried = 0;
    for (let at = 1; at < 40; at += 1) {
      const driver = embeddedDriver();
      const log = start(databaseOn(driver, {}));
      await fill(log, [2]);
      await log.record(7);
      await log.record(8);
      const killer = killAt(at, when);
      const dying = start(databaseOn(killer.driver(driver), {}));
      await dying.sealer.seal('acme', 10).catch(() => undefined);
      expect((await verifyAll(log)).intact).toBe(true);
      await log.sealer.seal('acme', 10);
      expect(await verifyAll(log)).toMatchObject({ intact: true, unsealed: 0, head: { size: 4 } });
      if (killer.calls() < at) break;
      tried = at;
    }
    expect(tried).toBeGreaterThanOrEqual(4);
  });

  it('builds nothing on an end that is damaged', async () => {
    const log = start();
    await fill(log, [2]);
    const store = log.database.tenants(auditSegmentCollection).of('acme');
    const stored = await store.get(segmentId(1));
    if (stored === undefined) throw new Error('no segment');
    await store.update(segmentId(1), { ...stored.value, size: 3 });
    await log.record(9);
    await expect(log.sealer.seal('acme', 1)).rejects.toMatchObject({ code: 'stored-data-invalid' });
  });
});

/** What an intruder with full access to the database may do to a log of segments of 3, 2 and 4 entries. */
const attacks = {
  'changes an entry': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditEntryCollection).of('acme');
    const { items } = await store.query({
      where: [{ field: 'segment', op: '>', value: 0 }],
      orderBy: { field: 'segment', order: 'asc' },
      limit: 20,
    });
    const chosen = items[n % items.length];
    const value = chosen?.value;
    if (chosen === undefined || value === undefined) throw new Error('no entry');
    const changes = [
      { ...value, action: 'shop.order.forged' },
      { ...value, actor: { ...value.actor, id: 'usr_other' } },
      { ...value, outcome: 'failure' as const },
      { ...value, data: '{}' },
      { ...value, personal: null },
      { ...value, at: '2020-01-01T00:00:00.000Z' },
      { ...value, segment: 0 },
      { ...value, segment: (value.segment % 3) + 1 },
      { ...value, segment: 77 },
    ];
    await store.update(chosen.id, changes[n % changes.length] ?? value);
  },
  'deletes an entry': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditEntryCollection).of('acme');
    const { items } = await store.query({
      where: [{ field: 'segment', op: '>', value: 0 }],
      orderBy: { field: 'segment', order: 'asc' },
      limit: 20,
    });
    await store.delete(items[n % items.length]?.id ?? '');
  },
  'puts an entry in': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditEntryCollection).of('acme');
    const { items } = await store.query({ limit: 1 });
    const [some] = items;
    if (some !== undefined) await store.create('aud_forged', { ...some.value, segment: (n % 4) + 1 });
  },
  'swaps two entries': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditSegmentCollection).of('acme');
    const id = segmentId((n % 3) + 1);
    const value = (await store.get(id))?.value;
    if (value !== undefined) {
      await store.update(id, { ...value, ids: value.ids.toReversed(), hashes: value.hashes.toReversed() });
    }
  },
  'swaps two segments': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditSegmentCollection).of('acme');
    const [a, b] = [segmentId((n % 3) + 1), segmentId(((n + 1) % 3) + 1)];
    const [one, other] = await store.getMany([a, b]);
    if (one === undefined || other === undefined) throw new Error('no segments');
    await store.update(a, { ...other.value, sequence: one.value.sequence });
    await store.update(b, { ...one.value, sequence: other.value.sequence });
  },
  'changes a segment': async ({ database }: Log, n: number) => {
    const store = database.tenants(auditSegmentCollection).of('acme');
    const id = segmentId((n % 3) + 1);
    const value = (await store.get(id))?.value;
    if (value === undefined) throw new Error('no segment');
    const changes = [
      { ...value, sealedAt: '2020-01-01T00:00:00.000Z' },
      { ...value, previous: '0'.repeat(64) },
      { ...value, root: '0'.repeat(64) },
      { ...value, tree: '0'.repeat(64) },
      { ...value, size: value.size + 1 },
      { ...value, hash: '0'.repeat(64) },
      { ...value, frontier: value.frontier.map(() => '0'.repeat(64)) },
      { ...value, ids: value.ids.slice(1), hashes: value.hashes.slice(1) },
    ];
    await store.update(id, changes[n % changes.length] ?? value);
  },
  'deletes a segment': ({ database }: Log, n: number) =>
    database
      .tenants(auditSegmentCollection)
      .of('acme')
      .delete(segmentId((n % 3) + 1)),
  'cuts off the end': async ({ database }: Log) => {
    const entries = database.tenants(auditEntryCollection).of('acme');
    const { items } = await entries.query({ where: [{ field: 'segment', op: '==', value: 3 }], limit: 20 });
    for (const { id } of items) await entries.delete(id);
    const segments = database.tenants(auditSegmentCollection).of('acme');
    await segments.delete(segmentId(3));
    const kept = (await segments.get(segmentId(2)))?.value ?? genesis;
    const { sequence, size, hash } = kept;
    await database.tenants(auditHeadCollection).of('acme').update(headId, { sequence, size, hash });
  },
  'empties the log': async ({ database }: Log) => {
    for (const store of [
      database.tenants(auditEntryCollection).of('acme'),
      database.tenants(auditSegmentCollection).of('acme'),
      database.tenants(auditHeadCollection).of('acme'),
    ]) {
      for (const { id } of (await store.query({ limit: 100 })).items) await store.delete(id);
    }
  },
};

describe('an intruder who', () => {
  it.each(Object.entries(attacks))('%s is found out', async (_name, attack) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000), async (n) => {
        const log = start();
        await fill(log, [3, 2, 4]);
        await log.auditRoots.keep('acme', '2026-01-01');
        expect((await verifyAll(log)).intact).toBe(true);
        await attack(log, n);
        expect(await verifyAll(log)).toMatchObject({ intact: false, problem: { code: expect.any(String) } });
      }),
      { numRuns: 12, seed: 7 },
    );
  });

  it('rewrites the whole log consistently is given away by the roots of days alone', async () => {
    const log = start();
    await fill(log, [3, 2]);
    await log.auditRoots.keep('acme', '2026-01-01');
    await attacks['empties the log'](log);
    await fill(log, [3, 2]);
    expect((await verifyAll(log)).problem).toMatchObject({ code: 'root-mismatch', segment: 2 });
  });

  it('changes an entry is told its id', async () => {
    const log = start();
    await fill(log, [3, 2]);
    const store = log.database.tenants(auditEntryCollection).of('acme');
    const { items } = await log.auditService.list(actor, { limit: 10 });
    const [target] = items;
    const value = (await store.get(target?.id ?? ''))?.value;
    if (target === undefined || value === undefined) throw new Error('no entry');
    await store.update(target.id, { ...value, data: '{"number":666}' });
    expect((await verifyAll(log)).problem).toMatchObject({ code: 'entry-changed', segment: 2, entry: target.id });
    const [file] = await exportAll(log);
    expect(await verifyExport(asFiles([file?.body ?? '']))).toMatchObject({ found: { entry: target.id } });
  });
});

describe('the root of a day', () => {
  it('is written once, and a second attempt finds it', async () => {
    const log = start();
    await fill(log, [3]);
    const first = await log.auditRoots.keep('acme', '2026-01-01');
    await fill(log, [2]);
    expect(await log.auditRoots.keep('acme', '2026-01-01')).toEqual(first);
    expect(await log.auditRoots.keep('acme', '2026-01-02')).toMatchObject({ sequence: 2, size: 5 });
    expect(await verifyAll(log)).toMatchObject({ intact: true, roots: 2 });
    expect((await log.auditRoots.all('acme')).map(({ day }) => day)).toEqual(['2026-01-01', '2026-01-02']);
  });

  it('is none of an empty log', async () => {
    expect(await start().auditRoots.keep('acme', '2026-01-01')).toBeUndefined();
  });

  it('refuses to stand for another log', async () => {
    const log = start();
    await fill(log, [3]);
    await log.auditRoots.keep('acme', '2026-01-01');
    await attacks['empties the log'](log);
    await fill(log, [4]);
    await expect(log.auditRoots.keep('acme', '2026-01-01')).rejects.toMatchObject({ code: 'stored-data-invalid' });
  });
});

describe('erasing a person', () => {
  it('leaves the chain whole and nothing of them to be read', async () => {
    const log = start();
    await fill(log, [3, 2]);
    log.clock.advance(1);
    await log.record(5, { ...admin, id: 'usr_other' });
    await log.sealer.seal('acme', 1);
    await log.auditRoots.keep('acme', '2026-01-01');
    await log.rings.shred('acme', 'usr_admin');
    const { items } = await log.auditService.list(actor, { limit: 10 });
    expect(items.map(({ personal, erased }) => [personal?.name ?? null, erased])).toEqual([
      ['Ada 5', false],
      ...Array.from({ length: 5 }, () => [null, true]),
    ]);
    expect(await verifyAll(log)).toMatchObject({ intact: true, roots: 1 });
    const [file] = await exportAll(log);
    expect(file?.body).not.toContain('Ada');
    expect(await verifyExport(asFiles([file?.body ?? '']))).toMatchObject({ entries: 6 });
  });

  it('lets what they do afterwards be recorded, without what is personal', async () => {
    const log = start();
    await log.rings.shred('acme', 'usr_admin');
    await log.record(1);
    const { items } = await log.auditService.list(actor, { limit: 10 });
    expect(items[0]).toMatchObject({ personal: null, erased: true, data: { number: 1 } });
  });
});

describe('an export', () => {
  it('comes in files that are whole by themselves and together', async () => {
    const log = start(undefined, 4);
    await fill(log, [3, 2, 4, 1]);
    await log.record(77);
    const files = await exportAll(log);
    expect(files).toHaveLength(3);
    const bodies = files.map(({ body }) => body);
    const root = await log.auditRoots.keep('acme', '2026-01-01');
    const report = await verifyExport(asFiles(bodies), root === undefined ? [] : [root]);
    expect(report).toMatchObject({ tenant: 'acme', after: 0, to: 4, entries: 10, unsealed: 2, roots: 1 });
    expect(await verifyExport(asFiles(bodies.slice(1)))).toMatchObject({ after: 2, to: 4, entries: 5 });
    for (const wrong of [bodies.slice(0, 2), bodies.toReversed(), [bodies[0] ?? '', bodies[2] ?? ''], ['']]) {
      expect((await verifyExport(asFiles(wrong))).problem).toBeDefined();
    }
  });

  it('shows every change of a line, and every line that is lost, doubled or moved', async () => {
    const log = start();
    await fill(log, [3, 2, 4]);
    const [file] = await exportAll(log);
    // What is not sealed is not proven.
    const lines = file?.body.split('\n').filter((line) => line !== '' && !line.startsWith('{"kind":"unsealed"')) ?? [];
    expect(await verifyExport(asFiles([lines.join('\n')]))).toMatchObject({ entries: 9 });
    const at = fc.nat(lines.length - 1);
    const edit = fc.oneof(
      at.map((i) => lines.toSpliced(i, 1)),
      fc.tuple(at, at).map(([i, j]) => lines.toSpliced(i, 0, lines[j] ?? '')),
      fc.tuple(at, fc.nat(200)).map(([i, j]) => {
        const line = lines[i] ?? '';
        const place = j % line.length;
        const other = line[place] === '7' ? '8' : '7';
        return lines.with(i, line.slice(0, place) + other + line.slice(place + 1));
      }),
    );
    await fc.assert(
      fc.asyncProperty(edit, async (edited) => {
        // Header fields that say nothing of the log may change: the format's name is checked, the part's number is not.
        const told = edited.map((line) => line.replace(/"part":\d+/, '"part":1')).join('\n');
        const untouched = told === lines.join('\n');
        expect((await verifyExport(asFiles([told]))).problem === undefined).toBe(untouched);
      }),
      { numRuns: 300, seed: 11 },
    );
  });
});

describe('what an entry costs', () => {
  it('is one write when it is made, two and a little in all', async () => {
    let [reads, writes, commits] = [0, 0, 0];
    const inner = embeddedDriver();
    const driver: Driver = {
      ...inner,
      get: async (keys) => {
        reads += keys.length;
        return inner.get(keys);
      },
      query: async (collection, query) => {
        const found = await inner.query(collection, query);
        reads += Math.max(1, found.length);
        return found;
      },
      transaction: (work) =>
        inner.transaction(async (reader) => {
          const outcome = await work(reader);
          writes += outcome.writes.length;
          commits += 1;
          return outcome;
        }),
    };
    const log = start(databaseOn(driver, {}));
    await log.record(0);
    [reads, writes, commits] = [0, 0, 0];
    for (let i = 1; i < 256; i += 1) await log.record(i);
    expect([reads, writes, commits]).toEqual([0, 255, 255]);
    await log.sealer.seal('acme', 1);
    expect([writes - 255, commits - 255]).toEqual([258, 1]);
    expect(reads).toBeLessThan(260);
  });
});
