import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOmniError } from './errors.ts';
import { decodeCursor, encodeCursor } from './page.ts';

fc.configureGlobal({ seed: 20_260_101 });

const value = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
  fc.boolean(),
  fc.constant(null),
);
const id = fc.string({ minLength: 1, maxLength: 200 });

const encodeText = (text: string): string => Buffer.from(text).toString('base64url');

/** What decodeCursor says, or undefined where it refuses. It must not fail in any other way. */
const decode = (cursor: string) => {
  try {
    return decodeCursor(cursor);
  } catch (error) {
    if (isOmniError(error, 'invalid-cursor')) return undefined;
    throw error;
  }
};

describe('a cursor', () => {
  it('comes back as the position that it was made of', () => {
    fc.assert(
      fc.property(value, id, (at, last) => {
        expect(decode(encodeCursor([at, last]))).toEqual([at, last]);
      }),
    );
  });

  it('can stand in a URL as it is', () => {
    fc.assert(fc.property(value, id, (at, last) => /^[\w-]+$/.test(encodeCursor([at, last]))));
  });

  it('that is forged is refused, or is a position and nothing more', () => {
    const forged = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2_100 }),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc.array(fc.jsonValue(), { maxLength: 4 }).map((list) => Buffer.from(JSON.stringify(list)).toString('base64url')),
    );
    fc.assert(
      fc.property(forged, (cursor) => {
        const position = decode(cursor);
        if (position === undefined) return;
        const [at, last] = position;
        expect(position).toHaveLength(2);
        expect(last).toMatch(/./s);
        expect(at === null || ['string', 'boolean'].includes(typeof at) || Number.isFinite(at)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['an empty one', ''],
    ['no base64', '!!!!'],
    ['no list', encodeText('{"0":1,"1":"x"}')],
    ['one item', encodeText('["x"]')],
    ['three items', encodeText('[1,"x",2]')],
    ['no id', encodeText('[1,""]')],
    ['an id that is no text', encodeText('[1,2]')],
    ['a number that overflows', encodeText('[1e999,"x"]')],
    ['an object', encodeText('[{"$gt":""},"x"]')],
    ['a list', encodeText('[["x"],"x"]')],
    ['deep nesting', encodeText('['.repeat(1_000))],
    ['2,049 characters', encodeText(`[1,"${'x'.repeat(1_540)}"]`)],
  ])('is refused when it is %s', (_what, cursor) => {
    expect(() => decodeCursor(cursor)).toThrow(expect.objectContaining({ code: 'invalid-cursor' }));
  });
});
