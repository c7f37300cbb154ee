import * as z from 'zod';
import { parseJson } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { acmepayDelivery, maxWebhook } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

const receive = endpoint({
  method: 'post',
  path: '/webhooks/acmepay',
  summary: 'Receive an event from AcmePay',
  description:
    'Signed by AcmePay in `AcmePay-Signature`. Answered with 200 once the event can no longer be lost; the work on it is done afterwards.',
  access: 'public',
  rawBody: true,
  maxBody: maxWebhook,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['invalid-signature', 'malformed-json', 'payload-too-large'],
});

export const acmepay = ({ webhooks, verifyAcmepay, received }: WebhookServices): Route[] => [
  handle(receive, async ({ rawBody, c }) => {
    verifyAcmepay(rawBody, c.req.header('acmepay-signature'));
    const outcome = await webhooks.accept(acmepayDelivery(parseJson(c, rawBody)));
    received.add({ provider: 'acmepay', outcome });
    return { received: outcome };
  }),
];
