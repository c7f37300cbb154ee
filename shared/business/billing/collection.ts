import { isoTime } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import type { Stored } from '../../store/store.ts';
import type { ChargeRequest, ChargeResult } from './charges.ts';
import { givenUp, paidBy } from './invoice.changes.ts';
import type { Invoice } from './invoice.schema.ts';
import type { BillingContext } from './settings.service.ts';
import type { Subscription } from './subscription.schema.ts';
import { moved } from './subscription.state.ts';

const dayLength = 86_400_000;
/** A charge that is not decided yet is asked about again after this. Milliseconds. */
const pendingPause = 3_600_000;

/** What one attempt to be paid has led to. */
export interface Attempted {
  readonly invoice: Invoice;
  readonly outcome: 'paid' | 'pending' | 'failed' | 'reminded' | 'given-up';
}

/** The charge of the next attempt. A crash, a duplicate or a second worker asks for the same one. */
export const chargeOf = (tenant: string, { id, value }: Stored<Invoice>): ChargeRequest => ({
  tenant,
  reference: `${id}:${value.attempts + 1}`,
  amount: money(value.due, value.currency),
  customer: value.customer,
  offSession: true,
});

/** One attempt more, and when the next one is; without a next one it is given up, as the settings say. */
const missed = (
  invoice: Invoice,
  outcome: 'failed' | 'reminded',
  decline: string | null,
  context: BillingContext,
): Attempted => {
  const { settings, now } = context;
  const attempts = invoice.attempts + 1;
  const pause = settings.dunning.retryAfterDays[attempts - 1];
  const tried = { ...invoice, attempts, lastDecline: decline };
  if (pause !== undefined) return { invoice: { ...tried, nextActionAt: isoTime(now + pause * dayLength) }, outcome };
  const isKept = settings.dunning.invoice === 'open';
  return { invoice: isKept ? { ...tried, nextActionAt: null } : givenUp(tried, context), outcome: 'given-up' };
};

/** The invoice after a charge. */
export const afterCharge = (invoice: Invoice, result: ChargeResult, context: BillingContext): Attempted => {
  switch (result.status) {
    case 'succeeded':
      return { invoice: { ...paidBy(invoice, undefined, context), lastDecline: null }, outcome: 'paid' };
    case 'pending':
      return { invoice: { ...invoice, nextActionAt: isoTime(context.now + pendingPause) }, outcome: 'pending' };
    case 'failed':
      return missed(invoice, 'failed', result.decline, context);
  }
};

/** The invoice after a reminder. The first delay was counted from when it was due. */
export const afterReminder = (invoice: Invoice, context: BillingContext): Attempted => {
  const { retryAfterDays } = context.settings.dunning;
  const following = { ...context.settings.dunning, retryAfterDays: retryAfterDays.slice(1) };
  return missed(invoice, 'reminded', null, { ...context, settings: { ...context.settings, dunning: following } });
};

/** What that means for its subscription. */
export const subscriptionAfter = (
  subscription: Subscription,
  outcome: Attempted['outcome'],
  { settings, now }: BillingContext,
): Subscription => {
  const { status } = subscription;
  if (status === 'canceled') return subscription;
  if (outcome === 'paid' && status === 'past-due') return { ...subscription, status: moved(status, 'active') };
  if ((outcome === 'failed' || outcome === 'reminded') && status === 'active') {
    return { ...subscription, status: moved(status, 'past-due') };
  }
  if (outcome !== 'given-up' || settings.dunning.finally === 'nothing') return subscription;
  const at = isoTime(now);
  if (settings.dunning.finally === 'cancel') {
    const over = { status: moved(status, 'canceled'), canceledAt: at, endedAt: at, nextActionAt: null };
    return { ...subscription, ...over, scheduled: null, cancelAtPeriodEnd: false };
  }
  if (status === 'paused') return subscription;
  return { ...subscription, status: moved(status, 'paused'), pausedAt: at, resumesAt: null, nextActionAt: null };
};
