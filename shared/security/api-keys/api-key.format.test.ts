import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../kernel/json.ts';
import { generateKey, parseKey, sameHash } from './api-key.format.ts';

fc.configureGlobal({ seed: 20_260_101 });

describe('a new key', () => {
  const keys = Array.from({ length: 100 }, generateKey);

  it('is parsed to what is stored of it', () => {
    for (const { text, prefix, secretHash } of keys) expect(parseKey(text)).toEqual({ prefix, secretHash });
  });

  it('is never given twice', () => {
    expect(new Set(keys.map(({ prefix }) => prefix)).size).toBe(keys.length);
    expect(new Set(keys.map(({ secretHash }) => secretHash)).size).toBe(keys.length);
  });

  it('can be told from other secrets by its shape, and fits a header', () => {
    for (const { text } of keys) expect(text).toMatch(/^omk_[\da-f]{16}_[\w-]{49}$/);
  });
});

describe('what is no key', () => {
  const { text } = generateKey();

  it('is found out by its check when any one character is mistyped', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0123456789abcdefXYZ_-'), (at, letter) => {
        const mistyped = text.slice(0, at) + letter + text.slice(at + 1);
        expect(parseKey(mistyped) === undefined).toBe(mistyped !== text);
      }),
    );
  });

  it('is found out when two neighbours are swapped', () => {
    for (let at = 0; at < text.length - 1; at += 1) {
      const swapped = text.slice(0, at) + text.charAt(at + 1) + text.charAt(at) + text.slice(at + 2);
      expect(parseKey(swapped) === undefined).toBe(swapped !== text);
    }
  });

  it.each(['', ' ', 'omk_', text.slice(0, -1), `${text}0`, ` ${text}`, `${text}\n`, text.toUpperCase(), `x${text}`])(
    'is refused: %j',
    (other) => {
      expect(parseKey(other)).toBeUndefined();
    },
  );

  it('is refused whatever it is, without hanging', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 5_000 }), (any) => parseKey(any) === undefined));
  });
});

describe('sameHash', () => {
  it('is equality', () => {
    const hash = fc.string().map(sha256);
    fc.assert(fc.property(hash, hash, (a, b) => sameHash(a, b) === (a === b)));
    fc.assert(fc.property(fc.string(), (text) => sameHash(text, text)));
  });

  it('is false for texts of different length, and does not throw', () => {
    expect(sameHash('a', 'ab')).toBe(false);
    expect(sameHash('', 'a')).toBe(false);
  });
});
