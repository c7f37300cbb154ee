import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWithin, parseAddress, parseRange, parseRanges } from './ip-ranges.ts';

const within = (address: string, ...ranges: string[]): boolean => {
  const parsed = parseAddress(address);
  return parsed !== undefined && isWithin(parsed, parseRanges(ranges.map((range) => ({ range }))));
};

describe('an address', () => {
  it.each<[string, string, boolean]>([
    ['192.0.2.7', '192.0.2.0/24', true],
    ['192.0.3.7', '192.0.2.0/24', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.8', '192.0.2.7', false],
    ['203.0.113.1', '0.0.0.0/0', true],
    ['2001:db8::1', '2001:db8::/32', true],
    ['2001:DB8:0::1', '2001:db8::1', true],
    ['2001:db9::1', '2001:db8::/32', false],
    ['2001:db8::1', '0.0.0.0/0', false],
    ['192.0.2.7', '::/0', false],
    ['::ffff:192.0.2.7', '192.0.2.0/24', true],
    ['192.0.2.7', '::ffff:192.0.2.0/120', true],
  ])('%s is in %s: %s', (address, range, expected) => {
    expect(within(address, range)).toBe(expected);
  });

  it.each(['', '10.1', '0x7f.0.0.1', '010.0.0.1', '1.2.3', '1.2.3.4.5', '256.1.1.1', 'fe80::1%eth0', '1.2.3.4 ', 'a'])(
    'is not %j',
    (text) => {
      expect(parseAddress(text)).toBeUndefined();
    },
  );

  it('is in a range exactly when its leading bits are the same', () => {
    const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    const bitsOf = (parts: readonly number[]) => parts.map((part) => part.toString(2).padStart(8, '0')).join('');
    fc.assert(
      fc.property(octets, octets, fc.nat(32), fc.boolean(), (one, other, length, near) => {
        const address = near ? one.with(3, other[3]) : other;
        const expected = bitsOf(one).slice(0, length) === bitsOf(address).slice(0, length);
        expect(within(address.join('.'), `${one.join('.')}/${length}`)).toBe(expected);
      }),
    );
  });
});

it.each([
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/08',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '::/129',
  '::ffff:10.0.0.0/95',
  '/8',
])('%j is no range', (text) => {
  expect(parseRange(text)).toBeUndefined();
});
