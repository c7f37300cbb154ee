import {
  createStripeClient,
  createStripeServices,
  createSubscriptionService,
  subscriptionCollection,
} from '#shared/payments/index.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

export const createServices = ({ config, database, makeEvent, newId, clock }: Runtime) => {
  const client = createStripeClient({ ...config.stripe, clock });
  return {
    subscriptionService: createSubscriptionService(database.tenants(subscriptionCollection)),
    ...createStripeServices({ database, client, makeEvent, newId, clock }),
  };
};

export type PaymentServices = ReturnType<typeof createServices>;
