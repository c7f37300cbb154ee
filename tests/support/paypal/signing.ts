import { createHmac, sign } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Issued, issue } from './certificates.ts';

/** An authority, one below it, and PayPal's signers in its two modes. Of this process, like their keys. */
const root = issue({ name: 'Root of tests', authority: true });
const intermediate = issue({ name: 'Authority of tests', authority: true, by: root });
const signer = (name: string) => issue({ name, by: intermediate, modulusLength: 2_048 });
export const paypalAuthorities = { root, intermediate };
export const sandboxSigner = signer('messageverificationcerts.sandbox.paypal.com');

export const certificatePath = '/v1/notifications/certs/CERT-0f00d000-sandbox';
export const certificateUrl = `https://api.sandbox.paypal.com${certificatePath}`;
/** What is at that address: the certificate, and who issued it. */
export const certificateChain = `${sandboxSigner.pem}${intermediate.pem}`;

export interface Transmission {
  readonly webhook: string;
  /** ISO 8601. */
  readonly time: string;
  readonly id?: string;
  readonly url?: string;
  readonly by?: Issued;
}

/** The headers that PayPal signs a body with. */
export const transmissionOf = (body: string, transmission: Transmission): Readonly<Record<string, string>> => {
  const { webhook, time, url = certificateUrl, by = sandboxSigner } = transmission;
  const id = transmission.id ?? createHmac('sha256', 'id').update(body).digest('hex').slice(0, 36);
  const signature = sign('RSA-SHA256', Buffer.from(`${id}|${time}|${webhook}|${crc32(body)}`), by.key);
  return {
    'paypal-auth-algo': 'SHA256withRSA',
    'paypal-cert-url': url,
    'paypal-transmission-id': id,
    'paypal-transmission-time': time,
    'paypal-transmission-sig': signature.toString('base64'),
  };
};
