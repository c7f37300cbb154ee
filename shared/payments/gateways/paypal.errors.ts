import * as z from 'zod';
import { isOmniError, OmniError } from '../../kernel/errors.ts';

/** What we read of the SDK's errors: https://developer.paypal.com/api/rest/responses/. */
const paypalErrorSchema = z.object({
  statusCode: z.int(),
  headers: z.record(z.string(), z.string()).optional(),
  body: z.unknown(),
});

const bodySchema = z.object({
  name: z.string().optional(),
  error: z.string().optional(),
  details: z.array(z.object({ issue: z.string().optional(), field: z.string().optional() })).optional(),
});

const bodyOf = (body: unknown): z.infer<typeof bodySchema> => {
  try {
    return bodySchema.parse(typeof body === 'string' ? JSON.parse(body) : body);
  } catch {
    return {};
  }
};

export const paypalStatus = (error: unknown): number | undefined => {
  const parsed = paypalErrorSchema.safeParse(error);
  return parsed.success ? parsed.data.statusCode : undefined;
};

/** The issue of a 422, such as `INSTRUMENT_DECLINED`. */
export const paypalIssue = (error: unknown): string | undefined => {
  const parsed = paypalErrorSchema.safeParse(error);
  return parsed.success ? bodyOf(parsed.data.body).details?.[0]?.issue : undefined;
};

/** Wrong by what was sent, and not by the state of things. */
const wrongByItself =
  /^(INVALID_|MISSING_|DECIMAL_|CURRENCY_NOT|UNSUPPORTED_|CANNOT_BE_|PAYEE_|REFUND_AMOUNT|MAX_CAPTURE)/;

/** A refusal of PayPal's in our own terms, without its texts: they may quote what was sent. */
export const paypalRefusalOf = (error: unknown): OmniError => {
  if (isOmniError(error)) return error;
  const cause = { cause: error };
  const parsed = paypalErrorSchema.safeParse(error);
  if (!parsed.success) return new OmniError('unavailable', 'PayPal gave no answer to rely on.', cause);
  const { statusCode: status, headers = {}, body } = parsed.data;
  const { details = [] } = bodyOf(body);
  const issue = details[0]?.issue ?? '';
  if (status === 429) {
    const seconds = Number(headers['retry-after']);
    return new OmniError('rate-limited', 'PayPal takes no more calls now.', {
      retryAfter: seconds > 0 ? Math.min(seconds, 3_600) : 5,
      ...cause,
    });
  }
  if (status === 401 || status === 403) {
    return new OmniError('forbidden', 'PayPal does not let these credentials do it.', cause);
  }
  if (status === 404) return new OmniError('not-found', 'PayPal has no such object.', cause);
  // 409: the first call with this key still runs.
  if (status === 400 || (status === 422 && wrongByItself.test(issue))) {
    const issues = details.map(({ field = '', issue: message = 'Refused' }) => ({ path: `paypal${field}`, message }));
    return new OmniError('invalid-request', 'PayPal refuses these parameters.', { issues, ...cause });
  }
  if (issue === 'DUPLICATE_REQUEST_ID') {
    return new OmniError('idempotency-mismatch', 'This key came with other parameters before.', cause);
  }
  if (status === 422) return new OmniError('precondition-failed', `PayPal refuses it in this state (${issue}).`, cause);
  return new OmniError('unavailable', `PayPal answered ${status}.`, cause);
};
