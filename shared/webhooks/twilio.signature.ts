import { createHmac, timingSafeEqual } from 'node:crypto';
import { OmniError } from '../kernel/errors.ts';

export interface TwilioSignatureOptions {
  readonly authToken: string | undefined;
  /** The webhook's address from outside, which a load balancer may hide from us. */
  readonly statusUrl: string | undefined;
}

/**
 * Checks `X-Twilio-Signature` over the address that Twilio was told and the form's fields in order of name. `rest` is
 * what followed the webhook's address there. Throws `unauthenticated`, also where Twilio is not configured. https://www.twilio.com/docs/usage/webhooks/webhooks-security
 */
export const twilioVerifier =
  ({ authToken, statusUrl }: TwilioSignatureOptions) =>
  (rest: string, form: URLSearchParams, signature: string | undefined): void => {
    const fields = [...form].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}${value}`);
    const sent = Buffer.from(signature ?? '', 'base64');
    if (authToken !== undefined && statusUrl !== undefined) {
      const expected = createHmac('sha1', authToken)
        .update(`${statusUrl}${rest}${fields.join('')}`)
        .digest();
      if (sent.length === expected.length && timingSafeEqual(sent, expected)) return;
    }
    throw new OmniError('unauthenticated', 'The X-Twilio-Signature header does not fit this request.');
  };
