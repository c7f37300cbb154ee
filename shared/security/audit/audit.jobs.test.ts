import { describe, expect, it } from 'vitest';
import { auditingOn, temporaryFolder } from '#tests/support/auditing.ts';
import { type Killer, killAt } from '#tests/support/crashing.ts';
import type { BlobStore } from '../../blobs/blobs.ts';
import { createDeadLetters, deadLetterCollection } from '../../events/dead-letters.ts';
import { eventMaker, type MakeEvent } from '../../events/define-event.ts';
import type { Job } from '../../events/define-job.ts';
import { createInbox, inboxCollection } from '../../events/inbox.ts';
import { createJobRunner } from '../../events/job-runner.ts';
import { systemActor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { newId } from '../../kernel/ids.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { nullLogger } from '../../telemetry/index.ts';
import { unknownCaller, userStatusChanged } from '../identity/identity.events.ts';
import { signInFailed, signInSucceeded } from '../sessions/session.events.ts';
import { exportDue, rootDue, sealDue, securityEvents } from './audit.events.ts';
import { type AuditJobServices, exportAudit, keepAuditRoot, recordSecurityEvent, sealAudit } from './audit.jobs.ts';

const folder = await temporaryFolder();
const auditor = systemActor('acme', 'auditor');

/** Blobs that die with their process. */
const mortal = (store: BlobStore, { step }: Pick<Killer, 'step'>): BlobStore => ({
  ...store,
  of: (tenant) => {
    const blobs = store.of(tenant);
    return {
      ...blobs,
      put: (...put) => step(() => blobs.put(...put)),
      read: (...read) => step(() => blobs.read(...read)),
    };
  },
});

/** What outlives every process. */
const world = () => {
  const own = `${folder}/${crypto.randomUUID()}`;
  const driver = embeddedDriver();
  const clock = manualClock();
  const lasting = auditingOn(databaseOn(driver, { now: clock.now }), own, { clock });
  const makeEvent: MakeEvent = eventMaker({ source: 'omni/test', clock, newId });

  const processIn = (killer?: Killer) => {
    const database = databaseOn(killer?.driver(driver) ?? driver, { now: clock.now });
    const { blobs, rootBlobs } = lasting;
    const auditing = auditingOn(database, own, {
      clock,
      blobs: killer === undefined ? blobs : mortal(blobs, killer),
      rootBlobs: killer === undefined ? rootBlobs : mortal(rootBlobs, killer),
    });
    const entries = database.platform(inboxCollection);
    const letters = database.platform(deadLetterCollection);
    const deadLetters = createDeadLetters({ database, letters, inbox: entries, clock });
    const run = createJobRunner({ database, inbox: createInbox({ entries, clock }), deadLetters, logger: nullLogger });
    const services: AuditJobServices = {
      ...auditing,
      tenants: { list: async () => ({ items: [], nextCursor: null }) },
      makeEvent,
      clock,
    };
    return (job: Job<AuditJobServices>, event: DomainEvent) => run(job, event, services);
  };

  /** A process dies on it, then the bus delivers it again, and again. */
  const survive = async (job: Job<AuditJobServices>, event: DomainEvent, killer: Killer): Promise<void> => {
    await processIn(killer)(job, event).catch(() => undefined);
    for (let i = 0; i < 3; i += 1) {
      clock.advance(700_000);
      await processIn()(job, event);
    }
  };
  return { ...lasting, makeEvent, survive };
};

/** Kills a process at its first call, its second, … until it lives to the end. */
const atEveryAwait = async (when: 'before' | 'after', work: (killer: Killer) => Promise<void>): Promise<number> => {
  for (let at = 1; at < 100; at += 1) {
    const killer = killAt(at, when);
    await work(killer);
    if (killer.calls() < at) return at - 1;
  }
  throw new Error('The work has no end.');
};

describe.each(['before', 'after'] as const)('a process that is killed just %s a call takes effect', (when) => {
  it('records a security event once, however often and late it comes', async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const { auditService, makeEvent, survive } = world();
      const data = { user: 'usr_1', session: 'ses_1', methods: ['pwd' as const], device: { ip: '192.0.2.9' } };
      await survive(
        recordSecurityEvent,
        makeEvent(signInSucceeded, { tenant: 'acme', subject: 'usr_1', data }),
        killer,
      );
      const { items } = await auditService.list(auditor, { limit: 10 });
      expect(items).toMatchObject([{ action: 'security.sign-in.succeeded', personal: data }]);
    });
    expect(tried).toBeGreaterThanOrEqual(3);
  });

  it('seals every entry once', async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const { auditService, record, makeEvent, survive } = world();
      for (let i = 0; i < 3; i += 1) await record(i);
      const data = { slot: '2026-01-01T00:05', round: 1 };
      await survive(sealAudit, makeEvent(sealDue, { tenant: 'acme', subject: 'acme', data }), killer);
      const verified = await auditService.verify(auditor, 0);
      expect(verified).toMatchObject({ intact: true, unsealed: 0, head: { sequence: 1, size: 3 } });
    });
    expect(tried).toBeGreaterThanOrEqual(4);
  });

  it("keeps one root of the day, which is the log's", async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const { auditService, auditRoots, record, makeEvent, survive } = world();
      await record(1);
      const due = { tenant: 'acme', subject: 'acme', data: { day: '2025-12-31' } };
      await survive(keepAuditRoot, makeEvent(rootDue, due), killer);
      expect(await auditRoots.all('acme')).toMatchObject([{ day: '2025-12-31', size: 1 }]);
      expect(await auditService.verify(auditor, 0)).toMatchObject({ intact: true, roots: 1 });
    });
    expect(tried).toBeGreaterThanOrEqual(6);
  });

  it('writes each part of an export once', async () => {
    const tried = await atEveryAwait(when, async (killer) => {
      const { auditService, sealer, record, makeEvent, survive } = world();
      for (let i = 0; i < 3; i += 1) await record(i);
      await sealer.seal('acme', 1);
      const { id } = await auditService.startExport(auditor, 0);
      const data = { export: id, part: 1 };
      await survive(exportAudit, makeEvent(exportDue, { tenant: 'acme', subject: id, data }), killer);
      const done = await auditService.getExport(auditor, id);
      expect(done).toMatchObject({ status: 'done', entries: 3, exported: 3, parts: [{ entries: 3 }] });
    });
    expect(tried).toBeGreaterThanOrEqual(5);
  });
});

describe('what an event becomes', () => {
  it.each(['user', 'key', 'system'] as const)('is the deed of a %s where the event says so', async (byKind) => {
    const { auditService, makeEvent, survive } = world();
    const data = { user: 'usr_1', by: 'somebody', byKind, status: 'disabled' } as const;
    const event = makeEvent(userStatusChanged, { tenant: 'acme', subject: 'usr_1', data });
    await survive(recordSecurityEvent, event, killAt(1, 'before'));
    const { items } = await auditService.list(auditor, { limit: 10 });
    expect(items).toMatchObject([{ actor: { kind: byKind, id: 'somebody' }, target: { id: 'usr_1' } }]);
  });

  it.each([{ by: 'usr_2' }, { by: 'usr_2', byKind: 'robot' }, { by: '', byKind: 'key' }])(
    'passes for a person’s where it is %j, which no event of today is',
    async (doer) => {
      const { auditService, makeEvent, survive } = world();
      const data = { user: 'usr_1', ...doer };
      const event = {
        ...makeEvent(securityEvents, { tenant: 'acme', subject: 'usr_1', data }),
        type: 'security.x.done',
      };
      await survive(recordSecurityEvent, event, killAt(1, 'before'));
      const { items } = await auditService.list(auditor, { limit: 10 });
      expect(items).toMatchObject([{ actor: { kind: 'user' } }]);
    },
  );

  const anonymous = { kind: 'anonymous', id: 'unknown' };

  it('is anonymous where it names nobody', async () => {
    const { auditService, makeEvent, survive } = world();
    const event = { ...makeEvent(securityEvents, { tenant: 'acme', subject: 'x', data: {} }), type: 'security.x.done' };
    await survive(recordSecurityEvent, event, killAt(1, 'before'));
    const { items } = await auditService.list(auditor, { limit: 10 });
    expect(items).toMatchObject([{ actor: anonymous, target: { id: 'x' } }]);
  });

  it('is anonymous where nobody is known to have done it, and keeps what it says encrypted', async () => {
    const { auditService, makeEvent, survive, rings } = world();
    const account = 'a'.repeat(64);
    const data = { account, ...unknownCaller, method: 'pwd', reason: 'unknown-account', device: {} } as const;
    const event = makeEvent(signInFailed, { tenant: 'acme', subject: 'a'.repeat(64), data });
    await survive(recordSecurityEvent, event, killAt(1, 'before'));
    const { items } = await auditService.list(auditor, { limit: 10 });
    expect(items).toMatchObject([{ actor: anonymous, outcome: 'failure', data: {}, personal: data }]);
    await rings.shred('acme', 'a'.repeat(64));
    expect((await auditService.list(auditor, { limit: 10 })).items).toMatchObject([{ personal: null, erased: true }]);
  });
});
