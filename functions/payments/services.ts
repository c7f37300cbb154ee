import {
  createCryptoService,
  createStripeClient,
  createStripeServices,
  createSubscriptionService,
  subscriptionCollection,
} from '#shared/payments/index.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import { paymentsOn } from '#shared/runtime/payments.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import { createAuditing, subjectCipher } from '#shared/security/index.ts';

export const createServices = (runtime: Runtime) => {
  const { database, makeEvent, newId, clock, blobs, lockedBlobs: rootBlobs } = runtime;
  const subscriptions = database.tenants(subscriptionCollection);
  const { audit } = createAuditing({ ...runtime, blobs, rootBlobs, cipher: subjectCipher(runtime.keyRings) });
  const stripeClient = createStripeClient({ ...runtime.config.stripe, clock });
  const { payments, onchain } = paymentsOn(runtime, audit);
  return {
    erasing: erasingOf(runtime),
    ...createStripeServices({ database, client: stripeClient, ledger: payments.ledger, makeEvent, newId, clock }),
    onchain,
    crypto: createCryptoService({ database, onchain, payments, audit, clock }),
    subscriptions,
    subscriptionService: createSubscriptionService(subscriptions),
    ...payments,
  };
};

export type PaymentServices = ReturnType<typeof createServices>;
