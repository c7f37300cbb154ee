import { isoTime } from '../../kernel/clock.ts';
import { periodStart } from './calendar.ts';
import type { DraftLine } from './invoice.schema.ts';
import type { Span } from './proration.ts';
import type { BillingContext } from './settings.service.ts';
import { closingUsage } from './subscription.closing.ts';
import { inNextPeriod } from './subscription.discounts.ts';
import {
  type LineInput,
  type Offers,
  offerOf,
  type Quantities,
  recurringLines,
  usageLines,
} from './subscription.lines.ts';
import type { Item, Subscription, WantedItem } from './subscription.schema.ts';
import { moved } from './subscription.state.ts';

/** What becomes of a subscription, and what is to be invoiced for it. */
export interface Step {
  readonly next: Subscription;
  readonly lines: readonly DraftLine[];
}

export interface AdvanceInput {
  readonly offers: Offers;
  readonly quantities: Quantities;
  readonly context: BillingContext;
}

const hour = 3_600_000;

export const spanOf = ({ periodFrom, periodTo }: Pick<Subscription, 'periodFrom' | 'periodTo'>): Span => ({
  from: Date.parse(periodFrom),
  to: Date.parse(periodTo),
});

export const lineInput = ({ currency, timeZone }: Subscription, offers: Offers): LineInput => ({
  offers,
  currency,
  timeZone,
});

/** Items of what was wanted, in order; what is charged once is no item. Ids are by position, so that a retry makes the same. */
export const itemsOf = (wanted: readonly WantedItem[], offers: Offers, prefix: string): readonly Item[] =>
  wanted
    .filter(({ price }) => offerOf(offers, price).price.value.interval !== null)
    .map(({ price, quantity }, i) => {
      const { value } = offerOf(offers, price).price;
      return { id: `${prefix}_${i + 1}`, price, product: value.product, quantity, meter: value.meter ?? null };
    });

/** When the end of its period is dealt with: usage is waited for. */
const dueAt = (items: readonly Item[], periodTo: number, { settings }: BillingContext): string =>
  isoTime(items.some(({ meter }) => meter !== null) ? periodTo + settings.usageGraceHours * hour : periodTo);

/** Sets the nth period, and when it will have to be looked at. */
export const inPeriod = (
  subscription: Subscription,
  anchor: number,
  period: number,
  context: BillingContext,
): Subscription => {
  const { interval, timeZone, items } = subscription;
  const to = periodStart(anchor, interval, period + 1, timeZone);
  return {
    ...subscription,
    anchor: isoTime(anchor),
    period,
    chargedItems: null,
    periodFrom: isoTime(periodStart(anchor, interval, period, timeZone)),
    periodTo: isoTime(to),
    nextActionAt: dueAt(items, to, context),
  };
};

/** The first period after a trial: what was waiting, and the period in advance. */
const endTrial = (subscription: Subscription, { offers, context }: AdvanceInput): Step => {
  const begun = inPeriod({ ...subscription, pending: [] }, Date.parse(subscription.anchor), 0, context);
  const lines = [...subscription.pending, ...recurringLines(begun.items, spanOf(begun), lineInput(begun, offers))];
  return { next: { ...begun, status: moved(subscription.status, 'active') }, lines };
};

/** What a scheduled change makes of it: another interval counts from the end of this period. */
const rescheduled = (subscription: Subscription, { offers, context }: AdvanceInput): Subscription => {
  const { scheduled, periodTo, period } = subscription;
  const anchor = Date.parse(subscription.anchor);
  if (scheduled === null) return inPeriod(subscription, anchor, period + 1, context);
  const items = [...itemsOf(scheduled.items, offers, `si_${subscription.invoices}`)];
  const interval = offerOf(offers, items[0]?.price ?? '').price.value.interval ?? subscription.interval;
  const changed = { ...subscription, items, interval, scheduled: null };
  const isSame = interval.unit === subscription.interval.unit && interval.count === subscription.interval.count;
  return isSame ? inPeriod(changed, anchor, period + 1, context) : inPeriod(changed, Date.parse(periodTo), 0, context);
};

/** What is over, or paused: its last invoice, and nothing more until it goes on. */
const closed = (subscription: Subscription, { offers, quantities, context }: AdvanceInput): Step => {
  const { pending, status, resumesAt } = subscription;
  const { lines, billedUsage } = closingUsage(subscription, context.now, quantities, lineInput(subscription, offers));
  const nextActionAt = status === 'paused' ? resumesAt : null;
  return { next: { ...subscription, pending: [], billedUsage, nextActionAt }, lines: [...lines, ...pending] };
};

const endPeriod = (subscription: Subscription, input: AdvanceInput): Step => {
  const { offers, quantities } = input;
  if (subscription.cancelAtPeriodEnd) {
    const status = moved(subscription.status, 'canceled');
    return closed({ ...subscription, status, endedAt: subscription.periodTo }, input);
  }
  const used = usageLines(subscription, spanOf(subscription), quantities, lineInput(subscription, offers));
  const ended: Subscription = { ...subscription, pending: [], billedUsage: used.billedUsage };
  const before = [...used.lines, ...subscription.pending];
  const renewed = rescheduled({ ...ended, discounts: inNextPeriod(subscription.discounts) }, input);
  const after = recurringLines(renewed.items, spanOf(renewed), lineInput(renewed, offers));
  return { next: renewed, lines: [...before, ...after] };
};

/** Goes on after a pause: a new period begins. */
export const resumed = (subscription: Subscription, input: AdvanceInput): Step => {
  const { offers, context } = input;
  const at = subscription.resumesAt === null ? context.now : Math.min(context.now, Date.parse(subscription.resumesAt));
  const status = moved(subscription.status, 'active');
  const before = closed(subscription, input);
  const discounts = inNextPeriod(subscription.discounts);
  const going: Subscription = { ...before.next, status, discounts, pausedAt: null, resumesAt: null };
  const begun = inPeriod(going, at, 0, context);
  const lines = recurringLines(begun.items, spanOf(begun), lineInput(begun, offers));
  return { next: begun, lines: [...before.lines, ...lines] };
};

const isResuming = ({ resumesAt }: Subscription, { context }: AdvanceInput): boolean =>
  resumesAt !== null && Date.parse(resumesAt) <= context.now;

/**
 * Does the one thing that is due: each call ends one trial, one period or one pause, or closes what has stopped. Pure.
 */
export const advance = (subscription: Subscription, input: AdvanceInput): Step => {
  switch (subscription.status) {
    case 'trialing':
      return subscription.cancelAtPeriodEnd
        ? {
            next: {
              ...subscription,
              status: moved('trialing', 'canceled'),
              endedAt: subscription.periodTo,
              pending: [],
              nextActionAt: null,
            },
            lines: [],
          }
        : endTrial(subscription, input);
    case 'active':
    case 'past-due':
      return endPeriod(subscription, input);
    case 'paused':
      return isResuming(subscription, input) ? resumed(subscription, input) : closed(subscription, input);
    case 'canceled':
      return closed(subscription, input);
  }
};
