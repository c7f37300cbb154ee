export {
  accountIdSchema,
  gatewayAccountCollection,
  gatewayAccountSettingsSchema,
  gatewayAccountViewSchema,
  gatewayNameSchema,
  modeSchema,
  newGatewayAccountSchema,
} from './accounts/gateway-account.schema.ts';
export type { OpenGateway } from './accounts/gateway-account.service.ts';
export { createPayments, type Payments, type PaymentsOptions, paymentCollections } from './compose.ts';
export { disputeStatusSchema, disputeViewSchema } from './disputes/dispute.schema.ts';
export type { DisputeService } from './disputes/dispute.service.ts';
export { acmePay } from './gateways/acmepay.ts';
export { btcPayGateway } from './gateways/btcpay.ts';
export type { Gateway, GatewayName } from './gateways/gateway.ts';
export { createPayPalClient } from './gateways/paypal.client.ts';
export { paypalGateway } from './gateways/paypal.ts';
export { createStripeClient, ownAccount, type StripeClient } from './gateways/stripe.client.ts';
export { stripeGateway } from './gateways/stripe.ts';
export { accountOf, type Book, chart, inBook } from './ledger/chart.ts';
export { holdJobs, holdSweep } from './ledger/holds.jobs.ts';
export type { HoldRequest, LedgerHolds } from './ledger/holds.ts';
export {
  entryViewSchema,
  ledgerAccountViewSchema,
  statementViewSchema,
  transactionInputSchema,
  transactionViewSchema,
  trialBalanceViewSchema,
} from './ledger/ledger.schema.ts';
export type { Ledger } from './ledger/ledger.service.ts';
export type { LedgerLine, LedgerTransaction } from './ledger/posting.ts';
export { chainsOf } from './onchain/chains.ts';
export * as cryptoSchemas from './onchain/crypto.schema.ts';
export { type CryptoService, createCryptoService } from './onchain/crypto.service.ts';
export { onchainJobs, onchainSchedules } from './onchain/onchain.jobs.ts';
export { onchainCollections } from './onchain/onchain.schema.ts';
export { createOnchain, type Onchain } from './onchain/onchain.ts';
export { coinbaseRates, type Rates } from './onchain/rates.ts';
export { gatewayBalanceViewSchema, reconciliationViewSchema } from './payments/balances.ts';
export {
  disputeLost,
  disputeWon,
  type PaymentEventData,
  paymentCanceled,
  paymentDisputed,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
  receiptAccepted,
  receiptHeld,
  receiptReturned,
  refundFailed,
} from './payments/payment.events.ts';
export { type PaymentJobServices, paymentJobs, paymentSchedules } from './payments/payment.jobs.ts';
export {
  captureInputSchema,
  factViewSchema,
  nextActionSchema,
  type PaymentInput,
  type PaymentView,
  parkedViewSchema,
  paymentCollection,
  paymentInputSchema,
  paymentStatusSchema,
  paymentViewSchema,
  type Refund,
  type RefundInput,
  refundInputSchema,
  refundViewSchema,
  routeViewSchema,
  sourceSchema as paymentSourceSchema,
} from './payments/payment.schema.ts';
export type { PaymentService } from './payments/payment.service.ts';
export { paymentsEraser } from './payments.eraser.ts';
export { newPayPalOrderSchema, payPalOrderViewSchema } from './paypal/paypal-order.schema.ts';
export type { PayPalOrders } from './paypal/paypal-orders.service.ts';
export { routingRuleInputSchema, routingRuleViewSchema } from './routing/routing-rule.schema.ts';
export { stripeInvoicePaid, stripeRecordChanged, stripeSubscriptionEnded } from './stripe/stripe.events.ts';
export { stripeJobs, stripeReconciliation } from './stripe/stripe.jobs.ts';
export * as stripeSchemas from './stripe/stripe.schema.ts';
export { createStripeServices, stripeCollections } from './stripe/stripe.services.ts';
export { stripeCustomerCollection, stripeCustomerView } from './stripe/stripe-customer.schema.ts';
export { stripeInvoiceCollection, stripeInvoiceView } from './stripe/stripe-invoice.schema.ts';
export { stripePayoutCollection, stripePayoutView } from './stripe/stripe-payout.schema.ts';
export { subscriptionCollection, subscriptionStatus, subscriptionView } from './subscriptions/subscription.schema.ts';
export { createSubscriptionService, type SubscriptionService } from './subscriptions/subscription.service.ts';
