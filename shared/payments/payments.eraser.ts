import { defineEraser } from '../erasure/index.ts';
import { subscriptionCollection } from './subscriptions/subscription.schema.ts';

export const paymentsEraser = defineEraser({ domain: 'payments', collections: [subscriptionCollection] });
