import * as z from 'zod';
import { circuitBreaker } from '../../kernel/circuit-breaker.ts';
import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Delivery } from '../delivery.ts';

import type { Sms, SmsSender } from './sms-sender.ts';
import { suppressedBy } from './twilio.report.ts';

export interface TwilioOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** A sender in E.164, or the id of a messaging service: `MG…`. */
  readonly from: string;
  /** Where Twilio reports what became of a message: the address of `/webhooks/twilio` from outside. */
  readonly statusUrl?: string | undefined;
  readonly clock: Clock;
  /** `https://api.twilio.com` where absent. */
  readonly baseUrl?: string | undefined;
  /** Seconds for one request, 10 where absent. */
  readonly timeout?: number;
}

const messageSchema = z.object({ sid: z.string().min(1), status: z.string() });
const listSchema = z.object({ messages: z.array(messageSchema.extend({ body: z.string().nullable() })) });
const refusalSchema = z.object({ code: z.int() });

/** Undefined where nothing is known of the message. */
const deliveryOf = (status: number, body: unknown): Delivery | undefined => {
  const message = messageSchema.safeParse(body);
  if (status === 201 && message.success) return { status: 'accepted', reference: message.data.sid };
  const refusal = refusalSchema.safeParse(body);
  const reason = `twilio-${refusal.success ? refusal.data.code : status}`;
  // Too many requests, and credentials that are not ours, pass; a 5xx may have come after the message was taken.
  if (status === 429 || status === 401 || status === 403) return { status: 'deferred', reason };
  if (status < 400 || status >= 500) return undefined;
  const suppress = refusal.success ? suppressedBy(refusal.data.code) : undefined;
  return { status: 'refused', reason, ...(suppress === undefined ? {} : { suppress }) };
};

/**
 * Sends through Twilio's REST API (https://www.twilio.com/docs/messaging/api/message-resource). Twilio takes no
 * idempotency key, so a repeated attempt first looks for the message among the last ones to the same number.
 */
export const twilioSms = (options: TwilioOptions): SmsSender => {
  const { accountSid, authToken, from, statusUrl, clock, baseUrl = 'https://api.twilio.com', timeout = 10 } = options;
  const messages = `${baseUrl}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`;
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`;
  const guarded = circuitBreaker({ clock, failures: 5, pause: 30_000 });

  const call = (url: string, form?: URLSearchParams): Promise<{ status: number; body: unknown }> =>
    guarded(async () => {
      try {
        const response = await fetch(url, {
          method: form === undefined ? 'GET' : 'POST',
          headers: { authorization, accept: 'application/json' },
          ...(form === undefined ? {} : { body: form }),
          redirect: 'error',
          signal: AbortSignal.timeout(timeout * 1_000),
        });
        const body: unknown = await response.json().catch(() => undefined);
        if (response.status >= 500) throw new Error(`Twilio answered ${response.status}.`);
        return { status: response.status, body };
      } catch (error) {
        throw new OmniError('unavailable', 'Twilio gave no answer to rely on.', { cause: error });
      }
    });

  const findEarlier = async ({ to, text }: Sms): Promise<string | undefined> => {
    const { status, body } = await call(`${messages}?${new URLSearchParams({ To: to, PageSize: '20' })}`);
    const list = listSchema.safeParse(body);
    if (status !== 200 || !list.success) throw new OmniError('unavailable', 'Twilio does not list its messages.');
    return list.data.messages.find((message) => message.body === text && message.status !== 'failed')?.sid;
  };

  const post = (sms: Sms) => {
    const form = new URLSearchParams({ To: sms.to, Body: sms.text });
    form.set(from.startsWith('MG') ? 'MessagingServiceSid' : 'From', from);
    if (statusUrl !== undefined) form.set('StatusCallback', `${statusUrl}/${sms.tenant}/${sms.id}`);
    return call(messages, form);
  };

  return {
    send: async (sms) => {
      const earlier = sms.repeated ? await findEarlier(sms) : undefined;
      if (earlier !== undefined) return { status: 'accepted', reference: earlier };
      const { status, body } = await post(sms);
      const delivery = deliveryOf(status, body);
      if (delivery === undefined) throw new OmniError('unavailable', `Twilio's answer makes no sense (${status}).`);
      return delivery;
    },
  };
};
