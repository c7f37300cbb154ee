import * as z from 'zod';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { DeclineCode } from './gateway.ts';

/** What we read of the SDK's errors, which are not told apart by their class: that would load the SDK. */
const stripeErrorSchema = z.object({
  statusCode: z.int().optional(),
  rawType: z.string().optional(),
  code: z.string().optional(),
  decline_code: z.string().optional(),
  param: z.string().optional(),
  headers: z.record(z.string(), z.unknown()).optional(),
});
export type StripeErrorFields = z.infer<typeof stripeErrorSchema>;

/** Undefined for what the SDK did not throw for an answer of Stripe's. */
export const stripeErrorOf = (error: unknown): StripeErrorFields | undefined => {
  const parsed = stripeErrorSchema.safeParse(error);
  return parsed.success && parsed.data.statusCode !== undefined ? parsed.data : undefined;
};

/** Seconds. */
const defaultPause = 1;

const retryAfterOf = ({ headers = {} }: StripeErrorFields): number => {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) : defaultPause;
};

/** The object is not in a state for the call: https://docs.stripe.com/error-codes. */
const wrongState =
  /unexpected_state|^charge_already|^charge_disputed|^charge_expired|_already_|^invoice_not_editable|^subscription_.*canceled|^resource_missing_payment/;

/**
 * A refusal of Stripe's in our own terms. Its message is not repeated, for it may quote what was sent: the parameter's
 * name and the code say enough. What is no answer of Stripe's leaves the outcome open, and becomes `unavailable`.
 */
export const refusalOf = (error: unknown): OmniError => {
  if (isOmniError(error)) return error;
  const fields = stripeErrorOf(error);
  const cause = { cause: error };
  if (fields === undefined) return new OmniError('unavailable', 'Stripe gave no answer to rely on.', cause);
  const { statusCode: status = 500, rawType, code, param } = fields;
  if (status === 429) {
    return new OmniError('rate-limited', 'Stripe takes no more calls now.', {
      retryAfter: retryAfterOf(fields),
      ...cause,
    });
  }
  // 409: the first call with this key still runs.
  if (status >= 500 || status === 409) return new OmniError('unavailable', `Stripe answered ${status}.`, cause);
  if (status === 401 || status === 403) {
    return new OmniError('forbidden', 'Stripe does not let these credentials do it.', cause);
  }
  if (rawType === 'idempotency_error') {
    return new OmniError('idempotency-mismatch', 'This key came with other parameters before. Use a new key.', cause);
  }
  if (status === 404) return new OmniError('not-found', 'Stripe has no such object.', cause);
  if (status === 402)
    return new OmniError('precondition-failed', `The payment was declined (${code ?? 'card'}).`, cause);
  if (code !== undefined && wrongState.test(code)) {
    return new OmniError('precondition-failed', `Stripe refuses it in this state (${code}).`, cause);
  }
  const issues = param === undefined ? [] : [{ path: `stripe.${param}`, message: code ?? 'Refused by Stripe' }];
  return new OmniError('invalid-request', 'Stripe refuses these parameters.', { issues, ...cause });
};

/** https://docs.stripe.com/declines/codes */
const declineCodes: Readonly<Record<string, DeclineCode>> = {
  insufficient_funds: 'insufficient-funds',
  expired_card: 'expired-card',
  authentication_required: 'authentication-required',
  authentication_not_handled: 'authentication-failed',
  payment_intent_authentication_failure: 'authentication-failed',
  fraudulent: 'suspected-fraud',
  lost_card: 'suspected-fraud',
  stolen_card: 'suspected-fraud',
  pickup_card: 'suspected-fraud',
  merchant_blacklist: 'suspected-fraud',
  highest_risk_level: 'suspected-fraud',
  card_velocity_exceeded: 'limit-exceeded',
  withdrawal_count_limit_exceeded: 'limit-exceeded',
  amount_too_large: 'limit-exceeded',
  incorrect_number: 'invalid-payment-method',
  invalid_number: 'invalid-payment-method',
  incorrect_cvc: 'invalid-payment-method',
  invalid_cvc: 'invalid-payment-method',
  invalid_account: 'invalid-payment-method',
  card_not_supported: 'invalid-payment-method',
  currency_not_supported: 'invalid-payment-method',
  processing_error: 'processing-error',
  try_again_later: 'processing-error',
  issuer_not_available: 'processing-error',
};

export const declineOf = (error: {
  readonly code?: string | undefined;
  readonly decline_code?: string | undefined;
}): DeclineCode => declineCodes[error.decline_code ?? ''] ?? declineCodes[error.code ?? ''] ?? 'card-declined';
