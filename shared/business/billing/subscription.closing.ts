import { isoTime } from '../../kernel/clock.ts';
import { localDay, shiftDay, startOfDay } from './calendar.ts';
import type { DraftLine } from './invoice.schema.ts';
import type { Span } from './proration.ts';
import type { BillingContext } from './settings.service.ts';
import { type LineInput, type Quantities, usageLines, usageSpan } from './subscription.lines.ts';
import type { BilledUsage, Subscription } from './subscription.schema.ts';

const hour = 3_600_000;

type Period = Pick<Subscription, 'anchor' | 'periodFrom' | 'periodTo' | 'timeZone'>;

/** False in its trial: that ends where the first period begins. */
const hasBegun = ({ anchor, periodTo }: Period): boolean => Date.parse(anchor) < Date.parse(periodTo);

/** When it was given last, of what is over or paused. What ends in a pause was not given since that began. */
const stoppedAt = ({ pausedAt, endedAt }: Subscription): string | null => pausedAt ?? endedAt;

/**
 * What is billed of usage where it stops: the period up to then, and days after it, where its end was not dealt with
 * yet or is in the middle of a day, which belongs to a next period that there will not be.
 */
const closingSpans = (subscription: Subscription, at: number): readonly Span[] => {
  const { timeZone, periodTo } = subscription;
  const to = Date.parse(periodTo);
  const within = usageSpan(subscription, at);
  const end = startOfDay(shiftDay(localDay(at - 1, timeZone), 1), timeZone);
  return localDay(end, timeZone) > localDay(to, timeZone)
    ? [
        { from: within.from, to },
        { from: to, to: end },
      ]
    : [within];
};

/** What has to be known of usage to do with it what is due, or to end it now. */
export const usageSpans = (subscription: Subscription, now: number, endsNow: boolean): readonly Span[] => {
  const stopped = stoppedAt(subscription);
  if (stopped !== null) return closingSpans(subscription, Date.parse(stopped));
  const to = Date.parse(subscription.periodTo);
  if (subscription.cancelAtPeriodEnd && now >= to) return closingSpans(subscription, to);
  return endsNow ? closingSpans(subscription, now) : [usageSpan(subscription, now)];
};

/**
 * All usage that was not billed yet of what ended, was paused, or ends now, and corrections of what was. It was waited
 * for no longer than it was given, so what comes late is billed when this is asked again.
 */
export const closingUsage = (
  subscription: Subscription,
  now: number,
  quantities: Quantities,
  input: LineInput,
): { readonly lines: readonly DraftLine[]; readonly billedUsage: BilledUsage[] } => {
  if (!hasBegun(subscription)) return { lines: [], billedUsage: subscription.billedUsage };
  let { billedUsage } = subscription;
  const lines: DraftLine[] = [];
  for (const [i, span] of usageSpans(subscription, now, true).entries()) {
    // What a period costs at least is asked for days after it only where they were used.
    const used = usageLines({ ...subscription, billedUsage }, span, quantities, input, { onlyUsed: i > 0 });
    lines.push(...used.lines);
    billedUsage = used.billedUsage;
  }
  return { lines, billedUsage };
};

/**
 * When what was used, and what else waits for an invoice, is billed of a subscription that ends or is paused now: usage
 * is waited for. Null where there is nothing.
 */
export const closesAt = (
  subscription: Subscription,
  { settings, now }: Pick<BillingContext, 'settings' | 'now'>,
): string | null => {
  if (!hasBegun(subscription)) return null;
  if (subscription.items.some(({ meter }) => meter !== null)) return isoTime(now + settings.usageGraceHours * hour);
  return subscription.pending.length > 0 ? isoTime(now) : null;
};
