import * as z from 'zod';

/** How often a price recurs. */
export const intervalSchema = z
  .strictObject({
    unit: z.enum(['day', 'week', 'month', 'year']).meta({ description: 'Of what.' }),
    count: z
      .int()
      .min(1)
      .max(36)
      .meta({ description: 'How many of it.', examples: [1] }),
  })
  .meta({ id: 'BillingInterval', description: 'How long one billing period is.' });
export type Interval = z.infer<typeof intervalSchema>;

const isZone = (name: string): boolean => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
};

export const timeZoneSchema = z
  .string()
  .max(60)
  .regex(/^[A-Za-z][\w+/-]*$/)
  .refine(isZone, 'Must be a time zone of the IANA database')
  .meta({ description: 'IANA name.', examples: ['Europe/Berlin', 'Etc/UTC'] });

/** A date and time on somebody's wall. Months count from 1. */
interface LocalTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  /** Milliseconds since midnight, as the clock shows it. */
  readonly time: number;
}

const dayLength = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();
const formatOf = (timeZone: string): Intl.DateTimeFormat => {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, format);
  return format;
};

/** How far the zone's clocks are ahead of UTC then. Milliseconds. */
const offsetAt = (at: number, timeZone: string): number => {
  if (timeZone === 'Etc/UTC' || timeZone === 'UTC') return 0;
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  return shown - Math.floor(at / 1_000) * 1_000;
};

const localTime = (at: number, timeZone: string): LocalTime => {
  const shown = new Date(at + offsetAt(at, timeZone));
  const midnight = Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate());
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    time: shown.getTime() - midnight,
  };
};

/**
 * When the zone's clocks show it. Of a time that comes twice in autumn the first; one that spring leaves out counts as
 * if the clocks had not been changed yet.
 */
const instantOf = ({ year, month, day, time }: LocalTime, timeZone: string): number => {
  const shown = Date.UTC(year, month - 1, day) + time;
  const before = offsetAt(shown - dayLength, timeZone);
  const after = offsetAt(shown + dayLength, timeZone);
  const candidates = [shown - before, shown - after].filter((at) => at + offsetAt(at, timeZone) === shown);
  return candidates.length > 0 ? Math.min(...candidates) : shown - before;
};

const daysInMonth = (year: number, month: number): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/**
 * The beginning of the nth period (0 for the anchor itself), milliseconds. Months count from the anchor, so that what
 * begins on 31 January is due on 28 February and on 31 March; the time of day is that of the zone's clocks.
 */
export const periodStart = (anchor: number, { unit, count }: Interval, n: number, timeZone: string): number => {
  const local = localTime(anchor, timeZone);
  const steps = count * n;
  if (unit === 'day' || unit === 'week') {
    const shown = new Date(Date.UTC(local.year, local.month - 1, local.day + steps * (unit === 'week' ? 7 : 1)));
    const [year, month, day] = [shown.getUTCFullYear(), shown.getUTCMonth() + 1, shown.getUTCDate()];
    return instantOf({ year, month, day, time: local.time }, timeZone);
  }
  const months = local.year * 12 + local.month - 1 + steps * (unit === 'year' ? 12 : 1);
  const [year, month] = [Math.floor(months / 12), (months % 12) + 1];
  const day = Math.min(local.day, daysInMonth(year, month));
  return instantOf({ year, month, day, time: local.time }, timeZone);
};

/** The day that the zone's calendars show, `YYYY-MM-DD`. */
export const localDay = (at: number, timeZone: string): string =>
  new Date(at + offsetAt(at, timeZone)).toISOString().slice(0, 10);

/** Days from one day's calendar leaf to another's: 0 within one day, whatever the hours. */
export const daysBetween = (from: number, to: number, timeZone: string): number =>
  (Date.parse(localDay(to, timeZone)) - Date.parse(localDay(from, timeZone))) / dayLength;

/** The first moment of a day in the zone. Milliseconds. */
export const startOfDay = (day: string, timeZone: string): number => {
  const [year = 1970, month = 1, date = 1] = day.split('-').map(Number);
  return instantOf({ year, month, day: date, time: 0 }, timeZone);
};

/** The day before or after a `YYYY-MM-DD`. */
export const shiftDay = (day: string, by: number): string =>
  new Date(Date.parse(day) + by * dayLength).toISOString().slice(0, 10);
