import * as z from 'zod';
import { parseJson } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { btcPayDelivery } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

const receive = endpoint({
  method: 'post',
  path: '/webhooks/crypto',
  summary: 'Receive an event from BTCPay Server',
  description: 'Signed by BTCPay in `BTCPay-Sig`. A redelivery of an event that was taken changes nothing.',
  access: 'public',
  rawBody: true,
  maxBody: 100_000,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['unauthenticated', 'malformed-json', 'payload-too-large'],
});

export const crypto = ({ webhooks, verifyBtcPay, btcPayLivemode, received }: WebhookServices): Route[] => [
  handle(receive, async ({ rawBody, c }) => {
    verifyBtcPay(rawBody, c.req.header('btcpay-sig'));
    const outcome = await webhooks.accept(btcPayDelivery(parseJson(c, rawBody), btcPayLivemode));
    received.add({ provider: 'btcpay', outcome });
    return { received: outcome };
  }),
];
