import { createSubscriptionService, subscriptionCollection } from '#shared/payments/index.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export const createServices = ({ database }: Runtime) => {
  const subscriptions = database.tenants(subscriptionCollection);
  return { subscriptions, subscriptionService: createSubscriptionService(subscriptions) };
};

export type PaymentServices = ReturnType<typeof createServices>;
