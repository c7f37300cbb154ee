import { createHmac, timingSafeEqual } from 'node:crypto';
import { OmniError } from '../kernel/errors.ts';

/** Seconds that a signature may be old, or be ahead of our clock: it bounds replays. */
const tolerance = 300;

export interface AcmepaySignatureOptions {
  /** All that are valid now: while one is being rolled, the old and the new. */
  readonly secrets: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** Checks `AcmePay-Signature: t=…,v1=…`, an HMAC-SHA-256 over `<t>.<body>`. Throws `invalid-signature`. */
export const acmepayVerifier =
  ({ secrets, now }: AcmepaySignatureOptions) =>
  (body: Uint8Array, header: string | undefined): void => {
    const [, time = '', hex = ''] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(header ?? '') ?? [];
    const sent = Buffer.from(hex, 'hex');
    const isFresh = Math.abs(now() / 1_000 - Number(time)) <= tolerance;
    const good = secrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(`${time}.`).update(body).digest();
      return sent.length === expected.length && timingSafeEqual(sent, expected);
    });
    if (!good || !isFresh) {
      throw new OmniError('invalid-signature', 'The AcmePay-Signature header does not fit this body, or is too old.');
    }
  };
