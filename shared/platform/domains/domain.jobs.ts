import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { platformTenant } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import type { Store } from '../../store/store.ts';
import type { DomainCheck } from './domain.schema.ts';
import type { DomainService } from './domain.service.ts';

export interface DomainJobServices {
  readonly domainChecks: Store<DomainCheck>;
  readonly domains: Pick<DomainService, 'check'>;
  readonly makeEvent: MakeEvent;
  readonly clock: Clock;
}

export const domainChecks = defineSchedule({ name: 'domain-checks', cron: '*/10 * * * *' });

const pageDue = defineEvent(
  'platform.domain-checks.page-due',
  z.object({ at: z.iso.datetime(), cursor: z.string().optional() }),
);
const checkDue = defineEvent('platform.domain.check-due', z.object({ domain: z.string() }));

const page = 100;

export const startDomainChecks = defineJob({
  name: 'platform.start-domain-checks',
  on: [domainChecks.event],
  handle: async ({ id }, { commit }, { makeEvent, clock }: DomainJobServices) => {
    const data = { at: isoTime(clock.now()) };
    await commit((transaction) => {
      const about = { id: derivedId('evt', id), tenant: platformTenant, subject: 'domain-checks', data };
      transaction.emit(makeEvent(pageDue, about));
    });
  },
});

export const fanOutDomainChecks = defineJob({
  name: 'platform.fan-out-domain-checks',
  on: [pageDue],
  handle: async ({ id, data }, { commit }, { domainChecks: checks, makeEvent }: DomainJobServices) => {
    const { items, nextCursor } = await checks.query({
      where: [{ field: 'dueAt', op: '<=', value: data.at }],
      orderBy: { field: 'dueAt', order: 'asc' },
      limit: page,
      cursor: data.cursor,
    });
    await commit((transaction) => {
      for (const { value } of items) {
        const { tenant, domain, dueAt } = value;
        const about = { id: derivedId('evt', tenant, domain, dueAt), tenant, subject: domain, data: { domain } };
        transaction.emit(makeEvent(checkDue, about));
      }
      if (nextCursor === null) return;
      const next = { at: data.at, cursor: nextCursor };
      const about = { id: derivedId('evt', id), tenant: platformTenant, subject: 'domain-checks', data: next };
      transaction.emit(makeEvent(pageDue, about));
    });
  },
});

export const checkDomain = defineJob({
  name: 'platform.check-domain',
  on: [checkDue],
  maxAttempts: 10,
  handle: async ({ tenant, data }, { commit }, { domains }: DomainJobServices) => {
    const write = await domains.check({ tenant, kind: 'system', id: 'platform.check-domain' }, data.domain);
    if (write !== undefined) await commit(write);
  },
});

export const domainJobs = [startDomainChecks, fanOutDomainChecks, checkDomain];
