import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Stored, TenantStore } from '../../store/store.ts';
import { notFound } from '../billing/billing.fields.ts';
import type { Customer } from '../billing/customer.schema.ts';
import { decide, type Entitlement, type Entitlements, entitlementDecisionSchema } from '../billing/entitlements.ts';
import { type Price, priceViewSchema } from '../billing/price.schema.ts';
import { type Product, productViewSchema } from '../billing/product.schema.ts';

export const planSchema = z
  .object({ id: z.string(), product: productViewSchema, prices: z.array(priceViewSchema) })
  .meta({ id: 'SoldPlan', description: 'A product that is sold, with the prices that it can be had at.' });
export type Plan = z.infer<typeof planSchema>;

export const paywallSchema = z
  .object({
    ...entitlementDecisionSchema.shape,
    offers: z.array(planSchema).meta({ description: 'Where it is refused: plans that would allow it, at most five.' }),
  })
  .meta({ id: 'PaywallDecision' });
export type Paywall = z.infer<typeof paywallSchema>;

export interface PlanService {
  /** Products that are sold, by id. */
  list(actor: Actor, page: PageRequest): Promise<Page<Plan>>;
  /** Fails with `not-found` where there is no such customer. */
  entitlements(actor: Actor, customer: string): Promise<readonly Entitlement[]>;
  /** Whether a customer may do something, and what they could buy to. A warm decision that allows reads nothing. */
  decide(actor: Actor, asked: { customer: string; feature: string; amount: number }): Promise<Paywall>;
}

export interface PlanServiceOptions {
  readonly products: TenantStore<Product>;
  readonly prices: TenantStore<Price>;
  readonly customers: TenantStore<Customer>;
  readonly entitlements: Entitlements;
}

/** What Firestore takes of alternatives in one query. */
const together = 30;
const maxPrices = 1_000;
const maxOffers = 5;
/** Products that are looked at for an offer. */
const maxLooked = 100;

export const createPlanService = ({ products, prices, customers, entitlements }: PlanServiceOptions): PlanService => {
  const pricesOf = async (tenant: string, ids: readonly string[]): Promise<readonly Stored<Price>[]> => {
    const found: Stored<Price>[] = [];
    for (let i = 0; i < ids.length; i += together) {
      const { items } = await prices.of(tenant).query({
        where: [{ field: 'product', op: 'in', value: ids.slice(i, i + together) }],
        orderBy: { field: 'createdAt', order: 'desc' },
        limit: maxPrices,
      });
      found.push(...items);
    }
    return found.filter(({ value }) => value.active);
  };

  const plansOf = async (tenant: string, sold: readonly Stored<Product>[]): Promise<Plan[]> => {
    const all = await pricesOf(
      tenant,
      sold.map(({ id }) => id),
    );
    return sold.map(({ id, value }) => ({
      id,
      product: { id, ...value },
      prices: all.filter((price) => price.value.product === id).map((price) => ({ id: price.id, ...price.value })),
    }));
  };

  /** Whether whoever has nothing but this product could do it. */
  const allows = ({ value }: Stored<Product>, feature: string, amount: number): boolean =>
    decide(
      value.features.map((grant) => ({
        feature: grant.feature,
        kind: grant.kind,
        limit: grant.kind === 'switch' ? null : grant.limit,
        used: 0,
      })),
      feature,
      amount,
    ).allowed;

  return {
    list: async ({ tenant }, { limit, cursor }) => {
      const page = await products
        .of(tenant)
        .query({ where: [{ field: 'active', op: '==', value: true }], limit, cursor });
      return { ...page, items: await plansOf(tenant, page.items) };
    },
    entitlements: async ({ tenant }, customer) => {
      if ((await customers.of(tenant).get(customer)) === undefined) throw notFound('customer');
      return entitlements.of(tenant, customer);
    },
    decide: async ({ tenant }, { customer, feature, amount }) => {
      const decision = await entitlements.check(tenant, customer, feature, amount);
      if (decision.allowed) return { ...decision, offers: [] };
      const where = [{ field: 'active', op: '==', value: true }] as const;
      const { items } = await products.of(tenant).query({ where, limit: maxLooked });
      const wanted = amount + (decision.entitlement?.used ?? 0);
      const better = items.filter((product) => allows(product, feature, wanted)).slice(0, maxOffers);
      return { ...decision, offers: (await plansOf(tenant, better)).filter((plan) => plan.prices.length > 0) };
    },
  };
};
