import { describe, expect, it } from 'vitest';
import { forwardedAddress } from './client-address.ts';

describe('the address that our own proxies saw', () => {
  it.each([
    ['behind no proxy of ours', '203.0.113.9', 0, '203.0.113.9'],
    ["behind Google's load balancer", '203.0.113.9, 34.1.1.1', 1, '203.0.113.9'],
    ['behind it, with what the client made up', '10.0.0.1, 203.0.113.9, 34.1.1.1', 1, '203.0.113.9'],
    ['behind it, with a whole chain made up', '10.0.0.1,10.0.0.2 , 203.0.113.9,34.1.1.1', 1, '203.0.113.9'],
    ['behind two', '203.0.113.9, 34.1.1.1, 10.8.0.3', 2, '203.0.113.9'],
    ['in IPv6', 'x, 2001:db8::9, 34.1.1.1', 1, '2001:db8::9'],
  ])('%s', (_name, header, hops, expected) => {
    expect(forwardedAddress(header, hops)).toBe(expected);
  });

  it.each([
    ['there is no header', undefined, 1],
    ['it is empty', '', 0],
    ['it is too short to have passed our proxies', '10.0.0.1', 1],
    ['there is no address at that place', 'evil, 34.1.1.1', 1],
    ['there is a port or a list in a list', '203.0.113.9:80, 34.1.1.1', 1],
    ['there is a zone that no peer can have', '"203.0.113.9", 34.1.1.1', 1],
    ['it is longer than any honest one', `${'1.1.1.1,'.repeat(1_000)}203.0.113.9,34.1.1.1`, 1],
  ])('is unknown where %s', (_name, header, hops) => {
    expect(forwardedAddress(header, hops)).toBeUndefined();
  });
});
