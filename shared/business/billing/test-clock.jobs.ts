import { defineJob } from '../../events/define-job.ts';
import { isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { TenantStore, Transaction } from '../../store/store.ts';
import type { Plan } from './biller.run.ts';
import type { Biller } from './biller.ts';
import { clockAdvanced } from './billing.events.ts';
import { billTogether, subscriptionPage } from './billing-run.jobs.ts';
import { type CollectionServices, collect } from './collection.jobs.ts';
import type { StoredBillingSettings } from './settings.schema.ts';
import { endCredits, endedWallets, type WalletJobServices } from './wallet.jobs.ts';

export interface TestClockServices extends CollectionServices, Pick<WalletJobServices, 'wallets'> {
  readonly settingsStore: TenantStore<StoredBillingSettings>;
  readonly biller: Biller;
}

const maxSteps = 20_000;
/** Attempts for which a charge that is being made is waited for, and a tax that nobody knows. */
const patience = 10;

/**
 * Moves a tenant's own time on to where something is due next, does it there, and asks for the next step in the same
 * commit; so each renewal, charge and reminder happens at its own time, whatever the distance. What is due at one time is
 * done in one order: subscriptions, payments, then credit that ends, and charged by nobody else meanwhile.
 */
export const advanceClock = defineJob({
  name: 'billing.advance-clock',
  on: [clockAdvanced],
  timeout: 120,
  maxAttempts: 20,
  handle: async ({ tenant, subject, data: { to, step } }, { commit, attempt }, services: TestClockServices) => {
    const { subscriptions, invoices, wallets, biller, billingSettings, settingsStore, makeEvent } = services;
    const stored = await settingsStore.of(tenant).get('settings');
    const at = stored?.value.testClock ?? null;
    if (stored === undefined || at === null || at > to || step >= maxSteps) return;
    const next = () =>
      makeEvent(clockAdvanced, { id: `${subject}~${step + 1}`, tenant, subject, data: { to, step: step + 1 } });
    const due = await subscriptions.of(tenant).query({
      where: [{ field: 'nextActionAt', op: '<=', value: to }],
      orderBy: { field: 'nextActionAt', order: 'asc' },
      limit: subscriptionPage,
    });
    const now = due.items.filter(({ value }) => value.nextActionAt !== null && value.nextActionAt <= at);
    if (now.length > 0) {
      const context = await billingSettings.contextOf(tenant);
      const more = (transaction: Transaction, plan: Plan): void => {
        // Billed at another time than its own, it would be another invoice.
        const isSilent = [...plan.failed.values()].some((error) => isOmniError(error, 'unavailable'));
        if ((plan.isTaxDown || isSilent) && attempt <= patience) {
          throw new OmniError('unavailable', 'The sales tax service does not answer.');
        }
        transaction.emit(next());
      };
      return billTogether(now, { tenant, context, commit, biller, more });
    }
    const owed = await invoices.of(tenant).query({
      where: [{ field: 'nextActionAt', op: '<=', value: to }],
      orderBy: { field: 'nextActionAt', order: 'asc' },
      limit: 50,
    });
    const unpaid = owed.items.filter(({ value }) => value.nextActionAt !== null && value.nextActionAt <= at);
    if (unpaid.length > 0) {
      await collect(tenant, unpaid, services, commit, { more: (transaction) => transaction.emit(next()) });
      return;
    }
    const ending = await endedWallets(wallets, tenant, to);
    const ended = ending.filter(({ value }) => value.endsAt !== null && value.endsAt <= at);
    if (ended.length > 0) {
      return endCredits(tenant, ended, services, { now: Date.parse(at) }, commit, (transaction) => {
        transaction.emit(next());
      });
    }
    // Somebody began a charge before time moved on. It is to be decided at its own time, if it can be.
    const isAsked = owed.items.some(({ value }) => value.charge?.status === 'asked');
    if (isAsked && attempt <= patience) throw new OmniError('unavailable', 'A charge is being made.');
    const [subscription, invoice, wallet] = [due.items[0]?.value, owed.items[0]?.value, ending[0]?.value];
    const times = [subscription?.nextActionAt, invoice?.nextActionAt, wallet?.endsAt, to].flatMap((one) => one ?? []);
    const testClock = times.reduce((a, b) => (a < b ? a : b));
    await commit((transaction) => {
      if (testClock > at) {
        const value = { ...stored.value, testClock: isoTime(Date.parse(testClock)) };
        transaction.update(settingsStore.of(tenant), 'settings', value, { revision: stored.revision });
        transaction.emit(next());
      } else if (stored.value.movingTo === to) {
        const value = { ...stored.value, movingTo: null };
        transaction.update(settingsStore.of(tenant), 'settings', value, { revision: stored.revision });
      }
    });
  },
});
