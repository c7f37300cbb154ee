import type { BlobStore } from '../../blobs/blobs.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/ids.ts';
import type { Database } from '../../store/store.ts';
import { createAuditExporter } from './audit.exporter.ts';
import { createAuditLog } from './audit.log.ts';
import { createAuditReader } from './audit.reader.ts';
import { createAuditRoots } from './audit.roots.ts';
import { createAuditSealer } from './audit.sealer.ts';
import { createAuditService } from './audit.service.ts';
import { auditEntryCollection } from './audit-entry.schema.ts';
import { auditExportCollection } from './audit-export.schema.ts';
import { auditHeadCollection, auditSegmentCollection } from './audit-segment.schema.ts';
import type { SubjectCipher } from './subject-cipher.ts';

export interface AuditingOptions {
  readonly database: Database;
  readonly cipher: SubjectCipher;
  /** For exports. */
  readonly blobs: BlobStore;
  /** For daily roots: in a bucket whose retention policy is locked. */
  readonly rootBlobs: BlobStore;
  readonly makeEvent: MakeEvent;
  readonly newId: NewId;
  readonly clock: Clock;
  /** Entries of one file of an export. 50,000 where absent. */
  readonly partSize?: number;
}

export const auditCollections = [
  auditEntryCollection,
  auditSegmentCollection,
  auditHeadCollection,
  auditExportCollection,
];

/** Everything that keeps, seals, proves and hands out the audit log. */
export const createAuditing = (options: AuditingOptions) => {
  const { database, cipher, blobs, rootBlobs, makeEvent, newId, clock, partSize } = options;
  const stores = {
    entries: database.tenants(auditEntryCollection),
    segments: database.tenants(auditSegmentCollection),
    heads: database.tenants(auditHeadCollection),
  };
  const auditExports = database.tenants(auditExportCollection);
  const reader = createAuditReader(stores);
  const roots = createAuditRoots({ blobs: rootBlobs, reader, clock });
  const audit = createAuditLog({ entries: stores.entries, cipher, newId, clock });
  return {
    audit,
    sealer: createAuditSealer({ ...stores, database, clock }),
    auditRoots: roots,
    auditExports,
    writeAuditPart: createAuditExporter({ reader, blobs, ...(partSize === undefined ? {} : { partSize }) }),
    auditService: createAuditService({
      database,
      entries: stores.entries,
      exports: auditExports,
      reader,
      roots,
      audit,
      cipher,
      blobs,
      makeEvent,
      newId,
      clock,
    }),
  };
};
export type Auditing = ReturnType<typeof createAuditing>;
