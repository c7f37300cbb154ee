import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseEmail } from './email.ts';

describe('an address', () => {
  it.each([
    ['Ada@Example.COM', 'ada@example.com'],
    ['  ada@example.com ', 'ada@example.com'],
    ['ａｄａ@ｅｘａｍｐｌｅ.com', 'ada@example.com'],
    ['ada+tag@example.com', 'ada+tag@example.com'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['ada@BÜCHER.example', 'ada@xn--bcher-kva.example'],
    ['ada@xn--bcher-kva.example', 'ada@xn--bcher-kva.example'],
    ['ada@пример.example', 'ada@xn--e1afmkfd.example'],
    ['ada@日本語.example', 'ada@xn--wgv71a119e.example'],
    ['ada@한국어.example', 'ada@xn--3e0bk47br7k.example'],
  ])('%j has one form: %s', (text, form) => {
    expect(normaliseEmail(text)).toBe(form);
  });

  it.each([
    ['mixes Latin and Cyrillic', 'ada@pаypal.com'],
    ['mixes them behind punycode', 'ada@xn--pypal-4ve.com'],
    ['mixes Latin and Greek', 'ada@gοοgle.com'],
    ['is Cyrillic that reads as Latin', 'ada@аррӏе.com'],
    ['is the same behind punycode', 'ada@xn--80ak6aa92e.com'],
    ['mixes Latin and Hebrew', 'ada@exampleא.com'],
    ['has a local part beyond ASCII', 'аda@example.com'],
    ['ends a header line', 'ada@example.com\r\nBcc: eve@example.com'],
    ['ends a line in its local part', 'ada\n@example.com'],
    ['has a null', 'ada@exam\0ple.com'],
    ['is two', 'ada@example.com,eve@example.com'],
    ['has a name around it', 'Ada <ada@example.com>'],
    ['has two at signs', 'ada@eve@example.com'],
    ['has a port', 'ada@example.com:25'],
    ['has a path', 'ada@example.com/x'],
    ['is encoded', 'ada@exam%70le.com'],
    ['has no domain', 'ada@'],
    ['has no local part', '@example.com'],
    ['has no dot', 'ada@localhost'],
    ['has a long local part', `${'a'.repeat(65)}@example.com`],
    ['is long', `a@${'a.'.repeat(130)}com`],
    ['is an address literal', 'ada@[127.0.0.1]'],
    ['has spaces in it', 'ada lovelace@example.com'],
    ['turns right to left', 'ada@exam\u202eelp.com'],
  ])('that %s is refused', (_what, text) => {
    expect(normaliseEmail(text)).toBeUndefined();
  });

  it('in its one form stays as it is, and is never more than ASCII', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.emailAddress(),
          fc.string({ unit: 'grapheme' }).map((text) => `${text}@example.com`),
        ),
        (text) => {
          const form = normaliseEmail(text);
          if (form === undefined) return;
          expect(normaliseEmail(form)).toBe(form);
          expect(form).toMatch(/^[\x21-\x7e]+$/);
        },
      ),
      { seed: 1 },
    );
  });
});
