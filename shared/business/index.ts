export {
  billingDue,
  creditMoved,
  invoiceClosed,
  invoiceFinalised,
  invoiceOverpaid,
  invoicePaid,
  invoicePaidBack,
  invoicePaymentReceived,
  invoicePaymentRefunded,
  invoiceRefundAsked,
  subscriptionChanged,
} from './billing/billing.events.ts';
export { currencySchema, maxSeats, moneySchema as billingMoneySchema, referenceOf } from './billing/billing.fields.ts';
export { type Billing, billingCollections, billingEncryptedCollections, createBilling } from './billing/billing.ts';
export {
  type BillingRunServices,
  billDue,
  billingRun,
  fanOutBillingRun,
  startBillingRun,
} from './billing/billing-run.jobs.ts';
export {
  type BooksServices,
  bookClosed,
  bookCredit,
  bookFinalised,
  bookPaidBack,
  bookPayment,
  bookRefund,
} from './billing/books.jobs.ts';
export {
  type BookEntry,
  type Books,
  type ChargeRequest,
  type ChargeResult,
  type Charges,
  chargeActionSchema,
  chargeSourcesSchema,
  type RefundRequest,
  type RefundResult,
} from './billing/charges.ts';
export { checkoutInputSchema, checkoutViewSchema } from './billing/checkout.service.ts';
export { type CollectionServices, chargeInvoice, collectDue, settleCharge } from './billing/collection.jobs.ts';
export {
  activeChangeSchema,
  codeSchema,
  couponViewSchema,
  newCouponSchema,
  newPromotionCodeSchema,
  promotionCodeViewSchema,
} from './billing/coupon.schema.ts';
export { customerChangeSchema, customerViewSchema, newCustomerSchema } from './billing/customer.schema.ts';
export {
  type Entitlement,
  type EntitlementDecision,
  type Entitlements,
  entitlementDecisionSchema,
  entitlementSchema,
} from './billing/entitlements.ts';
export { invoiceStatusSchema, invoiceViewSchema, newInvoiceSchema, refundWays } from './billing/invoice.schema.ts';
export { ledgerBooks, ledgerNames } from './billing/ledger-books.ts';
export {
  maxBatch as maxUsageBatch,
  meterViewSchema,
  newMeterSchema,
  usageCorrectionSchema,
  usageEventSchema,
  usageReceiptSchema,
  usageViewSchema,
} from './billing/meter.schema.ts';
export { paymentCharges } from './billing/payment-charges.ts';
export { pricePartSchema } from './billing/price.amount.ts';
export { newPriceSchema, priceChangeSchema, priceViewSchema } from './billing/price.schema.ts';
export {
  featureKeySchema,
  newProductSchema,
  productChangeSchema,
  productViewSchema,
} from './billing/product.schema.ts';
export { askRefund, creditOverpayment, noteRefund, type RefundServices } from './billing/refund.jobs.ts';
export { billingSettingsSchema, billingSettingsViewSchema } from './billing/settings.schema.ts';
export {
  billingSubscriptionViewSchema,
  cancellationSchema,
  newSubscriptionSchema,
  pauseSchema,
  subscriptionChangeSchema,
} from './billing/subscription.schema.ts';
export { subscriptionStatusSchema } from './billing/subscription.state.ts';
export { taxJar } from './billing/taxjar.ts';
export { advanceClock, type TestClockServices } from './billing/test-clock.jobs.ts';
export { vies } from './billing/vies.ts';
export { endCredit, type WalletJobServices } from './billing/wallet.jobs.ts';
export { newCreditSchema, newHoldSchema, walletViewSchema } from './billing/wallet.service.ts';
export { businessEraser } from './business.eraser.ts';
export {
  experimentResultSchema,
  experimentViewSchema,
  newExperimentSchema,
} from './monetization/experiment.schema.ts';
export { cohortsSchema, revenueMetricsSchema } from './monetization/metrics.service.ts';
export { createMonetization, monetizationCollections } from './monetization/monetization.ts';
export { type MovementServices, recordMovement } from './monetization/movement.jobs.ts';
export { paywallSchema, planSchema } from './monetization/plan.service.ts';
