import type { SmsReport } from '../message.events.ts';

/** Codes by which a number is no mobile phone's, or said STOP (https://www.twilio.com/docs/api/errors). */
export const suppressedBy = (code: number): 'invalid' | 'opted-out' | undefined => {
  if (code === 21610) return 'opted-out';
  return code === 21211 || code === 21614 || code === 30005 ? 'invalid' : undefined;
};

/**
 * What a status callback says of a message; undefined while it says nothing final.
 * https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
 */
export const smsReportOf = (messageId: string, form: URLSearchParams): SmsReport | undefined => {
  const status = form.get('MessageStatus');
  if (status === 'delivered') return { messageId, status };
  if (status !== 'undelivered' && status !== 'failed') return undefined;
  const code = Number(form.get('ErrorCode') ?? Number.NaN);
  if (!Number.isInteger(code)) return { messageId, status: 'undelivered' };
  const suppress = suppressedBy(code);
  return {
    messageId,
    status: 'undelivered',
    reason: `twilio-${code}`,
    ...(suppress === undefined ? {} : { suppress }),
  };
};
