import type { Stored, TenantStore } from '../../store/store.ts';
import type { CatalogueService } from './catalogue.service.ts';
import type { Coupon } from './coupon.schema.ts';
import type { CouponService } from './coupon.service.ts';
import type { Customer } from './customer.schema.ts';
import type { Sequence } from './invoice.schema.ts';
import type { BillingContext, BillingSettingsService } from './settings.service.ts';
import type { AdvanceInput } from './subscription.advance.ts';
import { usageSpans } from './subscription.closing.ts';
import { type Quantities, usageQuestions } from './subscription.lines.ts';
import type { Subscription } from './subscription.schema.ts';
import { type UsageReader, usageKey } from './usage.ts';
import type { Wallet } from './wallet.ts';

/** Everything that billing some subscriptions of one tenant needs, read in a few round trips however many they are. */
export interface Ground extends AdvanceInput {
  readonly tenant: string;
  readonly customers: ReadonlyMap<string, Stored<Customer>>;
  readonly wallets: ReadonlyMap<string, Stored<Wallet>>;
  readonly coupons: ReadonlyMap<string, Coupon>;
  readonly sequence: Stored<Sequence> | undefined;
}

export type ReadGround = (
  tenant: string,
  subscriptions: readonly Subscription[],
  more?: {
    readonly prices?: readonly string[];
    readonly coupons?: readonly string[];
    readonly context?: BillingContext;
    /** They may be ended or paused now: usage up to now has to be known. */
    readonly endsNow?: boolean;
  },
) => Promise<Ground>;

export interface GroundOptions {
  readonly customers: TenantStore<Customer>;
  readonly wallets: TenantStore<Wallet>;
  readonly sequences: TenantStore<Sequence>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly catalogue: Pick<CatalogueService, 'offers'>;
  readonly coupons: Pick<CouponService, 'byIds'>;
  readonly usage: UsageReader;
}

const byId = <T extends object>(found: readonly (Stored<T> | undefined)[]): ReadonlyMap<string, Stored<T>> =>
  new Map(found.flatMap((one) => (one === undefined ? [] : [[one.id, one] as const])));

const unique = (ids: readonly string[]): readonly string[] => [...new Set(ids)];

const pricesOf = ({ items, chargedItems, billedUsage, scheduled }: Subscription): readonly string[] => [
  ...(chargedItems ?? []).map(({ price }) => price),
  ...items.map(({ price }) => price),
  ...billedUsage.map(({ price }) => price),
  ...(scheduled?.items ?? []).map(({ price }) => price),
];

export const groundReader = (options: GroundOptions): ReadGround => {
  const { customers, wallets, sequences } = options;

  const readUsage = async (
    tenant: string,
    all: readonly Subscription[],
    now: number,
    endsNow: boolean,
  ): Promise<Quantities> => {
    const questions = [
      ...new Map(
        all.flatMap((one) => usageQuestions(one, usageSpans(one, now, endsNow))).map((one) => [usageKey(one), one]),
      ).values(),
    ];
    const found = questions.length === 0 ? [] : await options.usage.quantities(tenant, questions);
    return new Map(questions.map((question, i) => [usageKey(question), found[i] ?? 0]));
  };

  return async (tenant, all, more = {}) => {
    const ids = unique(all.map(({ customer }) => customer));
    const context = more.context ?? (await options.settings.contextOf(tenant));
    const [offers, coupons, people, purses, sequence, quantities] = await Promise.all([
      options.catalogue.offers(tenant, [...all.flatMap(pricesOf), ...(more.prices ?? [])]),
      options.coupons.byIds(tenant, [
        ...all.flatMap(({ discounts }) => discounts.map(({ coupon }) => coupon)),
        ...(more.coupons ?? []),
      ]),
      customers.of(tenant).getMany(ids),
      wallets.of(tenant).getMany(ids),
      sequences.of(tenant).get(context.settings.invoiceSeries),
      readUsage(tenant, all, context.now, more.endsNow ?? false),
    ]);
    return { tenant, context, offers, coupons, customers: byId(people), wallets: byId(purses), sequence, quantities };
  };
};
