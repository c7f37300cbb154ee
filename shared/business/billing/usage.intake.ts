import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import { localDay } from './calendar.ts';
import { againOnConflict } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import {
  lateDays,
  type Meter,
  maxEventsADay,
  type UsageEvent,
  type UsageReceipt,
  type UsageSeen,
  type UsageTotals,
} from './meter.schema.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import { pack, shardOf, shortHash, unpack, withEvents } from './usage.totals.ts';

type ReadAll = <T extends object>(store: Store<T>, ids: readonly string[]) => Promise<ReadonlyMap<string, Stored<T>>>;

export interface UsageIntakeOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly meters: TenantStore<Meter>;
  readonly totals: TenantStore<UsageTotals>;
  readonly seen: TenantStore<UsageSeen>;
  readonly customers: TenantStore<Customer>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly readAll: ReadAll;
  readonly clock: Clock;
}

const dayLength = 86_400_000;
/** Clocks of those who send differ. */
const tolerance = 3_600_000;
const maxListed = 100;
/**
 * How long ids are kept after the last of a day came. Longer than an event can be late; by real time, whatever time it is
 * for the tenant.
 */
const remembered = (lateDays + 10) * dayLength;
/** Writes of one commit, which takes 500. */
const maxWrites = 400;

interface Hashed {
  readonly event: UsageEvent;
  readonly hash: string;
}

/** All events of one document of totals, by day. */
interface Unit {
  readonly id: string;
  readonly meter: Meter;
  /** By the id of the day's document of ids that were seen. */
  readonly days: Map<string, { readonly day: string; readonly events: Hashed[] }>;
}

type Reason = UsageReceipt['rejected'][number]['reason'];

const refusalOf = (
  { key, at }: UsageEvent,
  meter: Meter | undefined,
  isCustomer: boolean,
  now: number,
): Reason | undefined => {
  if (!isCustomer) return 'unknown-customer';
  if (meter?.active !== true) return 'unknown-meter';
  if (meter.aggregation === 'unique' && key === undefined) return 'no-key';
  const time = Date.parse(at);
  if (time > now + tolerance) return 'in-the-future';
  return time < now - lateDays * dayLength ? 'too-late' : undefined;
};

/** Groups what is taken by the documents that it goes into. */
const unitsOf = (
  events: readonly UsageEvent[],
  meters: ReadonlyMap<string, Stored<Meter>>,
  timeZone: string,
): readonly Unit[] => {
  const units = new Map<string, Unit>();
  const dayOf = new Map<string, string>();
  for (const event of events) {
    const meter = meters.get(event.meter)?.value;
    if (meter === undefined) continue;
    const hash = shortHash(event.id);
    let day = dayOf.get(event.at);
    if (day === undefined) {
      day = localDay(Date.parse(event.at), timeZone);
      dayOf.set(event.at, day);
    }
    const base = `${shardOf(hash, meter.shards)}~${event.customer}~${event.meter}`;
    const id = `${base}~${day.slice(0, 7)}`;
    const unit: Unit = units.get(id) ?? { id, meter, days: new Map() };
    units.set(id, unit);
    const seenId = `${base}~${day}`;
    const there = unit.days.get(seenId) ?? { day, events: [] };
    unit.days.set(seenId, there);
    there.events.push({ event, hash });
  }
  return [...units.values()];
};

/** Units of at most one commit. */
const chunksOf = (units: readonly Unit[]): readonly (readonly Unit[])[] => {
  const chunks: Unit[][] = [];
  let writes = maxWrites;
  for (const unit of units) {
    const own = 1 + unit.days.size;
    if (writes + own > maxWrites) {
      chunks.push([]);
      writes = 0;
    }
    chunks.at(-1)?.push(unit);
    writes += own;
  }
  return chunks;
};

interface Counted {
  readonly accepted: number;
  readonly duplicates: number;
  readonly tooMany: readonly UsageEvent[];
}

/** Those that were not counted yet. Adds them to the ids, and counts what became of each. */
const freshOf = (
  events: readonly Hashed[],
  ids: Set<string>,
  counted: { accepted: number; duplicates: number; tooMany: UsageEvent[] },
): readonly UsageEvent[] => {
  const fresh: UsageEvent[] = [];
  for (const { event, hash } of events) {
    if (ids.has(hash)) counted.duplicates += 1;
    else if (ids.size >= maxEventsADay) counted.tooMany.push(event);
    else {
      ids.add(hash);
      fresh.push(event);
    }
  }
  counted.accepted += fresh.length;
  return fresh;
};

/**
 * Takes events in. They are added up by customer, meter and day before anything is stored, so that a batch costs two
 * writes for each of those, not one for each event. Beside the sums stand 96 bits of the hash of every event's id: one
 * that is there was counted. Both change in one commit, on the condition that nobody else changed them meanwhile.
 */
export const createUsageIntake = (options: UsageIntakeOptions) => {
  const { database, meters, totals, seen, customers, settings, readAll, clock } = options;

  const countChunk = async (tenant: string, units: readonly Unit[]): Promise<Counted> => {
    // One after the other: ids that were read before the totals could be older than what the totals' revision guards, and
    // what somebody else counted in between would be counted again.
    const sums = await readAll(
      totals.of(tenant),
      units.map(({ id }) => id),
    );
    const known = await readAll(
      seen.of(tenant),
      units.flatMap(({ days }) => [...days.keys()]),
    );
    const counted = { accepted: 0, duplicates: 0, tooMany: [] as UsageEvent[] };
    const newTotals = new Map<string, UsageTotals>();
    const newSeen = new Map<string, UsageSeen>();
    for (const { id, meter, days } of units) {
      const total = { ...(sums.get(id)?.value.days ?? {}) };
      for (const [seenId, { day, events }] of days) {
        const ids = unpack(known.get(seenId)?.value.ids ?? '');
        const fresh = freshOf(events, ids, counted);
        if (fresh.length === 0) continue;
        total[day.slice(8)] = withEvents(total[day.slice(8)], fresh, meter.aggregation);
        newTotals.set(id, { days: total });
        newSeen.set(seenId, {
          count: fresh.length,
          ids: pack(ids),
          expiresAt: isoTime(clock.now() + remembered),
        });
      }
    }
    if (newTotals.size > 0) await commit(tenant, newTotals, newSeen, sums);
    return counted;
  };

  const commit = async (
    tenant: string,
    newTotals: ReadonlyMap<string, UsageTotals>,
    newSeen: ReadonlyMap<string, UsageSeen>,
    sums: ReadonlyMap<string, Stored<UsageTotals>>,
  ): Promise<void> => {
    try {
      await database.transaction((transaction) => {
        for (const [id, value] of newTotals) {
          const read = sums.get(id);
          if (read === undefined) transaction.create(totals.of(tenant), id, value);
          else transaction.update(totals.of(tenant), id, value, { revision: read.revision });
        }
        // Whoever changes these changes their totals too, so that the totals' revision guards both.
        for (const [id, { count, ...value }] of newSeen) transaction.increment(seen.of(tenant), id, { count }, value);
      });
    } catch (error) {
      if (!isOmniError(error, 'already-exists')) throw error;
      throw new OmniError('revision-conflict', 'Somebody else counts the same at once.', { cause: error });
    }
  };

  const judge = (
    events: readonly UsageEvent[],
    known: ReadonlyMap<string, Stored<Meter>>,
    people: ReadonlyMap<string, Stored<Customer>>,
    { now }: BillingContext,
  ) => {
    const reasons = events.map((event) =>
      refusalOf(event, known.get(event.meter)?.value, people.has(event.customer), now),
    );
    const rejected = reasons.flatMap((reason, index) => (reason === undefined ? [] : [{ index, reason }]));
    return { taken: events.filter((_event, i) => reasons[i] === undefined), rejected };
  };

  return async (tenant: string, events: readonly UsageEvent[]): Promise<UsageReceipt> => {
    const unique = (ids: readonly string[]) => [...new Set(ids)];
    const [context, known, people] = await Promise.all([
      settings.contextOf(tenant),
      readAll(meters.of(tenant), unique(events.map(({ meter }) => meter))),
      readAll(customers.of(tenant), unique(events.map(({ customer }) => customer))),
    ]);
    const { taken, rejected } = judge(events, known, people, context);
    const place = new Map(events.map((event, index) => [event, index]));
    let [accepted, duplicates] = [0, 0];
    for (const chunk of chunksOf(unitsOf(taken, known, context.settings.timeZone))) {
      const counted = await againOnConflict(() => countChunk(tenant, chunk));
      accepted += counted.accepted;
      duplicates += counted.duplicates;
      rejected.push(...counted.tooMany.map((event) => ({ index: place.get(event) ?? 0, reason: 'too-many' as const })));
    }
    rejected.sort((a, b) => a.index - b.index);
    return { accepted, duplicates, rejected: rejected.slice(0, maxListed), rejectedCount: rejected.length };
  };
};
