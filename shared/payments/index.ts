export { paymentsEraser } from './payments.eraser.ts';
export { syncSubscription } from './subscriptions/subscription.jobs.ts';
export { subscriptionCollection, subscriptionStatus, subscriptionView } from './subscriptions/subscription.schema.ts';
export { createSubscriptionService, type SubscriptionService } from './subscriptions/subscription.service.ts';
