import * as z from 'zod';
import { parseForm } from '#shared/http/body.ts';
import { endpoint, handle, type Route } from '#shared/http/endpoint.ts';
import { twilioDelivery } from '#shared/webhooks/index.ts';
import type { WebhookServices } from '../services.ts';

const receive = endpoint({
  method: 'post',
  path: '/webhooks/twilio/{tenant}/{message}',
  summary: 'Receive the status of a text message from Twilio',
  description: 'Signed by Twilio in `X-Twilio-Signature`, over the form and the address that it was given to call.',
  access: 'public',
  params: z.object({
    tenant: z.string().regex(/^[a-z0-9-]{2,63}$/),
    message: z.string().regex(/^msg_\w{1,64}$/),
  }),
  rawBody: true,
  maxBody: 20_000,
  status: 200,
  response: z.object({ received: z.enum(['published', 'duplicate', 'parked', 'ignored']) }),
  errors: ['unauthenticated', 'payload-too-large'],
});

export const twilio = ({ webhooks, verifyTwilio, received }: WebhookServices): Route[] => [
  handle(receive, async ({ params, rawBody, c }) => {
    const form = parseForm(c, rawBody);
    verifyTwilio(`/${params.tenant}/${params.message}`, form, c.req.header('x-twilio-signature'));
    const delivery = twilioDelivery(params, form);
    const outcome = delivery === undefined ? 'ignored' : await webhooks.accept(delivery);
    received.add({ provider: 'twilio', outcome });
    return { received: outcome };
  }),
];
