import { defineFunction } from '#shared/runtime/function.ts';
import {
  accountCollection,
  closedAccountCollection,
  intakeCollection,
  releaseParked,
  webhooksEraser,
} from '#shared/webhooks/index.ts';
import { acmepay } from './routes/acmepay.ts';
import { crypto } from './routes/crypto.ts';
import { paypal } from './routes/paypal.ts';
import { shopify } from './routes/shopify.ts';
import { stripe } from './routes/stripe.ts';
import { twilio } from './routes/twilio.ts';
import type { WebhookServices } from './services.ts';

export const webhooks = defineFunction<WebhookServices>({
  name: 'webhooks',
  paths: ['/webhooks'],
  routes: (services) => [
    ...stripe(services),
    ...shopify(services),
    ...twilio(services),
    ...acmepay(services),
    ...crypto(services),
    ...paypal(services),
  ],
  jobs: [releaseParked, webhooksEraser.job],
  schedules: [],
  collections: [intakeCollection, accountCollection, closedAccountCollection],
  secrets: [
    'STRIPE_WEBHOOK_SECRETS',
    'SHOPIFY_WEBHOOK_SECRETS',
    'TWILIO_AUTH_TOKEN',
    'ACMEPAY_WEBHOOK_SECRETS',
    'BTCPAY_WEBHOOK_SECRETS',
    'PAYPAL_CLIENT_SECRET',
  ],
});
