import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blindIndex, dataKeyOf, keyIdOf, seal, unseal } from './cipher.ts';

const key = dataKeyOf('fields~1', Buffer.alloc(32, 1));
const otherKey = dataKeyOf('fields~1', Buffer.alloc(32, 2));
const context = ['acme', 'people', 'p1', 'email'];

describe('a sealed text', () => {
  it('opens again, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.array(fc.string()), (text, where) => {
        const sealed = seal(key, text, where);
        expect(sealed).toMatch(/^enc1\.fields~1\.[\w-]{16}\.[\w-]*\.[\w-]{22}$/);
        expect(keyIdOf(sealed)).toBe('fields~1');
        expect(unseal(key, sealed, where)).toBe(text);
      }),
    );
  });

  it('opens nowhere else: every part of where it is counts', () => {
    const sealed = seal(key, 'ann@example.com', context);
    const others = [
      ['rival', 'people', 'p1', 'email'],
      ['acme', 'orders', 'p1', 'email'],
      ['acme', 'people', 'p2', 'email'],
      ['acme', 'people', 'p1', 'phone'],
      ['acme', 'people', 'p1', 'email', ''],
      ['acme","people', 'p1', 'email'],
    ];
    for (const other of others) expect(unseal(key, sealed, other)).toBeUndefined();
    expect(unseal({ ...key, id: 'fields~2' }, sealed, context)).toBeUndefined();
    expect(unseal(otherKey, sealed, context)).toBeUndefined();
  });

  it('does not open after any change', () => {
    const sealed = seal(key, 'ann@example.com', context);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'Q' : 'A'}${sealed.slice(at + 1)}`;
      // The last character of a tag has bits that stand for nothing.
      if (at < sealed.length - 1) expect(unseal(key, changed, context)).toBeUndefined();
    }
    for (const cut of ['', 'enc1', sealed.slice(0, -1), `${sealed}A`, `${sealed}.`, ` ${sealed}`]) {
      expect(unseal(key, cut, context)).toBeUndefined();
    }
  });

  it('never looks the same twice', () => {
    const sealed = Array.from({ length: 2_000 }, () => seal(key, 'same', context));
    expect(new Set(sealed.map((one) => one.split('.')[2])).size).toBe(2_000);
  });
});

describe('a blind index', () => {
  const of = (kind: 'exact' | 'caseless', text: string, where = context) => blindIndex(key, kind, text, where);

  it('is the same for what counts as the same', () => {
    expect(of('caseless', ' Ann@Example.COM ')).toBe(of('caseless', 'ann@example.com'));
    expect(of('caseless', 'ａｎｎ')).toBe(of('caseless', 'ANN'));
    expect(of('exact', 'e\u0301')).toBe(of('exact', '\u00e9'));
  });

  it('differs by text, field and key', () => {
    const all = [
      of('exact', 'ann'),
      of('exact', 'Ann'),
      of('exact', 'ann', ['acme', 'people', 'p1', 'phone']),
      blindIndex(otherKey, 'exact', 'ann', context),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('has 128 bits, and says which key made it', () => {
    expect(of('exact', 'ann')).toMatch(/^fields~1\.[\w-]{22}$/);
  });
});
