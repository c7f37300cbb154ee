import * as z from 'zod';
import { parseJson } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { OmniError } from '#shared/kernel/errors.ts';
import { maxWebhook, paypalDelivery } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

const receive = endpoint({
  method: 'post',
  path: '/webhooks/paypal/{account}',
  summary: 'Receive an event from PayPal',
  description:
    "Of a connected merchant, by PayPal's id of it. Signed by PayPal in `PayPal-Transmission-Sig`, for the webhook that " +
    'the account was connected with. Answered with 200 once the event can no longer be lost; the work on it is done ' +
    'afterwards.',
  access: 'public',
  params: z.object({
    account: z
      .string()
      .regex(/^[A-Z0-9]{5,30}$/)
      .meta({ examples: ['8PT597110X687'] }),
  }),
  rawBody: true,
  maxBody: maxWebhook,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['not-found', 'invalid-signature', 'malformed-json', 'payload-too-large', 'unavailable'],
});

const unknown = (): OmniError => new OmniError('not-found', 'Nobody has connected this account with a webhook.');

/**
 * Without its webhook nothing can be verified, and nothing is read. PayPal is only to stop sending what goes to an
 * account whose tenant was erased.
 */
const orUnknown = async (webhooks: WebhookServices['webhooks'], merchant: string) => {
  if (!(await webhooks.isClosed('paypal', merchant))) throw unknown();
  return { received: 'ignored' } as const;
};

export const paypal = ({ webhooks, verifyPayPal, received }: WebhookServices): Route[] => [
  handle(receive, async ({ params: { account: merchant }, rawBody, c }) => {
    const webhook = (await webhooks.accountOf('paypal', merchant))?.webhook;
    if (webhook === undefined) return orUnknown(webhooks, merchant);
    await verifyPayPal(rawBody, (name) => c.req.header(name), webhook);
    const { livemode } = webhook;
    const outcome = await webhooks.accept(paypalDelivery(parseJson(c, rawBody), { merchant, livemode }));
    received.add({ provider: 'paypal', outcome });
    return { received: outcome };
  }),
];
