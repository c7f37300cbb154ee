import { OmniError } from '../kernel/errors.ts';

/** Seconds that a signature may be old, as Stripe advises: it bounds replays. */
const tolerance = 300;

export interface StripeSignatureOptions {
  /** All that are valid now: while one is being rolled, the old and the new. */
  readonly secrets: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

const loadLibrary = async () => {
  const { signature } = (await import('stripe')).default.webhooks;
  if (signature === null) throw new Error('This build of stripe has no signature helper.');
  return signature;
};

/**
 * Checks `Stripe-Signature` over the raw body with Stripe's own library. Throws `invalid-signature`.
 * https://docs.stripe.com/webhooks#verify-manually
 */
export const stripeVerifier = ({ secrets, now }: StripeSignatureOptions) => {
  let library: ReturnType<typeof loadLibrary> | undefined;
  return async (body: Uint8Array, header: string | undefined): Promise<void> => {
    library ??= loadLibrary();
    const signature = await library;
    const payload = Buffer.from(body);
    const good = secrets.some((secret) => {
      try {
        return signature.verifyHeader(payload, header ?? '', secret, tolerance, undefined, now());
      } catch {
        return false;
      }
    });
    if (!good) {
      throw new OmniError('invalid-signature', 'The Stripe-Signature header does not fit this body, or is too old.');
    }
  };
};
