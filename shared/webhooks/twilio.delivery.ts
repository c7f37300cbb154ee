import * as z from 'zod';
import { OmniError } from '../kernel/errors.ts';
import { type SmsReport, smsReported, smsReportOf } from '../messaging/index.ts';
import type { Delivery } from './intake.service.ts';

const formSchema = z.object({
  AccountSid: z.string().regex(/^AC\w{1,32}$/),
  MessageSid: z.string().regex(/^[SM]M[0-9a-f]{32}$/),
  MessageStatus: z.string().regex(/^[a-z_]{2,30}$/),
});

/**
 * What Twilio says became of a message of ours, whose address it was told with the message. Undefined while nothing
 * final is said. Throws `invalid-request` for what is no status callback.
 */
export const twilioDelivery = (
  { tenant, message }: { readonly tenant: string; readonly message: string },
  form: URLSearchParams,
): Delivery<SmsReport> | undefined => {
  const fields = formSchema.safeParse(Object.fromEntries(form));
  if (!fields.success) throw new OmniError('invalid-request', 'This is no status callback of Twilio.');
  const { AccountSid: account, MessageSid: sid, MessageStatus: type } = fields.data;
  const data = smsReportOf(message, form);
  if (data === undefined) return undefined;
  return {
    provider: 'twilio',
    account,
    eventId: `${sid}:${type}`,
    type,
    eventType: smsReported,
    tenant,
    subject: message,
    data,
  };
};
