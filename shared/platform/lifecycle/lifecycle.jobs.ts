import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Store } from '../../store/store.ts';
import type { TenantRecords } from '../tenants/tenant.records.ts';
import type { Tenant } from '../tenants/tenant.schema.ts';
import { sandboxesDue, sandboxesEvent } from './lifecycle.events.ts';
import type { LifecycleService } from './lifecycle.service.ts';

export interface LifecycleJobServices {
  readonly tenantRecords: Store<Tenant>;
  readonly records: Pick<TenantRecords, 'write'>;
  readonly lifecycle: Pick<LifecycleService, 'next'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

export const tenantLifecycle = defineSchedule({ name: 'tenant-lifecycle', cron: '7 * * * *' });

const pageDue = defineEvent(
  'platform.tenant-lifecycle.page-due',
  z.object({ at: z.iso.datetime(), cursor: z.string().optional() }),
);
const tenantDue = defineEvent('platform.tenant.tending-due', z.object({ dueAt: z.iso.datetime() }));

const page = 100;

export const startLifecycle = defineJob({
  name: 'platform.start-lifecycle',
  on: [tenantLifecycle.event],
  handle: async ({ id }, { commit }, { makeEvent, clock }: LifecycleJobServices) => {
    const at = isoTime(clock.now());
    await commit((transaction) => {
      const event = { id: derivedId('evt', id), tenant: platformTenant, subject: 'tenant-lifecycle', data: { at } };
      transaction.emit(makeEvent(pageDue, event));
    });
  },
});

/** An event for each tenant that has something due, once for each time that it has. */
export const fanOutLifecycle = defineJob({
  name: 'platform.fan-out-lifecycle',
  on: [pageDue],
  handle: async ({ id, data }, { commit }, { tenantRecords, makeEvent }: LifecycleJobServices) => {
    const { items, nextCursor } = await tenantRecords.query({
      where: [{ field: 'dueAt', op: '<=', value: data.at }],
      orderBy: { field: 'dueAt', order: 'asc' },
      limit: page,
      cursor: data.cursor,
    });
    await commit((transaction) => {
      for (const { id: tenant, value } of items) {
        const dueAt = value.dueAt ?? data.at;
        const about = { id: derivedId('evt', 'tend', tenant, dueAt), tenant, subject: tenant, data: { dueAt } };
        transaction.emit(makeEvent(tenantDue, about));
      }
      if (nextCursor === null) return;
      const next = { at: data.at, cursor: nextCursor };
      const about = { id: derivedId('evt', id), tenant: platformTenant, subject: 'tenant-lifecycle', data: next };
      transaction.emit(makeEvent(pageDue, about));
    });
  },
});

/** Reminds, erases or confirms one tenant. Who restores it at this moment wins or loses as a whole. */
export const tendTenant = defineJob({
  name: 'platform.tend-tenant',
  on: [tenantDue],
  maxAttempts: 10,
  handle: async ({ tenant: id }, { commit }, { tenantRecords, records, lifecycle }: LifecycleJobServices) => {
    const tenant = await tenantRecords.get(id);
    const change = tenant && (await lifecycle.next(tenant));
    if (tenant === undefined || change === undefined) return;
    const by = { tenant: id, kind: 'system', id: 'platform.lifecycle' } as const;
    await commit((transaction) => records.write(transaction, by, tenant, change));
  },
});

/** Whether it would outlive its parent: one that waits for an end of its own is not to wait any longer. */
const outlives = ({ status, deletion }: Tenant, eraseAt: string): boolean =>
  status !== 'erasing' && (status !== 'deleting' || deletion === undefined || deletion.eraseAt > eraseAt);

/** Sandboxes have no life of their own: each is due at once when its tenant is erased. The next tick erases them. */
export const endSandboxes = defineJob({
  name: 'platform.end-sandboxes',
  on: [sandboxesDue],
  maxAttempts: 20,
  handle: async ({ data }, { commit }, { tenantRecords, makeEvent }: LifecycleJobServices) => {
    const { parent, requestedAt, eraseAt, cursor } = data;
    const where = [{ field: 'sandboxOf', op: '==', value: parent }] as const;
    const { items, nextCursor } = await tenantRecords.query({ where, limit: page, cursor });
    const deletion = { requestedAt, eraseAt, by: 'platform.lifecycle' };
    await commit((transaction) => {
      for (const { id, value, revision } of items.filter((one) => outlives(one.value, eraseAt))) {
        const next: Tenant = { ...value, status: 'deleting', deletion, dueAt: eraseAt };
        transaction.update(tenantRecords, id, next, { revision });
      }
      if (nextCursor !== null) transaction.emit(sandboxesEvent(makeEvent, { ...data, cursor: nextCursor }));
    });
  },
});

export const lifecycleJobs = [startLifecycle, fanOutLifecycle, tendTenant, endSandboxes];
