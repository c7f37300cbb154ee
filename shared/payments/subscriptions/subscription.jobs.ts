import { defineJob } from '../../events/define-job.ts';
import type { TenantStore } from '../../store/store.ts';
import { stripeSubscriptionReceived } from '../../webhooks/index.ts';
import { fromStripe, isNewer } from './stripe-subscription.ts';
import type { Subscription } from './subscription.schema.ts';

export interface SubscriptionJobServices {
  readonly subscriptions: TenantStore<Subscription>;
}

/** Keeps our record as the newest event describes it, in whatever order and however often events arrive. */
export const syncSubscription = defineJob({
  name: 'payments.sync-subscription',
  on: [stripeSubscriptionReceived],
  ordered: true,
  handle: async ({ tenant, data }, { commit }, { subscriptions }: SubscriptionJobServices) => {
    const { id, ...incoming } = fromStripe(data);
    const store = subscriptions.of(tenant);
    await commit(async (transaction) => {
      const current = await transaction.get(store, id);
      if (current === undefined) transaction.create(store, id, incoming);
      else if (isNewer(incoming.version, current.value.version)) {
        transaction.update(store, id, incoming, { revision: current.revision });
      }
    });
  },
});
