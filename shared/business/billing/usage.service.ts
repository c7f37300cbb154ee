import type { Actor } from '../../kernel/actor.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { AuditLog } from '../../security/index.ts';
import type { Database, Store, Stored, TenantStore } from '../../store/store.ts';
import { writeOver } from './biller.ts';
import { badField, notFound } from './billing.fields.ts';
import { localDay, shiftDay } from './calendar.ts';
import { againOnConflict } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import type {
  DayTotal,
  Meter,
  MeterView,
  NewMeter,
  UsageCorrection,
  UsageEvent,
  UsageReceipt,
  UsageSeen,
  UsageTotals,
  UsageView,
} from './meter.schema.ts';
import type { BillingSettingsService } from './settings.service.ts';
import { createUsageIntake } from './usage.intake.ts';
import { correctedDay, quantityOf } from './usage.totals.ts';
import type { UsageQuestion, UsageReader } from './usage.ts';

/** The last 31 days where no days are given. */
export interface UsageAsked {
  readonly customer: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface UsageService extends UsageReader {
  /** Fails with `already-exists`. */
  createMeter(actor: Actor, input: NewMeter): Promise<MeterView>;
  getMeter(actor: Actor, id: string): Promise<MeterView>;
  /** Newest first. */
  listMeters(actor: Actor, page: PageRequest): Promise<Page<MeterView>>;
  /**
   * Counts at most 10,000 events. Part of them may be counted when it fails (`unavailable`, `revision-conflict`): sent
   * again, each counts once.
   */
  record(actor: Actor, events: readonly UsageEvent[]): Promise<UsageReceipt>;
  /** Sets what a day counts. Fails with `precondition-failed` for a meter of unique keys: what it counted is not known. */
  correct(actor: Actor, meter: string, correction: UsageCorrection): Promise<UsageView>;
  /** Day by day, both ends included; at most 366 days. */
  read(actor: Actor, meter: string, asked: UsageAsked): Promise<UsageView>;
}

export interface UsageServiceOptions {
  readonly database: Pick<Database, 'transaction'>;
  readonly meters: TenantStore<Meter>;
  readonly totals: TenantStore<UsageTotals>;
  readonly seen: TenantStore<UsageSeen>;
  readonly customers: TenantStore<Customer>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

interface DayRange {
  readonly from: string;
  readonly to: string;
}

const maxRead = 1_000;
const longestRead = 366;

/** `YYYY-MM` of every month that has a day in it. */
const monthsOf = (from: string, to: string): readonly string[] => {
  const months: string[] = [];
  let [year = 1970, month = 1] = from.split('-').map(Number);
  const last = shiftDay(to, -1).slice(0, 7);
  for (let name = from.slice(0, 7); name <= last; ) {
    months.push(name);
    [year, month] = month === 12 ? [year + 1, 1] : [year, month + 1];
    name = `${year}-${String(month).padStart(2, '0')}`;
  }
  return months;
};

export const totalsId = (shard: number, customer: string, meter: string, month: string): string =>
  `${shard}~${customer}~${meter}~${month}`;

/** In one round trip for each thousand. */
const readAll = async <T extends object>(store: Store<T>, ids: readonly string[]) => {
  const found = new Map<string, Stored<T>>();
  for (let i = 0; i < ids.length; i += maxRead) {
    for (const one of await store.getMany(ids.slice(i, i + maxRead))) if (one !== undefined) found.set(one.id, one);
  }
  return found;
};

const viewOf = ({ id, value }: Pick<Stored<Meter>, 'id' | 'value'>): MeterView => ({ id, ...value });

export const createUsageService = (options: UsageServiceOptions): UsageService => {
  const { database, meters, totals, customers, settings, audit, clock } = options;
  const intake = createUsageIntake({ ...options, readAll });

  const meterOf = async (tenant: string, id: string): Promise<Stored<Meter>> => {
    const stored = await meters.of(tenant).get(id);
    if (stored === undefined) throw notFound('meter');
    return stored;
  };

  const idsOf = ({ customer, meter, from, to }: UsageQuestion, { shards }: Meter): readonly string[] =>
    monthsOf(from, to).flatMap((month) =>
      Array.from({ length: shards }, (_, shard) => totalsId(shard, customer, meter, month)),
    );

  /** The days of a question, of every shard. */
  const daysOf = (
    question: UsageQuestion,
    meter: Meter,
    found: ReadonlyMap<string, Stored<UsageTotals>>,
  ): readonly (readonly [day: string, total: DayTotal])[] =>
    idsOf(question, meter).flatMap((id) =>
      Object.entries(found.get(id)?.value.days ?? {})
        .map(([number, total]) => [`${id.slice(-7)}-${number}`, total] as const)
        .filter(([day]) => day >= question.from && day < question.to),
    );

  const read = async (
    { tenant }: Actor,
    id: string,
    { customer, from, to }: DayRange & { readonly customer: string },
  ) => {
    const { value: meter } = await meterOf(tenant, id);
    const question = { customer, meter: id, from, to: shiftDay(to, 1) };
    const found = await readAll(totals.of(tenant), idsOf(question, meter));
    const all = daysOf(question, meter, found);
    const byDay = Map.groupBy(all, ([day]) => day);
    return {
      quantity: quantityOf(
        all.map(([, total]) => total),
        meter.aggregation,
      ),
      days: [...byDay]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([day, shards]) => {
          const parts = shards.map(([, total]) => total);
          return {
            day,
            quantity: quantityOf(parts, meter.aggregation),
            events: parts.reduce((n, { count }) => n + count, 0),
          };
        }),
    };
  };

  return {
    createMeter: async (actor, { id, ...input }) => {
      const value: Meter = { ...input, active: true, createdAt: isoTime(clock.now()) };
      await database.transaction(async (transaction) => {
        transaction.create(meters.of(actor.tenant), id, value);
        await audit.record(transaction, actor, {
          action: 'billing.meter.created',
          target: { type: 'meter', id },
          outcome: 'success',
        });
      });
      return viewOf({ id, value });
    },
    getMeter: async ({ tenant }, id) => viewOf(await meterOf(tenant, id)),
    listMeters: async ({ tenant }, { limit, cursor }) => {
      const orderBy = { field: 'createdAt', order: 'desc' } as const;
      const page = await meters.of(tenant).query({ orderBy, limit, cursor });
      return { ...page, items: page.items.map(viewOf) };
    },
    record: ({ tenant }, events) => intake(tenant, events),
    quantities: async (tenant, questions) => {
      const known = await readAll(meters.of(tenant), [...new Set(questions.map(({ meter }) => meter))]);
      const wanted = questions.map((question) => ({ question, meter: known.get(question.meter)?.value }));
      const ids = wanted.flatMap(({ question, meter }) => (meter === undefined ? [] : idsOf(question, meter)));
      const found = await readAll(totals.of(tenant), [...new Set(ids)]);
      return wanted.map(({ question, meter }) => {
        if (meter === undefined) return 0;
        const parts = daysOf(question, meter, found).map(([, total]) => total);
        return quantityOf(parts, meter.aggregation);
      });
    },
    read: async (actor, id, asked) => {
      const { tenant } = actor;
      const [{ settings: own, now }, customer] = await Promise.all([
        settings.contextOf(tenant),
        customers.of(tenant).get(asked.customer),
      ]);
      if (customer === undefined) throw notFound('customer');
      const to = asked.to ?? (asked.from === undefined ? localDay(now, own.timeZone) : shiftDay(asked.from, 30));
      const from = asked.from ?? shiftDay(to, -30);
      if (to < from) throw badField('query.to', 'Must not be before `from`');
      if (shiftDay(from, longestRead) <= to) throw badField('query.to', `At most ${longestRead} days`);
      return read(actor, id, { customer: asked.customer, from, to });
    },
    correct: async (actor, id, { customer, day, value, reason }) => {
      const { tenant } = actor;
      const [{ value: meter }, who] = await Promise.all([meterOf(tenant, id), customers.of(tenant).get(customer)]);
      if (who === undefined) throw badField('body.customer', 'There is no such customer');
      if (meter.aggregation === 'unique') {
        throw new OmniError('precondition-failed', 'Unique keys can’t be set. Send the events that are missing.');
      }
      const { settings: own, now } = await settings.contextOf(tenant);
      if (day > isoTime(now + 86_400_000).slice(0, 10))
        throw badField('body.day', `Must not be in the future (${own.timeZone})`);
      const store = totals.of(tenant);
      const ids = idsOf({ customer, meter: id, from: day, to: shiftDay(day, 1) }, meter);
      await againOnConflict(async () => {
        const found = await readAll(store, ids);
        try {
          await database.transaction(async (transaction) => {
            ids.forEach((one, shard) => {
              const stored = found.get(one);
              const { [day.slice(8)]: _, ...others } = stored?.value.days ?? {};
              if (shard > 0 && stored === undefined) return;
              const days = shard === 0 ? { ...others, [day.slice(8)]: correctedDay(value, day) } : others;
              writeOver(transaction, store, one, { days }, stored);
            });
            await audit.record(transaction, actor, {
              action: 'billing.usage.corrected',
              target: { type: 'billing-customer', id: customer },
              outcome: 'success',
              data: { meter: id, day, value },
              personal: { reason },
              subject: customer,
            });
          });
        } catch (error) {
          if (!isOmniError(error, 'already-exists')) throw error;
          throw new OmniError('revision-conflict', 'It was counted meanwhile.', { cause: error });
        }
      });
      return read(actor, id, { customer, from: day, to: day });
    },
  };
};
