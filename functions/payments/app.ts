import {
  holdJobs,
  holdSweep,
  onchainCollections,
  onchainJobs,
  onchainSchedules,
  paymentCollections,
  paymentJobs,
  paymentSchedules,
  paymentsEraser,
  stripeCollections,
  stripeJobs,
  stripeReconciliation,
} from '#shared/payments/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { crypto } from './routes/crypto.ts';
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
  paths: ['/api/v1/stripe', '/api/v1/paypal', '/api/v1/payments', '/api/v1/crypto'],
  // What has a name of its own before what is any payment's id.
  routes: (services) => [
    ...stripe(services),
    ...stripePayments(services),
    ...stripeSubscriptions(services),
    ...crypto(services),
    ...paypal(services),
    ...paymentsLedger(services),
    ...paymentsDisputes(services),
    ...paymentsSetup(services),
    ...paymentRoutes(services),
  ],
  jobs: [...stripeJobs, ...paymentJobs, ...holdJobs, ...onchainJobs, paymentsEraser.job],
  schedules: [stripeReconciliation, ...paymentSchedules, holdSweep, ...onchainSchedules],
  collections: [...stripeCollections, ...paymentCollections, ...onchainCollections],
  secrets: ['STRIPE_SECRET_KEY', 'ONCHAIN_RPC_URLS'],
});
