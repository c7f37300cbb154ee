import { globSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { credentialPrefixes } from '../kernel/credential-prefixes.ts';
import { redact, redacted, redactFields, redactText } from './redact.ts';

describe('redaction by key', () => {
  it.each([
    'password',
    'newPassword',
    'user_password',
    'passwd',
    'token',
    'accessToken',
    'refresh_token',
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'client_secret',
    'apiKey',
    'X-API-Key',
    'privateKey',
    'signature',
    'email',
    'e-mail',
    'emailAddress',
    'phone',
    'phoneNumber',
    'mobile',
    'name',
    'firstName',
    'last_name',
    'displayName',
    'address',
    'billingAddress',
    'street',
    'postalCode',
    'iban',
    'card',
    'cardNumber',
    'cvc',
    'ssn',
    'dateOfBirth',
    'ipAddress',
    'sessionId',
  ])('takes out %s', (key) => {
    expect(redact({ outer: [{ [key]: 'visible-value' }] })).toEqual({ outer: [{ [key]: redacted }] });
  });

  it.each([
    'tenant',
    'requestId',
    'route',
    'hostname',
    'filename',
    'cardinality',
    'discarded',
    'status',
    'durationMs',
    'passed',
  ])('leaves %s', (key) => {
    expect(redact({ [key]: 'value' })).toEqual({ [key]: 'value' });
  });

  it('takes out whole objects and lists, and leaves flags and counts', () => {
    expect(
      redactFields({ address: { city: 'Ulm' }, tokens: ['a'], emailSent: true, phone: null, maxTokens: 512, card: 42 }),
    ).toEqual({ address: redacted, tokens: redacted, emailSent: true, phone: null, maxTokens: 512, card: redacted });
  });

  it('reads the keys of maps, and keys that are data themselves', () => {
    expect(redact(new Map([['password', 'hunter2']]))).toEqual({ password: redacted });
    expect(redact({ 'ada@example.com': 1 })).toEqual({ [redacted]: 1 });
  });
});

describe('redaction by pattern', () => {
  it.each([
    ['a bearer token', 'got Bearer abcdefgh12345678 here', 'got Bearer [redacted] here'],
    ['basic credentials', 'sent Basic YWRhOmh1bnRlcjI=', 'sent Basic [redacted]'],
    ['a whole header', 'Authorization: Digest username="ada", nonce="x"', 'Authorization: [redacted]'],
    ['an Omni key', 'key omk_live_8FqZ3k-_x.', 'key [redacted]'],
    ['a Stripe key', 'using sk_test_51Habc', 'using [redacted]'],
    ['a webhook secret', 'with whsec_MfKQ9r8G/+=', 'with [redacted]'],
    ['a JSON web token', 'jwt eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1In0.c2ln end', 'jwt [redacted] end'],
    ['an e-mail address', 'mail to <ada.lovelace+x@sub.example.co.uk>!', 'mail to <[redacted]>!'],
    ['an internationalised address', 'für jörg@müller.de', 'für [redacted]'],
    ['a card number', 'paid with 4242 4242 4242 4242.', 'paid with [redacted].'],
    ['a card number with dashes', '5555-5555-5555-4444', '[redacted]'],
    ['an IBAN', 'from DE89 3704 0044 0532 0130 00 now', 'from [redacted] now'],
    ['a compact IBAN', 'GB82WEST12345698765432', '[redacted]'],
    ['a phone number', 'call +49 (170) 123-4567', 'call [redacted]'],
    ['credentials in an address', 'https://ada:hunter2@db.example/x', 'https://[redacted]@db.example/x'],
    ['a signed query', 'GET /f?X-Goog-Signature=abcdef&x=1', 'GET /f?X-Goog-Signature=[redacted]&x=1'],
    ['JSON in a string', '{"password":"hunter2","a":1}', '{"password":"[redacted]","a":1}'],
    ['a connection string', 'Server=db;Password=hunter2;Timeout=3', 'Server=db;Password=[redacted];Timeout=3'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nMIIabc+/=\n-----END PRIVATE KEY-----', '[redacted]'],
  ])('takes out %s', (_what, text, expected) => {
    expect(redactText(text)).toBe(expected);
  });

  it.each([
    'The invoice inv_8FqZ3k was paid at 2026-01-01T00:00:00.000+01:00 in 1767225600000 ms',
    'trace 4bf92f3577b34da6a3ce929d0e0e4736 and 550e8400-e29b-41d4-a716-446655440000',
    'order 4242 4242 4242 4243 is no card and DE00 3704 0044 0532 0130 00 no IBAN',
    'npm i @hono/node-server@2.1 and http://localhost:8080/a@b',
    'GET /api/v1/business/invoices?limit=20 took 12.5 ms',
  ])('leaves "%s"', (text) => {
    expect(redactText(text)).toBe(text);
  });

  it('takes a card number out even where it is a number', () => {
    expect(redact({ value: 4242424242424242, at: 1767225600000 })).toEqual({ value: redacted, at: 1767225600000 });
  });

  it('cleans errors: message, stack, cause and what is attached to them', () => {
    const cause = new Error('no user ada@example.com');
    const error = Object.assign(new TypeError('bad key sk_live_abc123', { cause }), { code: 'E_BAD', password: 'x' });
    const text = JSON.stringify(redact({ error, all: new AggregateError([cause]) }));
    expect(text).toContain('"name":"TypeError"');
    expect(text).toContain('bad key [redacted]');
    expect(text).toContain('"code":"E_BAD"');
    expect(text).not.toMatch(/ada@example|sk_live|"password":"x"/);
  });
});

describe('bounds', () => {
  it('cuts cycles, depth, breadth and length', () => {
    const cycle: Record<string, unknown> = { at: new Date(0), bytes: Buffer.from('secret'), big: 10n };
    cycle.self = cycle;
    expect(redact(cycle)).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      bytes: '[6 bytes]',
      big: '10',
      self: '[circular]',
    });
    let deep: unknown = 'bottom';
    for (let i = 0; i < 50; i += 1) deep = { deep };
    expect(JSON.stringify(redact(deep))).toContain('[too deep]');
    expect(redact(Array.from({ length: 5_000 }, () => 1))).toHaveLength(101);
    expect(redactText('word '.repeat(10_000)).length).toBeLessThan(8_300);
  });

  it('does not leave half a secret where it cuts', () => {
    const jwt = `eyJhbGciOiJFZERTQSJ9.${'a'.repeat(200)}.${'b'.repeat(80)}`;
    for (let at = 7_900; at < 8_300; at += 20) expect(redactText(`${'x '.repeat(at / 2)}${jwt}`)).not.toContain('eyJ');
  });

  it('survives getters that throw', () => {
    const hostile = {
      get boom() {
        throw new Error('no');
      },
    };
    expect(redact({ hostile, fine: 1 })).toEqual({ hostile: '[unreadable]', fine: 1 });
  });

  it('stays fast on text made to be slow', () => {
    const started = performance.now();
    for (const part of ['a', 'a.', '4', '4 ', 'A1', 'eyJa', '+1', 'token', '@', '://a:', '-----BEGIN ', 'password= '])
      redactText(part.repeat(8_000));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('whatever is logged', () => {
  const marker = 'S3cr3tM4rker';
  const wrap = fc.oneof(
    fc.string({ maxLength: 8 }).map((key) => (value: unknown): unknown => ({ before: 1, [key]: value })),
    fc.constant((value: unknown): unknown => [0, value]),
    fc.constant((value: unknown): unknown => new Map([['entry', value]])),
    fc.constant((value: unknown): unknown => new Set([value])),
    fc.constant((value: unknown): unknown => Object.assign(new Error('x'), { value })),
    fc.constant((value: unknown): unknown => new Error('x', { cause: value })),
  );
  const planted = fc.oneof(
    fc
      .constantFrom('password', 'access_token', 'Cookie', 'apiKey', 'email', 'phoneNumber', 'firstName', 'iban')
      .chain((key) => fc.constantFrom(marker, { inner: marker }, [marker]).map((value): unknown => ({ [key]: value }))),
    fc
      .tuple(
        fc.string({ maxLength: 30 }),
        fc.constantFrom(
          `Bearer ${marker}`,
          `omk_${marker}`,
          `sk_live_${marker}`,
          `whsec_${marker}`,
          `${marker}@example.com`,
          `eyJ${marker}.eyJ${marker}.${marker}`,
          `https://ada:${marker}@h/`,
          `password=${marker}`,
        ),
        fc.string({ maxLength: 30 }),
      )
      .map(([before, secret, after]): unknown => `${before} ${secret} ${after}`),
  );

  it('never lets a planted secret out, at any depth', () => {
    fc.assert(
      fc.property(planted, fc.array(wrap, { maxLength: 12 }), (secret, wraps) => {
        const value = wraps.reduce((inner, around) => around(inner), secret);
        expect(JSON.stringify(redact(value)) ?? '').not.toContain(marker);
      }),
      { numRuns: 1_000 },
    );
  });

  it('always gives JSON', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withNullPrototype: true,
        }),
        (value) => {
          expect(() => JSON.stringify(redact(value))).not.toThrow();
        },
      ),
    );
  });
});

describe('our own credentials', () => {
  const sources = globSync(['shared/**/*.ts', 'functions/**/*.ts']).filter(
    (file) => !file.endsWith('.test.ts') && !file.endsWith('credential-prefixes.ts'),
  );
  const inUse = new Set(sources.flatMap((file) => readFileSync(file, 'utf8').match(/\bom[a-z]_/g) ?? []));

  it('are known by every prefix that the code gives out', () => {
    expect([...inUse].toSorted()).toEqual([...credentialPrefixes]);
  });

  it.each([...inUse])('that begin with %s are taken out of texts', (prefix) => {
    const secret = `${prefix}acme.rst_1.${'s3cr3t-'.repeat(6)}x`;
    expect(redactText(`It was (${secret}), twice: ${secret}`)).not.toContain('s3cr3t');
  });
});
