import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import type { Outbox } from '../../events/outbox.ts';
import { isoDay } from '../../kernel/clock.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { Database } from '../../store/store.ts';
import type { TenantService } from '../tenants/tenant.service.ts';

export interface TimerServices {
  readonly outbox: Pick<Outbox, 'sweep'>;
  readonly database: Pick<Database, 'transaction'>;
  readonly tenants: Pick<TenantService, 'list'>;
  readonly makeEvent: MakeEvent;
}

export const outboxSweep = defineSchedule({ name: 'outbox-sweep', cron: '* * * * *' });
export const dailyDigest = defineSchedule({ name: 'daily-digest', cron: '0 6 * * *' });

/** Publishes what a crash left between a commit and its publication. */
export const sweepOutbox = defineJob({
  name: 'platform.sweep-outbox',
  on: [outboxSweep.event],
  handle: async (_event, _context, { outbox }: TimerServices) => {
    await outbox.sweep();
  },
});

/** Once a day for each tenant: the day that has ended can be summed up. */
export const digestDue = defineEvent('platform.digest.due', z.object({ day: z.iso.date() }));

const fanOut = defineEvent('platform.digest.fan-out', z.object({ day: z.iso.date(), cursor: z.string().optional() }));

const page = 200;
const dayLength = 86_400_000;

/** Ids are derived from the day, so that a second tick on it adds nothing: whoever takes the events knows them. */
export const startDigest = defineJob({
  name: 'platform.start-digest',
  on: [dailyDigest.event],
  handle: async ({ time }, { commit }, { makeEvent }: TimerServices) => {
    const day = isoDay(Date.parse(time) - dayLength);
    await commit((transaction) => {
      transaction.emit(
        makeEvent(fanOut, { id: `digest:${day}`, tenant: platformTenant, subject: 'digest', data: { day } }),
      );
    });
  },
});

/** A page of tenants a run; the next page is an event of its own, so that any number of tenants is reached. */
export const fanOutDigest = defineJob({
  name: 'platform.fan-out-digest',
  on: [fanOut],
  handle: async ({ data: { day, cursor } }, { commit }, { tenants, makeEvent }: TimerServices) => {
    const { items, nextCursor } = await tenants.list({ limit: page, cursor });
    const active = items.filter(({ status }) => status === 'active');
    await commit((transaction) => {
      for (const { id } of active) {
        transaction.emit(makeEvent(digestDue, { id: `digest:${day}:${id}`, tenant: id, subject: id, data: { day } }));
      }
      if (nextCursor === null) return;
      const id = `digest:${day}~${items.at(-1)?.id ?? ''}`;
      const data = { day, cursor: nextCursor };
      transaction.emit(makeEvent(fanOut, { id, tenant: platformTenant, subject: 'digest', data }));
    });
  },
});
