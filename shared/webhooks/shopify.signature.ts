import { createHmac, timingSafeEqual } from 'node:crypto';
import { OmniError } from '../kernel/errors.ts';

/**
 * Checks `X-Shopify-Hmac-Sha256` over the raw body with each of the app's secrets. Throws `unauthenticated`: Shopify's
 * review wants a 401. https://shopify.dev/docs/apps/build/webhooks/subscribe/https
 */
export const shopifyVerifier =
  (secrets: readonly string[]) =>
  (body: Uint8Array, header: string | undefined): void => {
    const sent = Buffer.from(header ?? '', 'base64');
    const good = secrets.some((secret) => {
      const expected = createHmac('sha256', secret).update(body).digest();
      return sent.length === expected.length && timingSafeEqual(sent, expected);
    });
    if (!good) throw new OmniError('unauthenticated', 'The X-Shopify-Hmac-Sha256 header does not fit this body.');
  };
