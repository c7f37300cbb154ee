import { defineEraser } from '../erasure/index.ts';
import { billingCollections } from './billing/billing.ts';
import { monetizationCollections } from './monetization/monetization.ts';

export const businessEraser = defineEraser({
  domain: 'business',
  collections: [...billingCollections, ...monetizationCollections],
});
