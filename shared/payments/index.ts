export {
  accountIdSchema,
  gatewayAccountCollection,
  gatewayAccountSettingsSchema,
  gatewayAccountViewSchema,
  modeSchema,
  newGatewayAccountSchema,
} from './accounts/gateway-account.schema.ts';
export type { OpenGateway } from './accounts/gateway-account.service.ts';
export { createPayments, type Payments, type PaymentsOptions, paymentCollections } from './compose.ts';
export { acmePay } from './gateways/acmepay.ts';
export type { Gateway, GatewayName } from './gateways/gateway.ts';
export { accountOf, type Book, chart, inBook } from './ledger/chart.ts';
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
export { reconciliationViewSchema } from './payments/balances.ts';
export {
  disputeLost,
  disputeWon,
  type PaymentEventData,
  paymentCanceled,
  paymentDisputed,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
  refundFailed,
} from './payments/payment.events.ts';
export { type PaymentJobServices, paymentJobs, paymentSchedules } from './payments/payment.jobs.ts';
export {
  captureInputSchema,
  factViewSchema,
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
} from './payments/payment.schema.ts';
export type { PaymentService } from './payments/payment.service.ts';
export { routingRuleInputSchema, routingRuleViewSchema } from './routing/routing-rule.schema.ts';
export { paymentsEraser } from './payments.eraser.ts';
export { syncSubscription } from './subscriptions/subscription.jobs.ts';
export { subscriptionCollection, subscriptionStatus, subscriptionView } from './subscriptions/subscription.schema.ts';
export { createSubscriptionService, type SubscriptionService } from './subscriptions/subscription.service.ts';
