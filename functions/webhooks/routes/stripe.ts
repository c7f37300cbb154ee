import * as z from 'zod';
import { parseJson } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { maxWebhook, stripeDelivery } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

const receive = endpoint({
  method: 'post',
  path: '/webhooks/stripe',
  summary: 'Receive an event from Stripe',
  description:
    'Signed by Stripe in `Stripe-Signature`. Answered with 200 once the event can no longer be lost; the work on it is done afterwards.',
  access: 'public',
  rawBody: true,
  maxBody: maxWebhook,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['invalid-signature', 'malformed-json', 'payload-too-large'],
});

export const stripe = ({ webhooks, verifyStripe, received }: WebhookServices): Route[] => [
  handle(receive, async ({ rawBody, c }) => {
    await verifyStripe(rawBody, c.req.header('stripe-signature'));
    const outcome = await webhooks.accept(stripeDelivery(parseJson(c, rawBody)));
    received.add({ provider: 'stripe', outcome });
    return { received: outcome };
  }),
];
