import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adversarial } from '#tests/support/adversarial-text.ts';
import { generateKey } from '../api-keys/api-key.format.ts';
import { luhnValid } from './checksums.ts';
import type { FindingType } from './finding.schema.ts';
import { redactFindings, scanStream, scanText } from './scan.ts';

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** Put together here, so that nobody's scanner takes this file for a leak. */
const letters = (count: number): string => 'aB3dE5gH7jK9mN2pQ4sT6vW8xY1zA0cD4fG6hJ8kL1nP3'.repeat(3).slice(0, count);

const planted: Readonly<Record<FindingType, readonly string[]>> = {
  card: ['4242424242424242', '5555 5555 5555 4444', '3782-822463-10005', '6011000990139424', '3530111333300000'],
  iban: ['DE89370400440532013000', 'GB29 NWBK 6016 1331 9268 19', 'NO9386011117947', 'nl91abna0417164300'],
  email: ['ann.o-hara+tag@mail.example.co.uk'],
  phone: ['+31 6 1234 5678', '+14155552671', '+44 (20) 7946-0958'],
  'aws-key': [`AKIA${'IOSFODNN7EXAMPLE'}`],
  'google-key': [`AIza${letters(35)}`],
  'stripe-key': [`sk_live_${letters(24)}`, `rk_test_${letters(24)}`, `whsec_${letters(32)}`],
  'github-token': [`ghp_${letters(36)}`, `github_pat_${letters(40)}`],
  'slack-token': [`xoxb-${'1234567890-'}${letters(24)}`],
  'omni-key': [generateKey().text],
  jwt: [`${base64url({ alg: 'EdDSA', typ: 'JWT' })}.${base64url({ sub: 'ann' })}.${letters(43)}`],
  'private-key': [`-----BEGIN RSA PRIVATE KEY-----\n${letters(64)}\n${letters(64)}\n-----END RSA PRIVATE KEY-----`],
  'us-ssn': ['536-90-4399'],
  'uk-nino': ['HH 01 02 03 D', 'AA123456C'],
  'de-tax-id': ['Steuer-ID 36 574 261 809'],
  'fr-nir': ['2 95 10 99 126 111 93', '295109912611193'],
  'nl-bsn': ['BSN: 111222333', 'bsn 1112.22.333'],
  'es-dni': ['54362315K', '54362315-K'],
  'es-nie': ['X2482300W', 'X-2482300-W'],
  'it-fiscal-code': ['RCCMNL83S18D969H'],
  'pl-pesel': ['PESEL 44051401359'],
};
const all = Object.entries(planted).flatMap(([type, examples]) => examples.map((text) => ({ type, text })));
const typesIn = (text: string): string[] => scanText(text).findings.map(({ type }) => type);

describe('a scan', () => {
  it.each(all)('finds $type in $text', ({ type, text }) => {
    for (const around of [text, `x ${text} x`, `"${text}"`, `\n${text}\n`, `(${text}), more`, `key=${text};`]) {
      expect(typesIn(around)).toEqual([type]);
    }
  });

  it.each([
    ['a card with a wrong check digit', '4242424242424241'],
    ['a card of no network', '9999999999999995'],
    ['part of a longer number', '14242424242424242424242'],
    ['a card inside a word', 'id4242424242424242'],
    ['an IBAN with a wrong check', 'DE88370400440532013000'],
    ['an IBAN of a wrong length', 'DE8937040044053201300'],
    ['an IBAN of no country', 'XX89370400440532013000'],
    ['an Omni key with a wrong end', `${generateKey().text.slice(0, -1)}g`],
    ['a social security number that is never given', '666-12-3456'],
    ['a token without an algorithm', `${base64url({ a: 1, b: 'long enough' })}.${base64url({ c: 1 })}.x`],
    ['a time', '2026-01-31T12:34:56.789Z, 1767225600000'],
    ['a UUID', '123e4567-e89b-12d3-a456-426614174000'],
    ['a handle', '@ann, ann@localhost'],
    ['a public key', '-----BEGIN PUBLIC KEY-----'],
    ['prose', 'In 2026 there were 1,234,567 of them, 12.5 % more than the 1.097.393 of 2025 (see p. 12-34).'],
  ])('lets %s be', (_what, text) => {
    expect(typesIn(text)).toEqual([]);
  });

  it('tells where each finding is, and shows little of it', () => {
    const text = 'Card 4242 4242 4242 4242 123 of ann@example.com.';
    const { findings } = scanText(text);
    expect(findings).toEqual([
      { type: 'card', confidence: 'high', start: 5, end: 24, sample: '…4242' },
      { type: 'email', confidence: 'high', start: 32, end: 47, sample: 'a…com' },
    ]);
    for (const { text: secret } of all) {
      for (const { sample } of scanText(secret).findings) expect(sample.length).toBeLessThan(25);
    }
    expect(scanText(generateKey().text).findings[0]?.sample).not.toContain('_'.repeat(2));
  });

  it('is surer of a number after the right word, and leaves out what it is not sure of', () => {
    expect(scanText('111222333').findings).toEqual([]);
    expect(scanText('111222333', { minConfidence: 'low' }).findings).toMatchObject([
      { type: 'nl-bsn', confidence: 'low' },
    ]);
    expect(scanText('BSN 111222333').findings).toMatchObject([{ type: 'nl-bsn', confidence: 'high' }]);
    expect(scanText('536-90-4399', { minConfidence: 'high' }).findings).toEqual([]);
  });

  it('tells a bounded number of findings, and that there are more', () => {
    const text = 'ann@example.com '.repeat(30);
    expect(scanText(text, { maxFindings: 10 })).toMatchObject({ findings: { length: 10 }, truncated: true });
    expect(scanText(text)).toMatchObject({ findings: { length: 30 }, truncated: false });
  });

  it('redacts every finding and nothing else', () => {
    expect(redactFindings('Pay 4242 4242 4242 4242 to DE89370400440532013000, tell ann@example.com!')).toBe(
      'Pay [card] to [iban], tell [email]!',
    );
    expect(redactFindings('nothing here')).toBe('nothing here');
  });
});

describe('on random text', () => {
  const word = fc.stringMatching(/^[a-z]{1,9}$/);
  const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9]{${count}}$`));
  const card = digits(15).map((rest) => {
    const body = `4${rest.slice(1)}`;
    return [...'0123456789'].map((check) => body + check).find(luhnValid) ?? '';
  });

  it('finds every card that is planted, wherever it is', () => {
    fc.assert(
      fc.property(fc.array(word), card, fc.array(word), (before, number, after) => {
        const text = [...before, number, ...after].join(' ');
        expect(scanText(text).findings).toMatchObject([{ type: 'card', sample: `…${number.slice(-4)}` }]);
        expect(redactFindings(text)).toBe([...before, '[card]', ...after].join(' '));
      }),
    );
  });

  it('finds nothing in words', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 200 }), (words) => {
        expect(typesIn(words.join(' '))).toEqual([]);
      }),
    );
  });

  it('takes few random numbers for something', () => {
    let state = 1;
    const next = (): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state % 10;
    };
    const rate = (length: number): number => {
      const numbers = Array.from({ length: 1_000 }, () => Array.from({ length }, next).join(''));
      return numbers.filter((number) => typesIn(number).length > 0).length / numbers.length;
    };
    const rates = Array.from({ length: 17 }, (_, i) => [i + 4, rate(i + 4)] as const);
    for (const [length, found] of rates) expect([length, found < 0.08]).toEqual([length, true]);
  });

  it('redacts so that nothing is left to find', () => {
    const piece = fc.oneof(
      word,
      fc.constantFrom(...all.map(({ text }) => text)),
      fc.constantFrom('4242', '+', '@', '-'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        expect(typesIn(redactFindings(pieces.join(' | ')))).toEqual([]);
      }),
    );
  });
});

describe('a megabyte', () => {
  it.each(Object.entries(adversarial))('of %s is scanned in time', (_what, text) => {
    const started = performance.now();
    scanText(text);
    // Tenths of a second on a quiet machine. What is not linear takes minutes.
    expect(performance.now() - started).toBeLessThan(4_000);
  });
});

describe('a stream', () => {
  const streamed = (text: string, size: number): Readable => {
    const bytes = Buffer.from(text);
    return Readable.from(
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size)),
    );
  };

  it('has the findings of the whole text, wherever chunks and windows end', async () => {
    const parts = Array.from({ length: 9_000 }, (_, i) =>
      i % 90 === 0 ? `ann${i}@example.com` : `wörd-${i} `.repeat(8),
    );
    const text = parts.join(' ');
    expect(text.length).toBeGreaterThan(600_000);
    const expected = scanText(text).findings;
    expect(expected).toHaveLength(100);
    for (const size of [65_536, 100_003]) {
      const found = await scanStream(streamed(text, size), { maxBytes: 10_000_000 });
      expect(found).toEqual({ findings: expected, truncated: false, characters: text.length });
    }
  });

  it.each([255_990, 262_140, 258_040, 253_950])('finds what lies across the border at %i', async (at) => {
    const text = `${'x '.repeat(at / 2)}4242 4242 4242 4242${' y'.repeat(50_000)}`;
    const { findings } = await scanStream(streamed(text, 7_919), { maxBytes: 10_000_000 });
    expect(findings).toEqual([{ type: 'card', confidence: 'high', start: at, end: at + 19, sample: '…4242' }]);
  });

  it('may be UTF-16, empty, or no text at all', async () => {
    const utf16 = Buffer.from('\ufeffcall ann@example.com', 'utf16le');
    expect((await scanStream(Readable.from([utf16]), { maxBytes: 100 })).findings).toMatchObject([{ type: 'email' }]);
    expect(await scanStream(Readable.from([]), { maxBytes: 100 })).toMatchObject({ findings: [], characters: 0 });
    const noise = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 7_919) % 256));
    expect((await scanStream(Readable.from([noise]), { maxBytes: 100_000 })).findings).toEqual([]);
  });

  it('is left when it is longer than allowed', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(1_000, 'a');
      })(),
    );
    await expect(scanStream(endless, { maxBytes: 100_000 })).rejects.toMatchObject({ code: 'payload-too-large' });
    expect(endless.destroyed).toBe(true);
  });
});
