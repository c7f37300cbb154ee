import { stripeCollections, stripeJobs, stripeReconciliation } from '#shared/payments/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { stripe } from './routes/stripe.ts';
import { stripePayments } from './routes/stripe-payments.ts';
import { stripeSubscriptions } from './routes/stripe-subscriptions.ts';
import type { PaymentServices } from './services.ts';

export const payments = defineFunction<PaymentServices>({
  name: 'payments',
  paths: ['/api/v1/stripe'],
  routes: (services) => [...stripe(services), ...stripePayments(services), ...stripeSubscriptions(services)],
  jobs: [...stripeJobs],
  schedules: [stripeReconciliation],
  collections: [...stripeCollections],
  secrets: ['STRIPE_SECRET_KEY'],
});
