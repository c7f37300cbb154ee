import * as z from 'zod';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { createPayPalRest, type PayPalOptions, type PayPalRest } from './paypal.rest.ts';

/** Everything that we act on. */
export const paypalEventTypes = [
  'CHECKOUT.ORDER.APPROVED',
  'CHECKOUT.ORDER.COMPLETED',
  'CHECKOUT.ORDER.VOIDED',
  'CHECKOUT.PAYMENT-APPROVAL.REVERSED',
  'CUSTOMER.DISPUTE.CREATED',
  'CUSTOMER.DISPUTE.RESOLVED',
  'CUSTOMER.DISPUTE.UPDATED',
  'PAYMENT.AUTHORIZATION.CREATED',
  'PAYMENT.AUTHORIZATION.VOIDED',
  'PAYMENT.CAPTURE.COMPLETED',
  'PAYMENT.CAPTURE.DECLINED',
  'PAYMENT.CAPTURE.DENIED',
  'PAYMENT.CAPTURE.PENDING',
  'PAYMENT.CAPTURE.REFUNDED',
  'PAYMENT.CAPTURE.REVERSED',
  'PAYMENT.REFUND.FAILED',
  'PAYMENT.REFUND.PENDING',
] as const;

const webhookSchema = z.object({ id: z.string().regex(/^[\w-]{1,50}$/), url: z.string() });
const webhooksSchema = z.object({ webhooks: z.array(webhookSchema).default([]) });
const path = '/v1/notifications/webhooks';

export interface PayPalWebhookOptions {
  readonly rest: PayPalRest;
  /** PayPal's id of the merchant. */
  readonly merchant: string;
  /** As whoever connects the account named it. */
  readonly webhook?: string | undefined;
  /** Where webhooks come to: the address of `/webhooks/paypal` from outside. */
  readonly url?: string | undefined;
}

/** A webhook that is named has to be of these credentials: nobody can claim the events of somebody else's. */
const named = async (rest: PayPalRest, id: string): Promise<string> => {
  try {
    return (await rest.get(`${path}/${encodeURIComponent(id)}`, webhookSchema)).id;
  } catch (error) {
    if (!isOmniError(error, 'not-found')) throw error;
    throw new OmniError('invalid-request', 'Some fields are not valid.', {
      issues: [{ path: 'body.credentials.webhookId', message: 'PayPal has no such webhook of these credentials' }],
    });
  }
};

/**
 * PayPal's id of the webhook that tells of an account: the one that was named, or the one that leads here, which is
 * made where there is none. Undefined where there is nowhere to lead it to.
 */
export const paypalWebhookOf = async (options: PayPalWebhookOptions): Promise<string | undefined> => {
  const { rest, merchant, webhook, url } = options;
  if (webhook !== undefined) return named(rest, webhook);
  if (url === undefined) return undefined;
  const address = `${url.replace(/\/$/, '')}/${merchant}`;
  const find = async () => (await rest.get(path, webhooksSchema)).webhooks.find((one) => one.url === address)?.id;
  const there = await find();
  if (there !== undefined) return there;
  const event_types = paypalEventTypes.map((name) => ({ name }));
  try {
    return (await rest.post(path, JSON.stringify({ url: address, event_types }), webhookSchema)).id;
  } catch (error) {
    // Made by a call whose answer was lost, or by somebody else at the same time.
    const meanwhile = isOmniError(error, 'invalid-request') ? await find() : undefined;
    if (meanwhile === undefined) throw error;
    return meanwhile;
  }
};

const verdictSchema = z.object({ verification_status: z.enum(['SUCCESS', 'FAILURE']) });

/**
 * Asks PayPal whether a webhook is its own. Errors as for Gateway.
 * https://developer.paypal.com/docs/api/webhooks/v1/#verify-webhook-signature_post
 */
export const askPayPal = (options: Omit<PayPalOptions, 'livemode'>) => {
  const open = (livemode: boolean): PayPalRest => createPayPalRest({ ...options, livemode });
  const clients = { live: open(true), sandbox: open(false) };
  return async (body: string, livemode: boolean): Promise<boolean> => {
    const { post } = clients[livemode ? 'live' : 'sandbox'];
    const answer = await post('/v1/notifications/verify-webhook-signature', body, verdictSchema);
    return answer.verification_status === 'SUCCESS';
  };
};
