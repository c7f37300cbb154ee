import { createHmac, timingSafeEqual } from 'node:crypto';
import { OmniError } from '../kernel/errors.ts';

/**
 * Checks `BTCPay-Sig` (`sha256=` and hex) over the raw body with each of the secrets. Throws `unauthenticated`.
 * https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks
 */
export const btcPayVerifier =
  (secrets: readonly string[]) =>
  (body: Uint8Array, header: string | undefined): void => {
    const sent = Buffer.from(/^sha256=([0-9a-f]{64})$/.exec(header ?? '')?.[1] ?? '', 'hex');
    const good = secrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(body).digest();
      return sent.length === expected.length && timingSafeEqual(sent, expected);
    });
    if (!good) throw new OmniError('unauthenticated', 'The BTCPay-Sig header does not fit this body.');
  };
