export { acmepayDelivery } from './acmepay.delivery.ts';
export { acmepayVerifier } from './acmepay.signature.ts';
export { btcPayDelivery } from './btcpay.delivery.ts';
export { btcPayVerifier } from './btcpay.signature.ts';
export { closedAccountCollection } from './closed-account.schema.ts';
export { releaseParked } from './intake.jobs.ts';
export { type Account, accountCollection, type Intake, intakeCollection } from './intake.schema.ts';
export { type Accepted, createIntakeService, type IntakeService } from './intake.service.ts';
export { paypalCertificates } from './paypal.certificates.ts';
export { paypalDelivery } from './paypal.delivery.ts';
export { paypalVerifier } from './paypal.signature.ts';
export { shopifyDelivery } from './shopify.delivery.ts';
export { shopifyVerifier } from './shopify.signature.ts';
export { stripeDelivery } from './stripe.delivery.ts';
export { stripeVerifier } from './stripe.signature.ts';
export { twilioDelivery } from './twilio.delivery.ts';
export { twilioVerifier } from './twilio.signature.ts';
export {
  acmepayReceived,
  btcPayReceived,
  maxWebhook,
  paypalReceived,
  type ShopifyEventData,
  type StripeEventData,
  shopifyPrivacyRequested,
  shopifyReceived,
  stripeCustomerReceived,
  stripeInvoiceReceived,
  stripeOtherReceived,
  stripeSubscriptionReceived,
} from './webhook.events.ts';
export { webhooksEraser } from './webhooks.eraser.ts';
