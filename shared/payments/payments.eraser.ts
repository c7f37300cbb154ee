import { defineEraser } from '../erasure/index.ts';
import { paymentCollections } from './compose.ts';
import { onchainCollections } from './onchain/onchain.schema.ts';
import { stripeCollections } from './stripe/stripe.services.ts';

export const paymentsEraser = defineEraser({
  domain: 'payments',
  collections: [...stripeCollections, ...paymentCollections, ...onchainCollections],
});
