import * as z from 'zod';
import { defineEvent, type MakeEvent } from '../../events/define-event.ts';
import { defineJob, type JobContext } from '../../events/define-job.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import { billingDue } from './billing.events.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import { expiryEvents } from './wallet.events.ts';
import { expiredIn, pruned, type Wallet } from './wallet.ts';

export interface WalletJobServices {
  readonly wallets: TenantStore<Wallet>;
  readonly billingSettings: Pick<BillingSettingsService, 'contextOf'>;
  readonly makeEvent: MakeEvent;
}

/** More wallets of a tenant have credit that has ended than one run takes. */
export const creditDue = defineEvent('billing.credit.due', z.object({ run: z.string(), page: z.int().min(1) }));

const walletPage = 100;
/** Writes of one commit, which takes 500: a wallet can have 200 credits that end at one moment, each with its event. */
const maxWrites = 400;
const maxPages = 5_000;

/** Wallets with credit that has ended by `until`, those first in which it ended first. */
export const endedWallets = async (wallets: TenantStore<Wallet>, tenant: string, until: string) => {
  const { items } = await wallets.of(tenant).query({
    where: [{ field: 'endsAt', op: '<=', value: until }],
    orderBy: { field: 'endsAt', order: 'asc' },
    limit: walletPage,
  });
  return items;
};

/** As many of these as one commit takes, at least one. */
const together = (all: readonly Stored<Wallet>[], now: number): readonly Stored<Wallet>[] => {
  let writes = 0;
  return all.filter(({ value }, i) => {
    writes += 1 + expiredIn(value, now).length;
    return i === 0 || writes <= maxWrites;
  });
};

/**
 * Leaves out what has ended, and tells of it. Who spends or gives credit at the same time does the same, under the same
 * events, and one of both commits.
 */
export const endCredits = async (
  tenant: string,
  due: readonly Stored<Wallet>[],
  { wallets, makeEvent }: Pick<WalletJobServices, 'wallets' | 'makeEvent'>,
  { now }: Pick<BillingContext, 'now'>,
  commit: JobContext['commit'],
  more: (transaction: Transaction, isAll: boolean) => void,
): Promise<void> => {
  const some = together(due, now);
  await commit((transaction) => {
    for (const { id, value, revision } of some) {
      transaction.update(wallets.of(tenant), id, pruned(value, now), { revision });
      for (const event of expiryEvents(makeEvent, tenant, id, value, now)) transaction.emit(event);
    }
    more(transaction, some.length === due.length && due.length < walletPage);
  });
};

/** Ends credit whose time is over, with the hourly run, a page a run. */
export const endCredit = defineJob({
  name: 'billing.end-credit',
  on: [billingDue, creditDue],
  handle: async ({ type, tenant, data: { run, page } }, { commit }, services: WalletJobServices) => {
    // Pages of the billing run are none of this one.
    if (type === billingDue.type && page > 0) return;
    const attempt = async (): Promise<void> => {
      const context = await services.billingSettings.contextOf(tenant);
      const due = await endedWallets(services.wallets, tenant, isoTime(context.now));
      if (due.length === 0) return;
      await endCredits(tenant, due, services, context, commit, (transaction, isAll) => {
        if (isAll || page + 1 >= maxPages) return;
        const id = `credit:${run}:${tenant}~${page + 1}`;
        const data = { run, page: page + 1 };
        transaction.emit(services.makeEvent(creditDue, { id, tenant, subject: tenant, data }));
      });
    };
    // Somebody spent of one of them since they were read: look again, a few times.
    for (let left = 5; ; left -= 1) {
      try {
        return await attempt();
      } catch (error) {
        if (left === 0 || !isOmniError(error, 'revision-conflict')) throw error;
      }
    }
  },
});
