import type { MakeEvent } from '../../events/define-event.ts';
import { defineJob, type JobContext } from '../../events/define-job.ts';
import { defineSchedule } from '../../events/define-schedule.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import { platformTenant } from '../../kernel/event.ts';
import type { TenantService } from '../../platform/index.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Plan } from './biller.run.ts';
import type { Biller } from './biller.ts';
import { billingDue, billingFanOut } from './billing.events.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
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

type Together = Pick<BillingRunServices, 'biller'> & {
  readonly tenant: string;
  readonly context: BillingContext;
  readonly commit: JobContext['commit'];
  readonly isTaxDown?: boolean;
  /** What else is in the commit; it is made anew for each that is tried. */
  readonly more: (transaction: Transaction, plan: Plan) => void;
};

const isMet = (error: unknown): boolean =>
  isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists') || isOmniError(error, 'unavailable');

/**
 * Bills the first of these, as many as can be: where something is wrong with one that keeps all from being read or
 * written, there are a quarter as many in the next try, and at last the first of them is put off by itself. Fails with
 * `revision-conflict` or `already-exists` where others were faster, and with `unavailable`.
 */
export const billTogether = async (due: readonly Stored<Subscription>[], how: Together): Promise<void> => {
  const { tenant, context, commit, biller, isTaxDown = false, more } = how;
  const write = (plan: Plan): Promise<void> =>
    commit((transaction) => {
      plan.write(transaction);
      more(transaction, plan);
    });
  for (let count = due.length; ; count = Math.ceil(count / 4)) {
    const some = due.slice(0, count);
    try {
      const ground = await biller.ground(
        tenant,
        some.map(({ value }) => value),
        { context },
      );
      return await write(await biller.advanceAll(ground, some, { isTaxDown }));
    } catch (error) {
      const [first] = due;
      if (isMet(error) || first === undefined) throw error;
      if (count === 1) return write(biller.putOff(tenant, first, error, context));
    }
  }
};

/** Whether one of them is due again, as after a period that was missed. */
const isLate = ({ subscriptions }: Plan, { now }: BillingContext): boolean =>
  [...subscriptions.values()].some(({ nextActionAt }) => nextActionAt !== null && Date.parse(nextActionAt) <= now);

/**
 * Bills a page of what is due, and asks for the next page, where there is one, in the same commit. A subscription that
 * is late by several periods is due again on the next page, so each period gets its own invoice. Whatever is repeated,
 * crashes or runs at once: a subscription's revision and its invoice's derived id let each period be billed once.
 */
export const billDue = defineJob({
  name: 'billing.bill-due',
  on: [billingDue],
  timeout: 300,
  handle: async ({ tenant, data: { run, page, isTaxDown } }, { commit, attempt }, services: BillingRunServices) => {
    const { subscriptions, biller, billingSettings, makeEvent } = services;
    // Where a page is too much for whoever tried it, it is a shorter one the next time.
    const limit = Math.ceil(subscriptionPage / 2 ** (attempt - 1));
    const billPage = async (): Promise<void> => {
      const context = await billingSettings.contextOf(tenant);
      const { items } = await subscriptions.of(tenant).query({
        where: [{ field: 'nextActionAt', op: '<=', value: isoTime(context.now) }],
        orderBy: { field: 'nextActionAt', order: 'asc' },
        limit,
      });
      if (items.length === 0) return;
      const more = (transaction: Transaction, plan: Plan): void => {
        const isAll = items.length < limit && plan.subscriptions.size === items.length;
        if (page + 1 >= maxPages || (isAll && !isLate(plan, context))) return;
        const data = { run, page: page + 1, ...(plan.isTaxDown ? { isTaxDown: true } : {}) };
        const id = `billing-run:${run}:${tenant}~${page + 1}`;
        transaction.emit(makeEvent(billingDue, { id, tenant, subject: tenant, data }));
      };
      await billTogether(items, { tenant, context, commit, biller, isTaxDown: isTaxDown ?? false, more });
    };
    // Somebody changed one of them, or took a number of the series, since they were read: look again, a few times.
    for (let left = 5; ; left -= 1) {
      try {
        return await billPage();
      } catch (error) {
        if (left === 0 || !(isOmniError(error, 'revision-conflict') || isOmniError(error, 'already-exists')))
          throw error;
      }
    }
  },
});
