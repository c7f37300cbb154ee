import { createHmac } from 'node:crypto';
import { issue } from './paypal/certificates.ts';
import { paypalAuthorities, sandboxSigner, transmissionOf } from './paypal/signing.ts';

/** How a provider signs, for every operation whose body is raw. By path. */
export interface Signer {
  /** A body that is accepted when it is well signed. */
  readonly body: (id: string) => string;
  /** `at` in seconds since the Unix epoch. */
  readonly headers: (body: string, at: number, secret?: string) => Readonly<Record<string, string>>;
  /** The header that has the signature. */
  readonly header: string;
  /** Seconds after which a signature is too old; undefined where it never is. */
  readonly tolerance: number | undefined;
}

const hmac = (text: string, secret: string): ReturnType<typeof createHmac> => createHmac('sha256', secret).update(text);

const stripeSecret = 'whsec_of_tests';
const shopifySecret = 'shpss_of_tests';
const btcPaySecret = 'btcpay_secret_of_tests';

const acmepaySecret = 'acmepay_of_tests';
const twilioToken = 'twilio_token_of_tests';
const twilioUrl = 'https://api.omni.example/webhooks/twilio';
/** Which message a status is of, Twilio is told in the address that it calls. */
export const twilioPath = '/webhooks/twilio/{tenant}/{message}';
export const twilioIds = { tenant: 'acme', message: 'msg_1' };

/** Whose events they are, PayPal is told in the address that it calls; they are signed for one webhook. */
export const paypalPath = '/webhooks/paypal/{account}';
export const paypalIds = { account: 'MERCHANTOFTESTS' };
export const paypalWebhook = { id: '8PT597110X687430LKGEC', livemode: false };
/** Of the same name, from nobody. */
const forger = issue({ name: sandboxSigner.name, modulusLength: 2_048 });

export const webhookEnvironment = {
  STRIPE_WEBHOOK_SECRETS: stripeSecret,
  SHOPIFY_WEBHOOK_SECRETS: shopifySecret,
  BTCPAY_WEBHOOK_SECRETS: btcPaySecret,
  ACMEPAY_WEBHOOK_SECRETS: acmepaySecret,
  PAYPAL_AUTHORITIES: paypalAuthorities.root.pem,
  TWILIO_AUTH_TOKEN: twilioToken,
  TWILIO_STATUS_URL: twilioUrl,
};

export const signers: Readonly<Record<string, Signer>> = {
  '/webhooks/stripe': {
    body: (id) =>
      JSON.stringify({
        id: `evt_${id}`,
        type: 'customer.created',
        created: 1_767_225_600,
        livemode: false,
        data: { object: { id: `cus_${id}` } },
      }),
    headers: (body, at, secret = stripeSecret) => {
      const time = Math.floor(at);
      return { 'stripe-signature': `t=${time},v1=${hmac(`${time}.${body}`, secret).digest('hex')}` };
    },
    header: 'stripe-signature',
    tolerance: 300,
  },
  '/webhooks/acmepay': {
    body: (id) =>
      JSON.stringify({
        id: `aevt_${id}`,
        type: 'payment.captured',
        account: 'acct_1',
        created: 1_767_225_600,
        livemode: false,
        data: { object: { object: 'payment', id: `acp_${id}` } },
      }),
    headers: (body, at, secret = acmepaySecret) => {
      const time = Math.floor(at);
      return { 'acmepay-signature': `t=${time},v1=${hmac(`${time}.${body}`, secret).digest('hex')}` };
    },
    header: 'acmepay-signature',
    tolerance: 300,
  },
  '/webhooks/shopify': {
    body: (id) => JSON.stringify({ id, total_price: '10.00' }),
    headers: (body, _at, secret = shopifySecret) => ({
      'x-shopify-hmac-sha256': hmac(body, secret).digest('base64'),
      'x-shopify-topic': 'orders/create',
      'x-shopify-shop-domain': 'acme.myshopify.com',
      'x-shopify-webhook-id': hmac(body, 'id').digest('hex'),
    }),
    header: 'x-shopify-hmac-sha256',
    tolerance: undefined,
  },
  '/webhooks/crypto': {
    body: (id) =>
      JSON.stringify({
        deliveryId: hmac(id, 'id').digest('hex'),
        type: 'InvoiceSettled',
        timestamp: 1_767_225_600,
        storeId: 'store-1',
        invoiceId: 'inv-1',
      }),
    headers: (body, _at, secret = btcPaySecret) => ({ 'btcpay-sig': `sha256=${hmac(body, secret).digest('hex')}` }),
    header: 'btcpay-sig',
    tolerance: undefined,
  },
  [paypalPath]: {
    body: (id) =>
      JSON.stringify({
        id: `WH-${hmac(id, 'id').digest('hex')}`,
        event_type: 'PAYMENT.CAPTURE.COMPLETED',
        create_time: '2026-01-01T00:00:00Z',
        resource: { id: '1', supplementary_data: { related_ids: { order_id: '2' } } },
      }),
    headers: (body, at, secret) => {
      const time = new Date(at * 1_000).toISOString();
      return transmissionOf(body, {
        webhook: paypalWebhook.id,
        time,
        ...(secret === undefined ? {} : { by: forger }),
      });
    },
    header: 'paypal-transmission-sig',
    tolerance: 345_600,
  },
  [twilioPath]: {
    body: (id) => `AccountSid=AC1&MessageStatus=delivered&MessageSid=SM${hmac(id, 'id').digest('hex').slice(0, 32)}`,
    headers: (body, _at, secret = twilioToken) => {
      const fields = [...new URLSearchParams(body)].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
      const signed = `${twilioUrl}/${twilioIds.tenant}/${twilioIds.message}${fields.join('')}`;
      return {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': createHmac('sha1', secret).update(signed).digest('base64'),
      };
    },
    header: 'x-twilio-signature',
    tolerance: undefined,
  },
};
