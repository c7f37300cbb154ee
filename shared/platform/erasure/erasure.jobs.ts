import { domainErased, type Eraser, type Erasing, tenantErasureDue } from '../../erasure/index.ts';
import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { type DomainEvent, platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import { sha256 } from '../../kernel/json.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Store } from '../../store/store.ts';
import { slugReservation, type Tenant, type Tombstone } from '../tenants/tenant.schema.ts';
import { type Erasure, erasureCollected } from './erasure.schema.ts';

export interface ErasureJobServices {
  readonly erasures: Store<Erasure>;
  readonly tenantRecords: Store<Tenant>;
  readonly tombstones: Store<Tombstone>;
  /** Of every domain. */
  readonly erasers: readonly Eraser[];
  /** Of the keys under which the rest was encrypted: destroyed when nothing else is left. */
  readonly keyEraser: Eraser;
  readonly erasing: Erasing & { readonly makeEvent: MakeEvent };
  readonly audit: AuditLog;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

/** Always the same for the same round. */
export const erasureEvent = (makeEvent: MakeEvent, tenant: string, startedAt: string, round: number): DomainEvent =>
  makeEvent(tenantErasureDue, {
    id: derivedId('evt', 'erasure-due', tenant, startedAt, String(round)),
    tenant,
    subject: tenant,
    data: { scope: { kind: 'tenant' }, round },
  });

/** Collects what the domains say. */
export const noteErased = defineJob({
  name: 'platform.note-erased',
  on: [domainErased],
  maxAttempts: 20,
  handle: async ({ tenant, data }, { commit }, { erasures, erasers, makeEvent }: ErasureJobServices) => {
    const { round, domain } = data;
    await commit(async (transaction) => {
      const erasure = await transaction.get(erasures, tenant);
      if (erasure?.value.round !== round) return;
      const done = [...new Set([...erasure.value.done, domain])];
      transaction.update(erasures, tenant, { ...erasure.value, done }, { revision: erasure.revision });
      if (!erasers.every((one) => done.includes(one.domain))) return;
      const id = derivedId('evt', 'erasure-collected', tenant, erasure.value.startedAt, String(round));
      transaction.emit(makeEvent(erasureCollected, { id, tenant, subject: tenant, data: { round } }));
    });
  },
});

/** Whether anything had come back: a message that was under way, an instance that knew of nothing yet. */
const sweepAll = async ({ erasers, erasing }: ErasureJobServices, tenant: string): Promise<boolean> => {
  const found = await Promise.all(erasers.map((eraser) => eraser.sweep(erasing, tenant)));
  return found.includes(true);
};

/** Looks everywhere once more, destroys the keys, and puts the tombstone in the tenant's place. */
export const finishErasure = defineJob({
  name: 'platform.finish-erasure',
  on: [erasureCollected],
  timeout: 300,
  maxAttempts: 20,
  handle: async ({ tenant, data }, { commit }, services: ErasureJobServices) => {
    const { erasures, tenantRecords, tombstones, keyEraser, erasing, audit, makeEvent, clock } = services;
    const [erasure, record] = await Promise.all([erasures.get(tenant), tenantRecords.get(tenant)]);
    if (erasure?.value.round !== data.round || record === undefined) return;
    if (await sweepAll(services, tenant)) {
      const round = data.round + 1;
      await commit((transaction) => {
        transaction.update(erasures, tenant, { ...erasure.value, round, done: [] }, { revision: erasure.revision });
        transaction.emit(erasureEvent(makeEvent, tenant, erasure.value.startedAt, round));
      });
      return;
    }
    while (await keyEraser.sweep(erasing, tenant));
    const { value, revision } = record;
    await commit(async (transaction) => {
      await audit.record(
        transaction,
        { tenant: platformTenant, kind: 'system', id: 'platform.finish-erasure' },
        { action: 'platform.tenant.erased', target: { type: 'tenant', id: tenant }, outcome: 'success' },
      );
      transaction.delete(tenantRecords, tenant, { revision });
      transaction.delete(erasures, tenant, { revision: erasure.revision });
      transaction.create(tombstones, tenant, {
        slugHash: sha256(value.slug),
        createdAt: value.createdAt,
        requestedAt: erasure.value.requestedAt,
        erasedAt: isoTime(clock.now()),
      });
      for (const slug of value.formerSlugs) transaction.release(platformTenant, slugReservation, slug);
      // Nobody ever showed to be its owner, so nobody can be taken for it.
      if (value.probationUntil !== undefined) transaction.release(platformTenant, slugReservation, value.slug);
    });
  },
});

/** Fails with `precondition-failed` for a tenant that is not waiting for its erasure. */
export const requireErasable = ({ status, deletion, probationUntil }: Tenant, now: number): string => {
  const due = status === 'deleting' ? deletion?.eraseAt : status === 'erasing' ? undefined : probationUntil;
  if (due === undefined || Date.parse(due) > now) throw new OmniError('precondition-failed', 'It is not to be erased.');
  return deletion?.requestedAt ?? due;
};

export const erasureJobs = [noteErased, finishErasure];
