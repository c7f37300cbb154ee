import { parseAddress } from '../policy/ip-ranges.ts';

/** Stands for callers of whom nobody knows the address. They share it, so nothing but an account's own limit uses it. */
export const unknownNetwork = 'unknown';

const hex = (bytes: readonly number[]): string =>
  Array.from({ length: bytes.length / 2 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  ).join(':');

/**
 * The network that somebody can easily change addresses in: `203.0.113.0/24`, or `2001:db8:1:2::/64`, which is what one
 * household or machine is given (RFC 6177).
 */
export const networkOf = (ip: string | undefined): string => {
  const bytes = ip === undefined ? undefined : parseAddress(ip)?.toByteArray();
  if (bytes === undefined) return unknownNetwork;
  return bytes.length === 4 ? `${bytes.slice(0, 3).join('.')}.0/24` : `${hex(bytes.slice(0, 8))}::/64`;
};

/** Who is one caller: an IPv4 address, or an IPv6 network of 64 bits, whose addresses one machine has all of. */
export const callerOf = (ip: string | undefined): string => {
  const bytes = ip === undefined ? undefined : parseAddress(ip)?.toByteArray();
  return bytes?.length === 4 ? bytes.join('.') : networkOf(ip);
};

/** The network that an administrator names by an address in it or by itself; undefined for anything else. */
export const networkNamed = (text: string): string | undefined => {
  const [address = '', ...rest] = text.split('/');
  const network = networkOf(address);
  const isWhole = rest.length === 0 || network.endsWith(`/${rest.join('/')}`);
  return network !== unknownNetwork && isWhole ? network : undefined;
};
