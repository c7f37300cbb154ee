import * as z from 'zod';
import { parseJson } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { within } from '#shared/kernel/within.ts';
import { maxWebhook, shopifyDelivery } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

/** Seconds. Shopify hangs up after five and counts it as a failure. */
const budget = 4.5;

const receive = endpoint({
  method: 'post',
  path: '/webhooks/shopify',
  summary: 'Receive an event from Shopify',
  description:
    'Signed by Shopify in `X-Shopify-Hmac-Sha256`. A delivery that comes again is known by `X-Shopify-Webhook-Id`.',
  access: 'public',
  rawBody: true,
  maxBody: maxWebhook,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['unauthenticated', 'malformed-json', 'payload-too-large'],
});

export const shopify = ({ webhooks, verifyShopify, received }: WebhookServices): Route[] => [
  handle(receive, async ({ rawBody, c }) => {
    verifyShopify(rawBody, c.req.header('x-shopify-hmac-sha256'));
    const delivery = shopifyDelivery(c.req.header(), parseJson(c, rawBody));
    const outcome = await within(budget, () => webhooks.accept(delivery));
    received.add({ provider: 'shopify', outcome });
    return { received: outcome };
  }),
];
