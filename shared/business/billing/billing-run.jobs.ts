import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { TenantService } from '../../platform/index.ts';
import type { TenantStore } from '../../store/store.ts';
import type { Biller } from './biller.ts';
import { billingDue, billingFanOut } from './billing.events.ts';
import type { BillingSettingsService } from './settings.service.ts';
import type { Subscription } from './subscription.schema.ts';

export interface BillingRunServices {
  readonly tenants: Pick<TenantService, 'list'>;
  readonly subscriptions: TenantStore<Subscription>;
  readonly biller: Biller;
  readonly billingSettings: Pick<BillingSettingsService, 'contextOf'>;
  readonly makeEvent: MakeEvent;
}

/** Once an hour. What is due is found by its own time, so a tick that is missed delays, and one too many does nothing. */
export const billingRun = defineSchedule({ name: 'billing-run', cron: '7 * * * *' });

const tenantPage = 200;
/** Each is at most five writes in a commit of 500: itself, its invoice, a wallet, two events. */
export const subscriptionPage = 80;
/** A run ends here, and the next tick goes on. */
const maxPages = 5_000;

export const startBillingRun = defineJob({
  name: 'billing.start-run',
  on: [billingRun.event],
  handle: async ({ time }, { commit }, { makeEvent }: BillingRunServices) => {
    const run = time.slice(0, 16);
    await commit((transaction) => {
      const id = `billing-run:${run}`;
      transaction.emit(makeEvent(billingFanOut, { id, tenant: platformTenant, subject: 'billing-run', data: { run } }));
    });
  },
});

/** A page of tenants a run; the next page is an event of its own, so that any number of tenants is reached. */
export const fanOutBillingRun = defineJob({
  name: 'billing.fan-out-run',
  on: [billingFanOut],
  handle: async ({ data: { run, cursor } }, { commit }, { tenants, makeEvent }: BillingRunServices) => {
    const { items, nextCursor } = await tenants.list({ limit: tenantPage, cursor });
    await commit((transaction) => {
      for (const { id } of items.filter(({ status }) => status === 'active')) {
        const data = { run, page: 0 };
        transaction.emit(makeEvent(billingDue, { id: `billing-run:${run}:${id}`, tenant: id, subject: id, data }));
      }
      if (nextCursor === null) return;
      const id = `billing-run:${run}~${items.at(-1)?.id ?? ''}`;
      const data = { run, cursor: nextCursor };
      transaction.emit(makeEvent(billingFanOut, { id, tenant: platformTenant, subject: 'billing-run', data }));
    });
  },
});

/**
 * Bills a page of what is due, and asks for the next page in the same commit. A subscription that is late by several
 * periods is due again on the next page, so each period gets its own invoice. Whatever is repeated, crashes or runs at
 * once: a subscription's revision and its invoice's derived id let each period be billed once.
 */
export const billDue = defineJob({
  name: 'billing.bill-due',
  on: [billingDue],
  timeout: 300,
  handle: async ({ tenant, data: { run, page } }, { commit }, services: BillingRunServices) => {
    const { subscriptions, biller, billingSettings, makeEvent } = services;
    const attempt = async (): Promise<void> => {
      const context = await billingSettings.contextOf(tenant);
      const { items } = await subscriptions.of(tenant).query({
        where: [{ field: 'nextActionAt', op: '<=', value: isoTime(context.now) }],
        orderBy: { field: 'nextActionAt', order: 'asc' },
        limit: subscriptionPage,
      });
      if (items.length === 0) return;
      const ground = await biller.ground(
        tenant,
        items.map(({ value }) => value),
        { context },
      );
      const plan = await biller.advanceAll(ground, items);
      await commit((transaction) => {
        plan.write(transaction);
        if (page + 1 >= maxPages) return;
        const data = { run, page: page + 1 };
        const id = `billing-run:${run}:${tenant}~${page + 1}`;
        transaction.emit(makeEvent(billingDue, { id, tenant, subject: tenant, data }));
      });
    };
    // Somebody changed one of them, or took a number of the series, since they were read: look again, a few times.
    for (let left = 5; ; left -= 1) {
      try {
        return await attempt();
      } catch (error) {
        if (left === 0 || !(isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists')))
          throw error;
      }
    }
  },
});
