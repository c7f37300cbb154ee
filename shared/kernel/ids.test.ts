import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivedId, newId, sequentialIds } from './ids.ts';

fc.configureGlobal({ seed: 20_260_101 });

describe('a new id', () => {
  const ids = Array.from({ length: 10_000 }, () => newId('inv'));

  it('names its kind and can stand in a path, a header and a document’s name', () => {
    for (const id of ids) expect(id).toMatch(/^inv_[0-9A-Za-z]{22}$/);
  });

  it('is never given twice', () => {
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('begins with any letter alike, so that keys do not crowd', () => {
    const first = new Map<string, number>();
    for (const id of ids) first.set(id.charAt(4), (first.get(id.charAt(4)) ?? 0) + 1);
    expect(first.size).toBe(62);
    // `byte % 62` gives the first eight letters five chances of 256 and the others four.
    for (const count of first.values()) expect(count).toBeLessThan((10_000 * 5 * 1.5) / 256);
  });
});

describe('a derived id', () => {
  const parts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 });

  it('is the same for the same parts, and has the form of a new one', () => {
    fc.assert(
      fc.property(parts, (some) => {
        expect(derivedId('x', ...some)).toBe(derivedId('x', ...some));
        expect(derivedId('x', ...some)).toMatch(/^x_[0-9A-Za-z]{22}$/);
      }),
    );
  });

  it('is another one for other parts, however they are split', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(derivedId('x', ...a) === derivedId('x', ...b)).toBe(same);
      }),
    );
    expect(derivedId('x', 'a', 'b')).not.toBe(derivedId('x', 'ab'));
    expect(derivedId('x', 'a,b')).not.toBe(derivedId('x', 'a', 'b'));
  });
});

it('tests can have ids that they can read', () => {
  const next = sequentialIds();
  expect([next('a'), next('b'), sequentialIds()('a')]).toEqual(['a_1', 'b_2', 'a_1']);
});
