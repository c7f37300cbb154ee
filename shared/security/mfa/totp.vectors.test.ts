import { HOTP, Secret, TOTP } from 'otpauth';
import { describe, expect, it } from 'vitest';
import { newTotpSecret, stepOf } from './totp.ts';

/** RFC 6238, appendix B: the secrets are the ASCII digits, as long as each hash. */
const digits = '1234567890'.repeat(7);
const secrets = { SHA1: digits.slice(0, 20), SHA256: digits.slice(0, 32), SHA512: digits.slice(0, 64) } as const;
const vectors = [
  [59, '94287082', '46119246', '90693936'],
  [1_111_111_109, '07081804', '68084774', '25091201'],
  [1_111_111_111, '14050471', '67062674', '99943326'],
  [1_234_567_890, '89005924', '91819424', '93441116'],
  [2_000_000_000, '69279037', '90698825', '38618901'],
  [20_000_000_000, '65353130', '77737706', '47863826'],
] as const;

describe('RFC 6238, appendix B', () => {
  it.each(vectors)('at %i s', (seconds, sha1, sha256, sha512) => {
    const code = (algorithm: keyof typeof secrets) =>
      TOTP.generate({
        secret: Secret.fromLatin1(secrets[algorithm]),
        algorithm,
        digits: 8,
        timestamp: seconds * 1_000,
      });
    expect([code('SHA1'), code('SHA256'), code('SHA512')]).toEqual([sha1, sha256, sha512]);
  });

  it.each(vectors)('is what is verified, in six digits, at %i s', async (seconds, sha1) => {
    const secret = Secret.fromLatin1(secrets.SHA1).base32;
    expect(await stepOf(secret, sha1.slice(2), seconds * 1_000)).toBe(Math.floor(seconds / 30));
  });
});

/** RFC 4226, appendix D. */
it.each(
  ['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489'].map(
    (code, counter) => [counter, code] as const,
  ),
)('counts as RFC 4226 does: %i is %s', (counter, code) => {
  expect(HOTP.generate({ secret: Secret.fromLatin1(secrets.SHA1), counter })).toBe(code);
});

it('makes secrets of 160 bits, each another one, in a URL that names tenant and account', async () => {
  const label = { issuer: 'Acme & Söhne: A/B', account: 'ada+1@example.com' };
  const [a, b] = [await newTotpSecret(label), await newTotpSecret(label)];
  expect(a.secret).toMatch(/^[A-Z2-7]{32}$/);
  expect(a.secret).not.toBe(b.secret);
  const url = new URL(a.uri);
  expect(url.searchParams.get('issuer')).toBe(label.issuer);
  expect(decodeURIComponent(url.pathname)).toBe(`/${label.issuer}:${label.account}`);
  expect([url.searchParams.get('period'), url.searchParams.get('digits')]).toEqual(['30', '6']);
});
