import { createSubscriptionService, subscriptionCollection } from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasers.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export const createServices = (runtime: Runtime) => {
  const subscriptions = runtime.database.tenants(subscriptionCollection);
  return { erasing: erasingOf(runtime), subscriptions, subscriptionService: createSubscriptionService(subscriptions) };
};

export type PaymentServices = ReturnType<typeof createServices>;
