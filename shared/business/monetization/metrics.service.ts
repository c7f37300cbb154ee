import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import { badField } from '../billing/billing.fields.ts';
import type { BillingSettingsService } from '../billing/settings.service.ts';
import { type Cohort, cohorts, revenueMetrics } from './metrics.ts';
import type { Movement } from './movement.schema.ts';

const minor = (description: string) => z.number().meta({ description: `${description} Minor units.` });
const share = (description: string) =>
  z
    .number()
    .nullable()
    .meta({ description: `${description} Null for no base.` });

export const revenueMetricsSchema = z
  .object({
    currency: z.string(),
    from: z.iso.datetime(),
    to: z.iso.datetime(),
    mrrStart: minor('Monthly recurring revenue at the start.'),
    mrr: minor('At the end.'),
    arr: minor('A year of it.'),
    customersStart: z.int(),
    customers: z.int(),
    movements: z
      .object({
        new: minor('First time.'),
        expansion: minor('More of those who are there.'),
        contraction: minor('Less, negative.'),
        churn: minor('All of those who left, negative.'),
        reactivation: minor('Of those who came back.'),
      })
      .meta({ description: 'They sum to the difference of the two.' }),
    netRevenueRetention: share('What those who were there at the start pay now, against then.'),
    grossRevenueRetention: share('The same, without what any of them pays more.'),
    logoChurn: share('How many of them left.'),
    revenueChurn: share('How much of their revenue was lost.'),
    averageRevenue: share('A customer’s, minor units a month.'),
    lifetimeValue: share('Average revenue by the monthly rate at which customers leave, minor units.'),
  })
  .meta({ id: 'RevenueMetrics' });
export type RevenueMetricsView = z.infer<typeof revenueMetricsSchema>;

export const cohortsSchema = z
  .object({
    currency: z.string(),
    cohorts: z.array(
      z.object({
        id: z.string().meta({ description: 'The month in which they began, UTC.', examples: ['2026-01'] }),
        customers: z.int(),
        months: z
          .array(z.object({ customers: z.int(), mrr: minor('Monthly.') }))
          .readonly()
          .meta({ description: 'At the end of each month, from the first.' }),
      }),
    ),
  })
  .meta({ id: 'RevenueCohorts' });

export interface MetricsAsked {
  readonly currency?: string | undefined;
  /** 30 days before `to` where absent. */
  readonly from?: string | undefined;
  /** Now where absent. */
  readonly to?: string | undefined;
}

/** Fails with `precondition-failed` beyond 20,000 movements in one currency: then a warehouse is the place for it. */
export interface MetricsService {
  revenue(actor: Actor, asked: MetricsAsked): Promise<RevenueMetricsView>;
  cohorts(actor: Actor, currency?: string): Promise<{ readonly currency: string; readonly cohorts: Cohort[] }>;
}

export interface MetricsOptions {
  readonly movements: TenantStore<Movement>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
}

const page = 1_000;
const maxMovements = 20_000;
const thirtyDays = 30 * 86_400_000;

export const createMetricsService = ({ movements, settings }: MetricsOptions): MetricsService => {
  const read = async (tenant: string, currency: string, until: string): Promise<readonly Movement[]> => {
    const all: Movement[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const found = await movements.of(tenant).query({
        where: [
          { field: 'currency', op: '==', value: currency },
          { field: 'at', op: '<', value: until },
        ],
        orderBy: { field: 'at', order: 'asc' },
        limit: page,
        cursor,
      });
      all.push(...found.items.map(({ value }) => value));
      cursor = found.nextCursor;
      if (all.length > maxMovements) {
        throw new OmniError('precondition-failed', `There are more than ${maxMovements} movements.`);
      }
    }
    return all;
  };

  return {
    revenue: async ({ tenant }, asked) => {
      const { settings: own, now } = await settings.contextOf(tenant);
      const currency = asked.currency ?? own.currency;
      // What happens at this very moment counts.
      const to = asked.to ?? isoTime(now + 1);
      const from = asked.from ?? isoTime(Date.parse(to) - thirtyDays);
      if (Date.parse(from) >= Date.parse(to)) throw badField('query.from', 'Must be before `to`');
      const span = [isoTime(Date.parse(from)), isoTime(Date.parse(to))] as const;
      const all = await read(tenant, currency, span[1]);
      return { currency, from: span[0], to: span[1], ...revenueMetrics(all, ...span) };
    },
    cohorts: async ({ tenant }, asked) => {
      const { settings: own, now } = await settings.contextOf(tenant);
      const currency = asked ?? own.currency;
      const until = isoTime(now + 1);
      return { currency, cohorts: [...cohorts(await read(tenant, currency, until), until)] };
    },
  };
};
