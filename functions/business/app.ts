import {
  advanceClock,
  askRefund,
  billDue,
  billingCollections,
  billingRun,
  bookClosed,
  bookCredit,
  bookFinalised,
  bookPaidBack,
  bookPayment,
  bookRefund,
  businessEraser,
  chargeInvoice,
  collectDue,
  creditOverpayment,
  endCredit,
  fanOutBillingRun,
  monetizationCollections,
  noteRefund,
  recordMovement,
  settleCharge,
  startBillingRun,
} from '#shared/business/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { billing } from './routes/billing.ts';
import { billingCatalogue } from './routes/billing-catalogue.ts';
import { billingInvoices } from './routes/billing-invoices.ts';
import { billingMetering } from './routes/billing-metering.ts';
import { billingSubscriptions } from './routes/billing-subscriptions.ts';
import { monetization } from './routes/monetization.ts';
import type { BusinessServices } from './services.ts';

export const business = defineFunction<BusinessServices>({
  name: 'business',
  paths: ['/api/v1/billing', '/api/v1/monetization'],
  routes: (services) => [
    ...billing(services),
    ...billingCatalogue(services),
    ...billingSubscriptions(services),
    ...billingMetering(services),
    ...billingInvoices(services),
    ...monetization(services),
  ],
  jobs: [
    startBillingRun,
    fanOutBillingRun,
    billDue,
    chargeInvoice,
    collectDue,
    endCredit,
    settleCharge,
    askRefund,
    noteRefund,
    creditOverpayment,
    advanceClock,
    bookFinalised,
    bookPayment,
    bookRefund,
    bookPaidBack,
    bookClosed,
    bookCredit,
    recordMovement,
    businessEraser.job,
  ],
  schedules: [billingRun],
  collections: [...billingCollections, ...monetizationCollections],
  secrets: ['TAXJAR_API_KEY', 'ONCHAIN_RPC_URLS'],
});
