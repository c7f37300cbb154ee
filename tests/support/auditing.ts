import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { BlobStore } from '#shared/blobs/blobs.ts';
import { createLocalDiskBlobs } from '#shared/blobs/local-disk.ts';
import { eventMaker } from '#shared/events/define-event.ts';
import { type Clock, type ManualClock, manualClock } from '#shared/kernel/clock.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type AuditActor, type AuditLog, createAuditLog } from '#shared/security/audit/audit.log.ts';
import { auditEntryCollection } from '#shared/security/audit/audit-entry.schema.ts';
import { createAuditing } from '#shared/security/audit/auditing.ts';
import { subjectCipher } from '#shared/security/audit/subject-cipher.ts';
import { keyRingCollection } from '#shared/security/encryption/data-key.schema.ts';
import { createKeyRings } from '#shared/security/encryption/key-rings.ts';
import { localKeyFile } from '#shared/security/encryption/local-key-file.ts';
import type { Database } from '#shared/store/store.ts';

export const admin: AuditActor = { tenant: 'acme', kind: 'user', id: 'usr_admin' };

/** A folder that is gone after the file's last test. */
export const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'omni-audit-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

export const diskBlobs = (folder: string, name: string): BlobStore =>
  createLocalDiskBlobs({ root: join(folder, name), baseUrl: 'http://127.0.0.1:1/blobs', signingKey: 'of-tests' });

/** The log alone, of services that tell it nothing personal. */
export const impersonalAudit = (database: Database, clock: Clock): AuditLog =>
  createAuditLog({
    entries: database.tenants(auditEntryCollection),
    cipher: { seal: () => Promise.reject(new Error('This names nobody.')) },
    newId,
    clock,
  });

/** The whole of auditing over a database, with real keys. */
export const auditingOn = (
  database: Database,
  folder: string,
  options: { clock?: ManualClock; partSize?: number; blobs?: BlobStore; rootBlobs?: BlobStore } = {},
) => {
  const { clock = manualClock(), partSize } = options;
  const management = localKeyFile(join(folder, 'keys.json'));
  const rings = createKeyRings({ rings: database.tenants(keyRingCollection), management, clock });
  const blobs = options.blobs ?? diskBlobs(folder, 'blobs');
  const rootBlobs = options.rootBlobs ?? diskBlobs(folder, 'roots');
  const auditing = createAuditing({
    database,
    cipher: subjectCipher(rings),
    blobs,
    rootBlobs,
    makeEvent: eventMaker({ source: 'omni/test', clock, newId }),
    newId,
    clock,
    ...(partSize === undefined ? {} : { partSize }),
  });
  /** One deed, in a transaction of its own. */
  const record = (number: number, actor: AuditActor = admin): Promise<string> =>
    database.transaction((transaction) =>
      auditing.audit.record(transaction, actor, {
        action: number % 2 === 0 ? 'shop.order.placed' : 'shop.order.cancelled',
        target: { type: 'order', id: `order-${number % 3}` },
        outcome: 'success',
        data: { number },
        personal: { name: `Ada ${number}` },
        ip: '192.0.2.7',
      }),
    );
  return { ...auditing, record, rings, blobs, rootBlobs, clock };
};
