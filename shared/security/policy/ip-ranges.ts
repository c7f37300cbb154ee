import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.parse>;
/** An address and how many of its leading bits count. */
export type IpRange = readonly [Address, number];

/** `::ffff:10.0.0.1` is 10.0.0.1. */
const plain = (address: Address): Address =>
  address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;

/** Undefined for what is no address in the usual form: `10.1`, `0x7f.1` and octal parts mean different things to different readers. */
export const parseAddress = (text: string): Address | undefined => {
  if (text.length > 45) return undefined;
  if (text.includes(':')) {
    return ipaddr.IPv6.isValid(text) && !text.includes('%') ? plain(ipaddr.IPv6.parse(text)) : undefined;
  }
  return ipaddr.IPv4.isValidFourPartDecimal(text) ? ipaddr.IPv4.parse(text) : undefined;
};

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. Undefined for anything else. */
export const parseRange = (text: string): IpRange | undefined => {
  const [address = '', prefix, ...rest] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || rest.length > 0) return undefined;
  const isMapped = address.includes(':') && parsed instanceof ipaddr.IPv4;
  const bits = parsed instanceof ipaddr.IPv4 ? 32 : 128;
  if (prefix === undefined) return [parsed, bits];
  if (!/^(0|[1-9]\d{0,2})$/.test(prefix)) return undefined;
  const length = isMapped ? Number(prefix) - 96 : Number(prefix);
  return length >= 0 && length <= bits ? [parsed, length] : undefined;
};

/** Those that are ranges. */
export const parseRanges = (list: readonly { readonly range: string }[]): readonly IpRange[] =>
  list.map(({ range }) => parseRange(range)).filter((range) => range !== undefined);

export const isWithin = (address: Address, ranges: readonly IpRange[]): boolean =>
  ranges.some(([network, bits]) => {
    if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits);
    return network instanceof ipaddr.IPv6 && address.match(network, bits);
  });
