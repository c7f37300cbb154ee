import { paymentsEraser, subscriptionCollection, syncSubscription } from '#shared/payments/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { stripe } from './routes/stripe.ts';
import type { PaymentServices } from './services.ts';

export const payments = defineFunction<PaymentServices>({
  name: 'payments',
  paths: ['/api/v1/stripe'],
  routes: stripe,
  jobs: [syncSubscription, paymentsEraser.job],
  schedules: [],
  collections: [subscriptionCollection],
  secrets: [],
});
