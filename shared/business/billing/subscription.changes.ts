import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Stored } from '../../store/store.ts';
import type { Ground } from './biller.ground.ts';
import { badField } from './billing.fields.ts';
import { type Interval, localDay, periodStart } from './calendar.ts';
import type { Offer } from './catalogue.service.ts';
import type { Coupon } from './coupon.schema.ts';
import type { Customer } from './customer.schema.ts';
import type { DraftLine } from './invoice.schema.ts';
import type { BillingContext } from './settings.service.ts';
import { inPeriod, itemsOf, lineInput, type Step, spanOf } from './subscription.advance.ts';
import { closesAt, closingUsage } from './subscription.closing.ts';
import { afterProration, heldDiscounts, inNextPeriod } from './subscription.discounts.ts';
import {
  chargedOf,
  type Offers,
  oneTimeLines,
  prorationLines,
  recurringLines,
  schemeOf,
} from './subscription.lines.ts';
import type {
  Item,
  NewSubscription,
  Pause,
  Subscription,
  SubscriptionChange,
  WantedItem,
} from './subscription.schema.ts';
import { moved } from './subscription.state.ts';

const dayLength = 86_400_000;
const latestAnchor = 31 * dayLength;

const isSameInterval = (a: Interval, b: Interval): boolean => a.unit === b.unit && a.count === b.count;

interface Wanted {
  readonly interval: Interval;
  readonly recurring: readonly WantedItem[];
  readonly once: readonly WantedItem[];
  readonly trialDays: number;
}

/** What is asked for, if it is sold: one interval, each price once, in the currency. */
const wantedOf = (items: readonly WantedItem[], offers: Offers, currency: string, held: readonly Item[]): Wanted => {
  if (new Set(items.map(({ price }) => price)).size < items.length) {
    throw badField('body.items', 'A price can be there once');
  }
  const sold = items.map((item, i) => {
    const offer = offers.get(item.price);
    const isHeld = held.some(({ price }) => price === item.price);
    const isSold = offer !== undefined && (isHeld || (offer.price.value.active && offer.product.value.active));
    if (!isSold) throw badField(`body.items.${i}.price`, 'There is no such price that is sold');
    schemeOf(offer, currency);
    return { item, offer };
  });
  const intervals = sold.flatMap(({ offer }) => offer.price.value.interval ?? []);
  const [interval] = intervals;
  if (interval === undefined) throw badField('body.items', 'At least one price must recur');
  if (!intervals.every((one) => isSameInterval(one, interval))) {
    throw badField('body.items', 'All prices must recur at the same interval');
  }
  const recurs = ({ offer }: { offer: Offer }): boolean => offer.price.value.interval !== null;
  return {
    interval,
    recurring: sold.filter(recurs).map(({ item }) => item),
    once: sold.filter((one) => !recurs(one)).map(({ item }) => item),
    trialDays: Math.max(...sold.map(({ offer }) => offer.price.value.trialDays)),
  };
};

export interface StartInput {
  readonly id: string;
  readonly customer: Stored<Customer> | undefined;
  readonly offers: Offers;
  readonly context: BillingContext;
  readonly canCollect: boolean;
  readonly coupon: Stored<Coupon> | undefined;
}

/** When it begins to cost: now, after the trial, or at the anchor that was asked for. */
const anchorOf = (input: NewSubscription, trialDays: number, { settings, now }: BillingContext): number => {
  if (input.anchor === undefined) return periodStart(now, { unit: 'day', count: 1 }, trialDays, settings.timeZone);
  const anchor = Date.parse(input.anchor);
  if (anchor < now || anchor > now + latestAnchor) throw badField('body.anchor', 'Must be within 31 days from now');
  return anchor;
};

const periodsOf = ({ duration }: Coupon): number | null => {
  if (duration.kind === 'periods') return duration.count;
  return duration.kind === 'once' ? 1 : null;
};

/** A new subscription with its first period, or its trial. */
export const started = (
  input: NewSubscription,
  { id, customer, offers, context, canCollect, coupon }: StartInput,
): Step => {
  const { settings, now } = context;
  if (customer === undefined || customer.value.erasedAt !== null) {
    throw badField('body.customer', 'There is no such customer');
  }
  if (settings.seller === null) {
    throw new OmniError('precondition-failed', 'Say in the billing settings who invoices are from.');
  }
  if (input.collection === 'automatic' && !canCollect) {
    throw new OmniError('precondition-failed', 'No payment gateway is configured: only manual collection is possible.');
  }
  const currency = input.currency ?? settings.currency;
  const wanted = wantedOf(input.items, offers, currency, []);
  const anchor = anchorOf(input, input.trialDays ?? wanted.trialDays, context);
  const isTrial = anchor > now;
  const subscription: Subscription = {
    customer: input.customer,
    status: isTrial ? 'trialing' : 'active',
    currency,
    timeZone: settings.timeZone,
    interval: wanted.interval,
    anchor: isoTime(anchor),
    period: 0,
    periodFrom: isoTime(now),
    periodTo: isoTime(anchor),
    items: [...itemsOf(wanted.recurring, offers, `si_${id}`)],
    discounts:
      coupon === undefined
        ? []
        : [
            {
              coupon: coupon.id,
              code: input.promotionCode?.toUpperCase() ?? null,
              periodsLeft: periodsOf(coupon.value),
              taken: false,
              elsewhere: 0,
            },
          ],
    pending: [],
    scheduled: null,
    cancelAtPeriodEnd: false,
    trialEnd: isTrial ? isoTime(anchor) : null,
    pausedAt: null,
    resumesAt: null,
    canceledAt: null,
    endedAt: null,
    collection: input.collection,
    problem: null,
    createdAt: isoTime(now),
    billedUsage: [],
    invoices: 0,
    failures: 0,
    chargedItems: null,
    nextActionAt: isoTime(anchor),
  };
  const once = oneTimeLines(wanted.once, lineInput(subscription, offers));
  if (isTrial) return { next: { ...subscription, pending: [...once] }, lines: [] };
  const begun = inPeriod(subscription, anchor, 0, context);
  return { next: begun, lines: [...once, ...recurringLines(begun.items, spanOf(begun), lineInput(begun, offers))] };
};

const requireOpen = ({ status }: Subscription): void => {
  if (status === 'canceled' || status === 'paused') {
    throw new OmniError('precondition-failed', `A subscription that is ${status} can't be changed.`);
  }
};

const isMetered = ({ meter }: Item): boolean => meter !== null;

/** Keeps the ids of items that stay, so that their usage does. */
const withIds = (items: readonly Item[], held: readonly Item[]): Item[] =>
  items.map((item) => ({ ...item, id: held.find(({ price }) => price === item.price)?.id ?? item.id }));

/** A change at the end of the period: it is only kept in mind. */
export const planChange = (subscription: Subscription, change: SubscriptionChange, on: Ground): Step => {
  requireOpen(subscription);
  const { recurring, once } = wantedOf(change.items, on.offers, subscription.currency, subscription.items);
  const pending = [...subscription.pending, ...oneTimeLines(once, lineInput(subscription, on.offers))];
  return { next: { ...subscription, pending, scheduled: { items: [...recurring] } }, lines: [] };
};

/** A change at once: the rest of the period is prorated, or, at another interval, a new period begins. */
export const changedNow = (subscription: Subscription, change: SubscriptionChange, on: Ground): Step => {
  requireOpen(subscription);
  const { offers, context } = on;
  const wanted = wantedOf(change.items, offers, subscription.currency, subscription.items);
  const asked = itemsOf(
    wanted.recurring,
    offers,
    `si_${subscription.invoices}_${subscription.pending.length}_${context.now}`,
  );
  const items = withIds(asked, subscription.items);
  const metersOf = (all: readonly Item[]) =>
    JSON.stringify(
      all
        .filter(isMetered)
        .map(({ price }) => price)
        .sort(),
    );
  if (subscription.status !== 'trialing' && metersOf(items) !== metersOf(subscription.items)) {
    throw new OmniError(
      'precondition-failed',
      'Prices of meters change at the end of the period: usage is counted by it.',
    );
  }
  const once = oneTimeLines(wanted.once, lineInput(subscription, offers));
  const changed: Subscription = { ...subscription, items, interval: wanted.interval, scheduled: null };
  if (subscription.status === 'trialing') {
    return { next: { ...changed, pending: [...subscription.pending, ...once] }, lines: [] };
  }
  const input = lineInput(subscription, offers);
  const discounts = heldDiscounts(subscription, on.coupons);
  const isProrated = change.proration !== 'none';
  if (!isSameInterval(wanted.interval, subscription.interval)) {
    if (items.some(isMetered)) {
      throw new OmniError(
        'precondition-failed',
        'With prices of meters, another interval begins at the end of the period.',
      );
    }
    const credits = isProrated ? prorationLines(subscription, [], context.now, discounts, input) : [];
    const fresh = { ...changed, discounts: inNextPeriod(subscription.discounts), pending: [] };
    const begun = inPeriod(fresh, context.now, 0, context);
    const charges = recurringLines(items, spanOf(begun), lineInput(begun, offers));
    return { next: begun, lines: [...subscription.pending, ...credits, ...once, ...charges] };
  }
  const lines = isProrated ? prorationLines(subscription, items, context.now, discounts, input) : [];
  const given = isProrated ? afterProration(subscription, items, on.coupons, input) : subscription.discounts;
  const chargedItems = isProrated ? null : [...chargedOf(subscription)];
  const next = { ...changed, discounts: given, chargedItems };
  return change.proration === 'invoice-now'
    ? { next: { ...next, pending: [] }, lines: [...subscription.pending, ...lines, ...once] }
    : { next: { ...next, pending: kept([...subscription.pending, ...lines, ...once]) }, lines: [] };
};

const maxPending = 200;
const kept = (lines: readonly DraftLine[]): DraftLine[] => {
  if (lines.length <= maxPending) return [...lines];
  throw new OmniError('precondition-failed', 'So many changes wait for the next invoice. Invoice them now.');
};

/**
 * What ends now: usage up to today (what comes late is billed after it was waited for), what was waiting, and what is
 * given back of the rest.
 */
const closing = (
  subscription: Subscription,
  refund: 'prorated' | 'none',
  on: Ground,
): { lines: DraftLine[]; rest: Subscription } => {
  if (subscription.status === 'trialing') return { lines: [], rest: { ...subscription, pending: [] } };
  const input = lineInput(subscription, on.offers);
  const credits =
    refund === 'none'
      ? []
      : prorationLines(subscription, [], on.context.now, heldDiscounts(subscription, on.coupons), input);
  const used = closingUsage(subscription, on.context.now, on.quantities, input);
  const lines = [...used.lines, ...subscription.pending, ...credits];
  return { lines, rest: { ...subscription, pending: [], billedUsage: used.billedUsage } };
};

export const canceledNow = (subscription: Subscription, refund: 'prorated' | 'none', on: Ground): Step => {
  const { lines, rest } = closing(subscription, refund, on);
  const at = isoTime(on.context.now);
  const status = moved(subscription.status, 'canceled');
  const nextActionAt = closesAt(rest, on.context);
  const over = { status, canceledAt: at, endedAt: at, scheduled: null, resumesAt: null, nextActionAt };
  return { next: { ...rest, ...over, cancelAtPeriodEnd: false }, lines };
};

/** Usage is counted by days: the day of the pause was billed, and must not be billed again. */
export const requireAnotherDay = ({ items, pausedAt, timeZone }: Subscription, at: number): void => {
  const isMetered = items.some(({ meter }) => meter !== null);
  if (isMetered && pausedAt !== null && localDay(Date.parse(pausedAt), timeZone) === localDay(at, timeZone)) {
    throw new OmniError('precondition-failed', 'With prices of meters it can go on tomorrow.');
  }
};

export const paused = (subscription: Subscription, how: Pause, on: Ground): Step => {
  const { now } = on.context;
  const status = moved(subscription.status, 'paused');
  if (how.resumesAt !== null && Date.parse(how.resumesAt) <= now)
    throw badField('body.resumesAt', 'Must be later than now');
  if (how.resumesAt !== null) requireAnotherDay({ ...subscription, pausedAt: isoTime(now) }, Date.parse(how.resumesAt));
  const { lines, rest } = closing(subscription, how.refund, on);
  const [nextActionAt = null] = [how.resumesAt, closesAt(rest, on.context)].flatMap((one) => one ?? []).sort();
  const next = { ...rest, status, pausedAt: isoTime(now), resumesAt: how.resumesAt, nextActionAt };
  return { next: { ...next, trialEnd: null }, lines };
};
