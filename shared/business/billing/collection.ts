import { isoTime } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import type { Stored } from '../../store/store.ts';
import type { ChargeRequest, ChargeResult } from './charges.ts';
import type { Customer } from './customer.schema.ts';
import { givenUp, isOwed, takenBy } from './invoice.changes.ts';
import type { Invoice, InvoiceCharge } from './invoice.schema.ts';
import type { BillingContext } from './settings.service.ts';
import { closesAt } from './subscription.closing.ts';
import type { Subscription } from './subscription.schema.ts';
import { moved } from './subscription.state.ts';

const dayLength = 86_400_000;
/** A charge that is not decided yet is asked about again after this. Milliseconds. */
const pendingPause = 3_600_000;
/** A customer who has not acted by then will not: the charge is given up, and dunning goes on. Milliseconds. */
const patience = 23 * 3_600_000;

/** What one attempt to be paid has led to. `declined` is one of the customer's own, which dunning does not count. */
export interface Attempted {
  readonly invoice: Invoice;
  readonly outcome: 'paid' | 'pending' | 'failed' | 'declined' | 'reminded' | 'given-up';
}

/** The invoice with a charge of all that is due. Noted before it is asked for; then nothing else can pay it meanwhile. */
export const withCharge = ({ id, value }: Stored<Invoice>, onSession: boolean, { now }: BillingContext): Invoice => {
  const charges = value.charges + 1;
  const reference = `${id}:${charges}`;
  const asked = { reference, amount: value.due, payment: null, status: 'asked' } as const;
  const charge: InvoiceCharge = { ...asked, onSession, startedAt: isoTime(now), resumeAt: value.nextActionAt };
  return { ...value, charges, charge };
};

/** The invoice that a reference of a charge is of; undefined for payments that are none of ours. */
export const invoiceOfCharge = (reference: string | null): string | undefined =>
  /^(inv_\w{1,64}):\d{1,9}$/.exec(reference ?? '')?.[1];

/** How a customer who is there pays. */
export interface Session {
  readonly sources?: ChargeRequest['sources'] | undefined;
  readonly returnUrl?: string | undefined;
}

/** The charge that is under way. A crash, a duplicate or a second worker asks for the same one. */
export const chargeOf = (
  tenant: string,
  invoice: Invoice,
  { reference, amount, onSession }: InvoiceCharge,
  customer: Stored<Customer> | undefined,
  { sources, returnUrl }: Session = {},
): ChargeRequest => ({
  tenant,
  reference,
  amount: money(amount, invoice.currency),
  customer: invoice.customer,
  sources: sources ?? customer?.value.paymentSources ?? [],
  offSession: !onSession,
  returnUrl,
});

export const isAbandoned = ({ status, startedAt }: InvoiceCharge, { now }: BillingContext): boolean =>
  status === 'needs-action' && now - Date.parse(startedAt) >= patience;

/** Whether somebody may still be about to ask a gateway for it. Longer than any job or request takes. */
export const isFresh = ({ startedAt }: InvoiceCharge, { now }: BillingContext): boolean =>
  now - Date.parse(startedAt) < pendingPause;

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
  const tried = { ...invoice, attempts, lastDecline: decline, charge: null };
  if (pause !== undefined) return { invoice: { ...tried, nextActionAt: isoTime(now + pause * dayLength) }, outcome };
  const isKept = settings.dunning.invoice === 'open' || invoice.status !== 'open';
  return { invoice: isKept ? { ...tried, nextActionAt: null } : givenUp(tried, context), outcome: 'given-up' };
};

/**
 * The invoice after a charge was declined, or took less than is due. One of the customer's own is none of dunning's.
 */
const declined = (invoice: Invoice, charge: InvoiceCharge, decline: string, context: BillingContext): Attempted => {
  if (!isOwed(invoice)) {
    return { invoice: { ...invoice, charge: null, nextActionAt: null }, outcome: 'declined' };
  }
  if (!charge.onSession) return missed(invoice, 'failed', decline, context);
  const nextActionAt = invoice.status === 'open' ? charge.resumeAt : null;
  return { invoice: { ...invoice, charge: null, lastDecline: decline, nextActionAt }, outcome: 'declined' };
};

/**
 * The invoice with what a charge of it has taken that nobody waited for any more, as one that succeeded after it was
 * given up, or took more later. The same where that is known.
 */
export const afterLate = (
  invoice: Invoice,
  by: { readonly reference: string; readonly payment: string; readonly captured: number },
  context: BillingContext,
): Attempted => {
  const after = takenBy(invoice, by, context);
  return { invoice: after, outcome: after.status === invoice.status ? 'pending' : 'paid' };
};

/** The invoice after its charge. */
export const afterCharge = (
  invoice: Invoice,
  charge: InvoiceCharge,
  result: ChargeResult,
  context: BillingContext,
): Attempted => {
  switch (result.status) {
    case 'succeeded': {
      const by = { reference: charge.reference, payment: result.payment, captured: result.captured };
      const decided = { charge: null, lastDecline: null, ...(isOwed(invoice) ? {} : { nextActionAt: null }) };
      const after = { ...takenBy(invoice, by, context), ...decided };
      if (after.due > 0) return declined(after, charge, 'paid-in-part', context);
      return { invoice: after, outcome: invoice.due === 0 ? 'pending' : 'paid' };
    }
    case 'pending':
    case 'needs-action': {
      const payment = result.payment ?? charge.payment;
      const status = result.payment === null ? 'asked' : result.status;
      // Also of an invoice that nothing is due of any more: what is under way is to end.
      const nextActionAt = isoTime(context.now + pendingPause);
      return { invoice: { ...invoice, charge: { ...charge, status, payment }, nextActionAt }, outcome: 'pending' };
    }
    case 'failed':
      return declined(invoice, charge, result.decline, context);
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
  { settings, now }: Pick<BillingContext, 'settings' | 'now'>,
): Subscription => {
  const { status } = subscription;
  if (status === 'canceled') return subscription;
  if (outcome === 'paid' && status === 'past-due') return { ...subscription, status: moved(status, 'active') };
  if ((outcome === 'failed' || outcome === 'reminded') && status === 'active') {
    return { ...subscription, status: moved(status, 'past-due') };
  }
  if (outcome !== 'given-up' || settings.dunning.finally === 'nothing') return subscription;
  const at = isoTime(now);
  // What was used until then is billed still.
  const nextActionAt = closesAt(subscription, { settings, now });
  if (settings.dunning.finally === 'cancel') {
    const over = { status: moved(status, 'canceled'), canceledAt: at, endedAt: at, nextActionAt };
    return { ...subscription, ...over, scheduled: null, cancelAtPeriodEnd: false };
  }
  if (status === 'paused') return subscription;
  return { ...subscription, status: moved(status, 'paused'), pausedAt: at, resumesAt: null, nextActionAt };
};
