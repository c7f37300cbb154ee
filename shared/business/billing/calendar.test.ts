import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoTime } from '../../kernel/clock.ts';
import { daysBetween, type Interval, localDay, periodStart, startOfDay } from './calendar.ts';

fc.configureGlobal({ seed: 20_260_101 });

const month: Interval = { unit: 'month', count: 1 };
const starts = (anchor: string, interval: Interval, count: number, zone = 'Etc/UTC'): string[] =>
  Array.from({ length: count }, (_, n) => isoTime(periodStart(Date.parse(anchor), interval, n, zone)));

describe('periods', () => {
  it('that begin on the last of January end on the last of February, and are back on the 31st in March', () => {
    expect(starts('2026-01-31T09:30:00Z', month, 4)).toEqual([
      '2026-01-31T09:30:00.000Z',
      '2026-02-28T09:30:00.000Z',
      '2026-03-31T09:30:00.000Z',
      '2026-04-30T09:30:00.000Z',
    ]);
  });

  it('know leap years', () => {
    expect(starts('2028-01-30T00:00:00Z', month, 2)[1]).toBe('2028-02-29T00:00:00.000Z');
    expect(starts('2028-02-29T00:00:00Z', { unit: 'year', count: 1 }, 5).map((at) => at.slice(0, 10))).toEqual([
      '2028-02-29',
      '2029-02-28',
      '2030-02-28',
      '2031-02-28',
      '2032-02-29',
    ]);
  });

  it('keep the time of day of the tenant’s clocks when these are changed', () => {
    // Berlin is an hour ahead in winter and two in summer: 09:00 there.
    expect(starts('2026-03-15T08:00:00Z', month, 2, 'Europe/Berlin')[1]).toBe('2026-04-15T07:00:00.000Z');
    expect(starts('2026-10-24T07:00:00Z', { unit: 'day', count: 1 }, 2, 'Europe/Berlin')[1]).toBe(
      '2026-10-25T08:00:00.000Z',
    );
  });

  it('count months by the tenant’s calendar, not by UTC', () => {
    // 23:30 of 31 January in New York is 1 February in UTC.
    expect(starts('2026-02-01T04:30:00Z', month, 2, 'America/New_York')[1]).toBe('2026-03-01T04:30:00.000Z');
    expect(localDay(Date.parse('2026-02-01T04:30:00Z'), 'America/New_York')).toBe('2026-01-31');
  });

  it('follow each other, whatever the zone', () => {
    const interval = fc.record<Interval>({
      unit: fc.constantFrom('day', 'week', 'month', 'year'),
      count: fc.integer({ min: 1, max: 12 }),
    });
    const anchor = fc.integer({ min: Date.parse('2000-01-01'), max: Date.parse('2040-01-01') });
    const zone = fc.constantFrom('Etc/UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia');
    fc.assert(
      fc.property(anchor, interval, fc.integer({ min: 0, max: 30 }), zone, (at, one, n, where) => {
        const [from, to] = [periodStart(at, one, n, where), periodStart(at, one, n + 1, where)];
        expect(to).toBeGreaterThan(from);
        expect(daysBetween(from, to, where)).toBeGreaterThanOrEqual(1);
        if (n === 0 && where !== 'Pacific/Apia') expect(Math.abs(from - at)).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });
});

describe('days', () => {
  it('are those of the calendar, also when a day has 23 or 25 hours', () => {
    const days = (from: string, to: string) => daysBetween(Date.parse(from), Date.parse(to), 'Europe/Berlin');
    expect(days('2026-03-28T12:00:00+01:00', '2026-03-30T00:00:00+02:00')).toBe(2);
    expect(days('2026-10-25T00:00:00+02:00', '2026-10-26T00:00:00+01:00')).toBe(1);
  });

  it('begin at midnight there', () => {
    expect(isoTime(startOfDay('2026-07-01', 'Europe/Berlin'))).toBe('2026-06-30T22:00:00.000Z');
  });
});
