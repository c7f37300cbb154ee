export { createStripeClient, type StripeClient } from './gateways/stripe.client.ts';
export { stripeInvoicePaid, stripeRecordChanged, stripeSubscriptionEnded } from './stripe/stripe.events.ts';
export { stripeJobs, stripeReconciliation } from './stripe/stripe.jobs.ts';
export * as stripeSchemas from './stripe/stripe.schema.ts';
export { createStripeServices, stripeCollections } from './stripe/stripe.services.ts';
export { stripeCustomerCollection, stripeCustomerView } from './stripe/stripe-customer.schema.ts';
export { stripeInvoiceCollection, stripeInvoiceView } from './stripe/stripe-invoice.schema.ts';
export { subscriptionCollection, subscriptionStatus, subscriptionView } from './subscriptions/subscription.schema.ts';
export { createSubscriptionService, type SubscriptionService } from './subscriptions/subscription.service.ts';
