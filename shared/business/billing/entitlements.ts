import * as z from 'zod';
import type { Cache } from '../../cache/cache.ts';
import type { TenantStore } from '../../store/store.ts';
import { localDay, shiftDay } from './calendar.ts';
import type { CatalogueService } from './catalogue.service.ts';
import type { Grant } from './product.schema.ts';
import type { BillingSettingsService } from './settings.service.ts';
import { usageSpan } from './subscription.lines.ts';
import type { Subscription } from './subscription.schema.ts';
import type { UsageReader } from './usage.ts';

export const entitlementSchema = z
  .object({
    feature: z.string(),
    kind: z.enum(['switch', 'limit', 'usage']),
    limit: z.number().nullable().meta({ description: 'Null for no limit, and of a switch.' }),
    used: z.number().nullable().meta({ description: 'In this billing period, of `usage`; else null.' }),
  })
  .meta({ id: 'Entitlement', description: 'Something that a customer may do.' });
export type Entitlement = z.infer<typeof entitlementSchema>;

export const entitlementDecisionSchema = z
  .object({
    allowed: z.boolean(),
    reason: z
      .enum(['granted', 'not-in-plan', 'limit-reached'])
      .meta({ description: '`limit-reached`: what they have is not enough.' }),
    entitlement: entitlementSchema.nullable(),
  })
  .meta({ id: 'EntitlementDecision' });
export type EntitlementDecision = z.infer<typeof entitlementDecisionSchema>;

export interface Entitlements {
  /** What a customer may do, of all that they have. Up to 30 s old. */
  of(tenant: string, customer: string): Promise<readonly Entitlement[]>;
  /**
   * Whether a customer may do something. `amount` is how many they would then have of a limit, or how many more of usage
   * they want. Once it is known on an instance it reads nothing for 30 s.
   */
  check(tenant: string, customer: string, feature: string, amount?: number): Promise<EntitlementDecision>;
}

export interface EntitlementsOptions {
  readonly cache: Cache;
  readonly subscriptions: TenantStore<Subscription>;
  readonly catalogue: Pick<CatalogueService, 'offers'>;
  readonly settings: Pick<BillingSettingsService, 'contextOf'>;
  readonly usage: UsageReader;
}

/** Seconds. */
const trust = 30;
/** Of one customer at a time. */
const maxSubscriptions = 50;

/** The better of two grants of one feature: without a limit, or with the greater one. */
const better = (a: Entitlement, b: Entitlement): Entitlement => {
  if (a.kind === 'switch' || a.limit === null) return a;
  return b.kind !== 'switch' && b.limit !== null && b.limit <= a.limit ? a : b;
};

export const decide = (all: readonly Entitlement[], feature: string, amount: number): EntitlementDecision => {
  const entitlement = all.find((one) => one.feature === feature);
  if (entitlement === undefined) return { allowed: false, reason: 'not-in-plan', entitlement: null };
  const { kind, limit, used } = entitlement;
  const wanted = kind === 'usage' ? (used ?? 0) + amount : amount;
  const isEnough = kind === 'switch' || limit === null || wanted <= limit;
  return { allowed: isEnough, reason: isEnough ? 'granted' : 'limit-reached', entitlement };
};

export const createEntitlements = (options: EntitlementsOptions): Entitlements => {
  const { cache, subscriptions, catalogue, settings, usage } = options;
  const cached = cache.reader(trust, (value) => z.array(entitlementSchema).parse(value));

  const load = async (tenant: string, customer: string): Promise<readonly Entitlement[]> => {
    const { items } = await subscriptions.of(tenant).query({
      where: [
        { field: 'customer', op: '==', value: customer },
        { field: 'status', op: 'in', value: ['trialing', 'active', 'past-due'] },
      ],
      limit: maxSubscriptions,
    });
    if (items.length === 0) return [];
    const [{ now }, offers] = await Promise.all([
      settings.contextOf(tenant),
      catalogue.offers(
        tenant,
        items.flatMap(({ value }) => value.items.map(({ price }) => price)),
      ),
    ]);
    const granted = items.flatMap(({ value }) =>
      value.items.flatMap(({ price }) =>
        (offers.get(price)?.product.value.features ?? []).map((grant) => ({ grant, subscription: value })),
      ),
    );
    const counted = granted.flatMap(({ grant, subscription }) =>
      grant.kind === 'usage' ? [{ grant, question: questionOf(grant, subscription, customer, now) }] : [],
    );
    const quantities = await usage.quantities(
      tenant,
      counted.map(({ question }) => question),
    );
    const used = new Map<Grant, number>(counted.map(({ grant }, i) => [grant, quantities[i] ?? 0]));
    const best = new Map<string, Entitlement>();
    for (const { grant } of granted) {
      const one: Entitlement = {
        feature: grant.feature,
        kind: grant.kind,
        limit: grant.kind === 'switch' ? null : grant.limit,
        used: used.get(grant) ?? null,
      };
      const other = best.get(grant.feature);
      best.set(grant.feature, other === undefined ? one : better(other, one));
    }
    return [...best.values()].sort((a, b) => (a.feature < b.feature ? -1 : 1));
  };

  const of: Entitlements['of'] = (tenant, customer) =>
    cached(`entitlements:${tenant}:${customer}`, async () => [...(await load(tenant, customer))]);

  return {
    of,
    check: async (tenant, customer, feature, amount = 1) => decide(await of(tenant, customer), feature, amount),
  };
};

/** Usage of the period so far, today included. */
const questionOf = (
  { meter }: Extract<Grant, { kind: 'usage' }>,
  subscription: Subscription,
  customer: string,
  now: number,
) => {
  const { timeZone } = subscription;
  const span = usageSpan(subscription, now);
  const from = localDay(span.from, timeZone);
  const to = localDay(span.to, timeZone);
  return { customer, meter, from, to: to > from ? to : shiftDay(from, 1) };
};
