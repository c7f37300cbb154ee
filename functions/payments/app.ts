import {
  paymentCollections,
  paymentJobs,
  paymentSchedules,
  paymentsEraser,
  stripeCollections,
  stripeJobs,
  stripeReconciliation,
} from '#shared/payments/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { payments as paymentRoutes } from './routes/payments.ts';
import { paymentsDisputes } from './routes/payments-disputes.ts';
import { paymentsLedger } from './routes/payments-ledger.ts';
import { paymentsSetup } from './routes/payments-setup.ts';
import { paypal } from './routes/paypal.ts';
import { stripe } from './routes/stripe.ts';
import { stripePayments } from './routes/stripe-payments.ts';
import { stripeSubscriptions } from './routes/stripe-subscriptions.ts';
import type { PaymentServices } from './services.ts';

export const payments = defineFunction<PaymentServices>({
  name: 'payments',
  paths: ['/api/v1/stripe', '/api/v1/paypal', '/api/v1/payments'],
  // What has a name of its own before what is any payment's id.
  routes: (services) => [
    ...stripe(services),
    ...stripePayments(services),
    ...stripeSubscriptions(services),
    ...paypal(services),
    ...paymentsLedger(services),
    ...paymentsDisputes(services),
    ...paymentsSetup(services),
    ...paymentRoutes(services),
  ],
  jobs: [...stripeJobs, ...paymentJobs, paymentsEraser.job],
  schedules: [stripeReconciliation, ...paymentSchedules],
  collections: [...stripeCollections, ...paymentCollections],
  secrets: ['STRIPE_SECRET_KEY'],
});
