import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Filter, Stored, TenantStore } from '../../store/store.ts';
import type { Subscription, SubscriptionView } from './subscription.schema.ts';

export interface SubscriptionQuery extends PageRequest {
  readonly status?: Subscription['status'] | undefined;
  readonly customer?: string | undefined;
}

export interface SubscriptionService {
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<SubscriptionView>;
  /** The last changed first. */
  list(actor: Actor, query: SubscriptionQuery): Promise<Page<SubscriptionView>>;
}

const view = ({ id, value: { fetchedAt: _, ...subscription } }: Stored<Subscription>): SubscriptionView => ({
  id,
  ...subscription,
});

export const createSubscriptionService = (subscriptions: TenantStore<Subscription>): SubscriptionService => ({
  get: async (actor, id) => {
    const stored = await subscriptions.of(actor.tenant).get(id);
    if (stored === undefined) throw new OmniError('not-found', 'There is no such subscription.');
    return view(stored);
  },
  list: async (actor, { status, customer, limit, cursor }) => {
    const where: Filter[] = [];
    if (customer !== undefined) where.push({ field: 'customer', op: '==', value: customer });
    if (status !== undefined) where.push({ field: 'status', op: '==', value: status });
    const page = await subscriptions
      .of(actor.tenant)
      .query({ where, orderBy: { field: 'updatedAt', order: 'desc' }, limit, cursor });
    return { ...page, items: page.items.map(view) };
  },
});
