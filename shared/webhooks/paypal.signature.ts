import { verify } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as z from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { OmniError } from '../kernel/errors.ts';
import type { Account } from './intake.schema.ts';
import type { PayPalCertificates } from './paypal.certificates.ts';

/**
 * Seconds that a transmission may be old. PayPal repeats a delivery for three days, and does not promise to sign it
 * anew; what comes twice within that time is known by its id.
 */
const tolerance = 4 * 86_400;
/** Seconds that PayPal's clock may be ahead of ours. */
const ahead = 300;

const headersSchema = z.object({
  /** The one algorithm that there is. What it says is never what we check by. */
  'paypal-auth-algo': z.literal('SHA256withRSA'),
  'paypal-cert-url': z.string().min(1).max(500),
  'paypal-transmission-id': z.string().regex(/^[\w-]{1,100}$/),
  'paypal-transmission-time': z.iso.datetime({ offset: true }),
  'paypal-transmission-sig': z
    .string()
    .max(1_000)
    .regex(/^[A-Za-z0-9+/]+={0,2}$/),
});
type Headers = z.infer<typeof headersSchema>;

/** What `/v1/notifications/verify-webhook-signature` is sent, as JSON. True where it says SUCCESS. */
export type AskPayPal = (body: string, livemode: boolean) => Promise<boolean>;

export interface PayPalVerifierOptions {
  readonly clock: Clock;
  readonly certificates: PayPalCertificates;
  /** Where given, PayPal is asked instead of its certificate. */
  readonly ask?: AskPayPal | undefined;
}

/** Checks the headers of a webhook over its raw body, for the webhook that the account has. */
export type PayPalVerifier = (
  body: Uint8Array,
  header: (name: string) => string | undefined,
  webhook: NonNullable<Account['webhook']>,
) => Promise<void>;

const wrong = (): OmniError =>
  new OmniError('invalid-signature', "PayPal's signature does not fit this body and webhook, or is too old.");

/** The body goes as it came: PayPal's signature is over its bytes. */
const questionOf = (headers: Headers, webhook: string, body: string): string => {
  const fields = {
    auth_algo: headers['paypal-auth-algo'],
    cert_url: headers['paypal-cert-url'],
    transmission_id: headers['paypal-transmission-id'],
    transmission_sig: headers['paypal-transmission-sig'],
    transmission_time: headers['paypal-transmission-time'],
    webhook_id: webhook,
  };
  return `${JSON.stringify(fields).slice(0, -1)},"webhook_event":${body}}`;
};

const jsonText = (body: Uint8Array): string => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    JSON.parse(text);
    return text;
  } catch {
    throw wrong();
  }
};

/**
 * PayPal signs `id|time|webhook|crc32` with SHA256withRSA; the checksum is over the raw body, in decimal. Throws
 * `invalid-signature`, and `unavailable` where what is needed to check it can't be had.
 * https://developer.paypal.com/api/rest/webhooks/rest/#link-verifywebhooksignature
 */
export const paypalVerifier =
  ({ clock, certificates, ask }: PayPalVerifierOptions): PayPalVerifier =>
  async (body, header, { id: webhook, livemode }) => {
    const names = Object.keys(headersSchema.shape);
    const parsed = headersSchema.safeParse(Object.fromEntries(names.map((name) => [name, header(name)])));
    if (!parsed.success) throw wrong();
    const headers = parsed.data;
    const { 'paypal-transmission-id': id, 'paypal-transmission-time': time } = headers;
    const age = (clock.now() - Date.parse(time)) / 1_000;
    if (age > tolerance || age < -ahead) throw wrong();
    if (ask !== undefined) {
      if (!(await ask(questionOf(headers, webhook, jsonText(body)), livemode))) throw wrong();
      return;
    }
    const key = await certificates(headers['paypal-cert-url'], livemode);
    const signed = Buffer.from(`${id}|${time}|${webhook}|${crc32(body)}`);
    const signature = Buffer.from(headers['paypal-transmission-sig'], 'base64');
    if (!verify('RSA-SHA256', signed, key, signature)) throw wrong();
  };
