import { defineJob } from '../../events/define-job.ts';
import type { TenantStore } from '../../store/store.ts';
import { subscriptionChanged } from '../billing/billing.events.ts';
import type { Movement } from './movement.schema.ts';

export interface MovementServices {
  readonly movements: TenantStore<Movement>;
}

/** Keeps what a change of a subscription did to revenue, once. In whatever order changes come, the log says the same. */
export const recordMovement = defineJob({
  name: 'monetization.record-movement',
  on: [subscriptionChanged],
  handle: async ({ id, tenant, data }, { commit }, { movements }: MovementServices) => {
    const { subscriptionId: subscription, customerId: customer, currency, mrrBefore, mrrAfter, at } = data;
    const delta = mrrAfter - mrrBefore;
    if (delta === 0) return;
    await commit((transaction) =>
      transaction.create(movements.of(tenant), id, { customer, subscription, currency, delta, at }),
    );
  },
});
