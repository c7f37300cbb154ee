import { createHash } from 'node:crypto';
import type { DayTotal, Meter, UsageEvent } from './meter.schema.ts';

/** Characters of a hash: 12 bytes in base64url. Of a million in one place, two meet with a chance of 2^-57. */
const width = 16;

export const shortHash = (text: string): string =>
  createHash('sha256').update(text).digest('base64url').slice(0, width);

/** Hashes that stand end to end. */
export const unpack = (packed: string): Set<string> => {
  const all = new Set<string>();
  for (let i = 0; i < packed.length; i += width) all.add(packed.slice(i, i + width));
  return all;
};
export const pack = (hashes: Iterable<string>): string => [...hashes].join('');

export const shardOf = (hash: string, shards: number): number =>
  shards === 1 ? 0 : (Buffer.from(hash.slice(0, 4), 'base64url')[0] ?? 0) % shards;

const nothing: DayTotal = { count: 0, sum: 0, max: 0, last: 0, lastAt: '', lastId: '' };

const isLater = (event: UsageEvent, { lastAt, lastId }: DayTotal): boolean => {
  const at = new Date(event.at).toISOString();
  return at > lastAt || (at === lastAt && event.id > lastId);
};

/** A day with some more events in it. In whatever order they come, the result is the same. */
export const withEvents = (
  day: DayTotal | undefined,
  events: readonly UsageEvent[],
  aggregation: Meter['aggregation'],
): DayTotal => {
  const total = { ...(day ?? nothing) };
  const keys = aggregation === 'unique' ? unpack(total.keys ?? '') : undefined;
  for (const event of events) {
    total.count += 1;
    total.sum += event.value;
    total.max = Math.max(total.max, event.value);
    if (isLater(event, total)) {
      total.last = event.value;
      total.lastAt = new Date(event.at).toISOString();
      total.lastId = event.id;
    }
    keys?.add(shortHash(event.key ?? ''));
  }
  return keys === undefined ? total : { ...total, keys: pack(keys) };
};

/** What a correction makes of a day: the value in the one shard, nothing in the others. */
export const correctedDay = (value: number, day: string): DayTotal => ({
  count: 1,
  sum: value,
  max: value,
  last: value,
  lastAt: `${day}T00:00:00.000Z`,
  lastId: 'correction',
});

/** Days and shards in one quantity. */
export const quantityOf = (days: readonly DayTotal[], aggregation: Meter['aggregation']): number => {
  switch (aggregation) {
    case 'sum':
      return days.reduce((sum, day) => sum + day.sum, 0);
    case 'max':
      return days.reduce((max, day) => Math.max(max, day.max), 0);
    case 'last':
      return days.reduce(
        (latest, day) =>
          day.lastAt > latest.lastAt || (day.lastAt === latest.lastAt && day.lastId > latest.lastId) ? day : latest,
        nothing,
      ).last;
    case 'unique': {
      const all = new Set<string>();
      for (const { keys } of days) for (const key of unpack(keys ?? '')) all.add(key);
      return all.size;
    }
  }
};
