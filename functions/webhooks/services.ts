import { askPayPal } from '#shared/payments/gateways/paypal.webhooks.ts';
import { erasingOf } from '#shared/runtime/erasing.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import {
  accountCollection,
  acmepayVerifier,
  btcPayVerifier,
  closedAccountCollection,
  createIntakeService,
  intakeCollection,
  paypalCertificates,
  paypalVerifier,
  shopifyVerifier,
  stripeVerifier,
  twilioVerifier,
} from '#shared/webhooks/index.ts';

export const createServices = (runtime: Runtime) => {
  const { config, database, bus, tenants, makeEvent, clock, metrics } = runtime;
  const intake = database.platform(intakeCollection);
  return {
    erasing: erasingOf(runtime),
    database,
    intake,
    webhooks: createIntakeService({
      database,
      intake,
      bus,
      accounts: database.platform(accountCollection),
      closedAccounts: database.platform(closedAccountCollection),
      tenants,
      makeEvent,
      clock,
    }),
    verifyStripe: stripeVerifier({ secrets: config.webhooks.stripe, now: clock.now }),
    verifyBtcPay: btcPayVerifier(config.webhooks.btcPay),
    // BTCPay has no modes: what is deployed is live.
    btcPayLivemode: config.environment === 'cloud',
    verifyAcmepay: acmepayVerifier({ secrets: config.webhooks.acmepay, now: clock.now }),
    verifyPayPal: paypalVerifier({
      clock,
      certificates: paypalCertificates({ ...config.paypal, clock }),
      ask: config.paypal.verification === 'api' ? askPayPal({ ...config.paypal, clock }) : undefined,
    }),
    verifyShopify: shopifyVerifier(config.webhooks.shopify),
    verifyTwilio: twilioVerifier(config.twilio),
    received: metrics.counter('webhooks_received_total', 'Accepted webhooks.', ['provider', 'outcome']),
  };
};

export type WebhookServices = ReturnType<typeof createServices>;
