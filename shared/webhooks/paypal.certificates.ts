import { type KeyObject, X509Certificate } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { isOmniError, OmniError } from '../kernel/errors.ts';

export interface PayPalCertificateOptions {
  readonly clock: Clock;
  /** A local server in the place of PayPal's. The address that a certificate is named by stays PayPal's own. */
  readonly baseUrl?: string | undefined;
  /** Who is trusted to have issued certificates, as PEM; the authorities that Node ships where absent. */
  readonly authorities?: string | undefined;
  /** Seconds for a download, 5 where absent. */
  readonly timeout?: number;
}

/**
 * The key of the certificate at an address that a webhook names. Throws `invalid-signature` for an address that is not
 * PayPal's of this mode, and for a certificate that nobody whom we trust has issued to PayPal's signer, or that is not
 * valid now; `unavailable` where it can't be had.
 */
export type PayPalCertificates = (url: string, livemode: boolean) => Promise<KeyObject>;

const hosts = {
  live: new Set(['api.paypal.com', 'api-m.paypal.com']),
  sandbox: new Set(['api.sandbox.paypal.com', 'api-m.sandbox.paypal.com']),
} as const;
/** In whose name PayPal signs: what its own SDKs look for. */
const signers = {
  live: 'messageverificationcerts.paypal.com',
  sandbox: 'messageverificationcerts.sandbox.paypal.com',
} as const;
const pathPattern = /^\/v1\/notifications\/certs\/[\w-]{1,100}$/;
const pemPattern = /-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----/g;

/** Bytes; a chain of PayPal's has about 6,000. */
const maxDownload = 64_000;
const maxChain = 6;
const minBits = 2_048;
/** Milliseconds. */
const keptFor = 3_600_000;
const refusedFor = 60_000;
const maxKept = 50;
/** Downloads that one instance makes in a minute: who invents addresses does not make us call PayPal at will. */
const maxDownloads = 20;

const untrusted = (why: string): OmniError => new OmniError('invalid-signature', `PayPal's certificate ${why}.`);

const parsed = (pem: string, most: number): readonly X509Certificate[] => {
  const parts = pem.match(pemPattern) ?? [];
  try {
    return parts.slice(0, most).map((part) => new X509Certificate(part));
  } catch (error) {
    throw new OmniError('invalid-signature', "What is at PayPal's address is no certificate.", { cause: error });
  }
};

const isValidAt = (certificate: X509Certificate, now: number): boolean =>
  Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);

const hasIssued = (issuer: X509Certificate, subject: X509Certificate): boolean =>
  issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey);

/** From the certificate over those that came with it to an authority, each issued by the next and valid now. */
const requireChain = (
  all: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
): X509Certificate => {
  const [leaf, ...others] = all;
  if (leaf === undefined) throw untrusted('is not there');
  let current = leaf;
  for (let length = 0; length < maxChain; length += 1) {
    if (!isValidAt(current, now)) throw untrusted(`is not valid at ${isoTime(now)}`);
    const last = current;
    const root = authorities.find((one) => hasIssued(one, last));
    if (root !== undefined && isValidAt(root, now)) return leaf;
    const next = others.find((one) => one !== last && hasIssued(one, last));
    if (next === undefined) break;
    current = next;
  }
  throw untrusted('was issued by nobody who is trusted');
};

const keyOf = (leaf: X509Certificate, signer: string): KeyObject => {
  if (leaf.checkHost(signer, { wildcards: false }) === undefined) throw untrusted('is of somebody else');
  const { publicKey } = leaf;
  const bits = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  if (publicKey.asymmetricKeyType !== 'rsa' || bits < minBits) throw untrusted('has a key that is too weak');
  return publicKey;
};

const addressOf = (text: string, mode: keyof typeof hosts): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPayPals =
    url?.protocol === 'https:' &&
    url.port === '' &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '' &&
    hosts[mode].has(url.hostname) &&
    pathPattern.test(url.pathname);
  if (url === undefined || !isPayPals) throw new OmniError('invalid-signature', 'The certificate is not at PayPal.');
  return url;
};

const textOf = async (response: Response): Promise<string> => {
  const decoder = new TextDecoder();
  let [text, length] = ['', 0];
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > maxDownload) throw untrusted('is too large');
    text += decoder.decode(part, { stream: true });
  }
  return text;
};

interface Loaded {
  readonly key: KeyObject;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

/** Downloads, checks and keeps the certificates that PayPal signs its webhooks with. */
export const paypalCertificates = (options: PayPalCertificateOptions): PayPalCertificates => {
  const { clock, baseUrl, timeout = 5 } = options;
  const kept = new Map<string, { readonly loading: Promise<Loaded>; until: number }>();
  let authorities: readonly X509Certificate[] | undefined;
  let downloads: readonly number[] = [];

  const trusted = (): readonly X509Certificate[] => {
    authorities ??= parsed(options.authorities ?? getCACertificates('default').join('\n'), 1_000);
    return authorities;
  };

  const download = async ({ origin, pathname }: URL): Promise<string> => {
    const now = clock.now();
    downloads = downloads.filter((at) => now - at < 60_000);
    if (downloads.length >= maxDownloads) throw new OmniError('unavailable', 'Too many certificates are asked for.');
    downloads = [...downloads, now];
    try {
      const signal = AbortSignal.timeout(timeout * 1_000);
      const response = await fetch(new URL(pathname, baseUrl ?? origin), { redirect: 'error', signal });
      if (response.status === 404) throw untrusted('is not there');
      if (!response.ok) throw new OmniError('unavailable', `PayPal answered ${response.status} for its certificate.`);
      return await textOf(response);
    } catch (error) {
      if (isOmniError(error)) throw error;
      throw new OmniError('unavailable', "PayPal's certificate can't be had.", { cause: error });
    }
  };

  const load = async (url: URL, mode: keyof typeof hosts): Promise<Loaded> => {
    const all = parsed(await download(url), maxChain);
    const leaf = requireChain(all, trusted(), clock.now());
    return { key: keyOf(leaf, signers[mode]), until: Math.min(clock.now() + keptFor, Date.parse(leaf.validTo)) };
  };

  return async (text, livemode) => {
    const mode = livemode ? 'live' : 'sandbox';
    const url = addressOf(text, mode);
    const found = kept.get(url.href);
    if (found !== undefined && found.until > clock.now()) return (await found.loading).key;
    if (kept.size >= maxKept) kept.clear();
    const entry = { loading: load(url, mode), until: clock.now() + refusedFor };
    kept.set(url.href, entry);
    try {
      const { key, until } = await entry.loading;
      entry.until = until;
      return key;
    } catch (error) {
      // A refusal holds a while; what could not be had is tried again.
      if (!isOmniError(error, 'invalid-signature')) kept.delete(url.href);
      throw error;
    }
  };
};
