import { isIP } from 'node:net';
import type { HttpContext } from './context.ts';

const maxHeader = 4_096;

/**
 * The address from which a request came, as our own proxies saw it. Each proxy appends to `X-Forwarded-For` the address
 * that it was called from, so only entries from the right can be believed: a client writes what it likes before them.
 * Google's load balancer appends two, the client's and its own
 * (https://cloud.google.com/load-balancing/docs/https#x-forwarded-for_header); that is one hop of ours.
 *
 * `hops` is how many entries at the end are proxies of ours. Undefined where the header has no entry at that place, or
 * one that is no address: then nobody knows.
 */
export const forwardedAddress = (header: string | undefined, hops: number): string | undefined => {
  if (header === undefined || header.length > maxHeader) return undefined;
  const address =
    header
      .split(',')
      .at(-1 - hops)
      ?.trim() ?? '';
  return isIP(address) === 0 ? undefined : address;
};

const socketAddress = (env: unknown): string | undefined => {
  const incoming: unknown = typeof env === 'object' && env !== null ? Reflect.get(env, 'incoming') : undefined;
  const socket: unknown =
    typeof incoming === 'object' && incoming !== null ? Reflect.get(incoming, 'socket') : undefined;
  const address: unknown =
    typeof socket === 'object' && socket !== null ? Reflect.get(socket, 'remoteAddress') : undefined;
  return typeof address === 'string' ? address : undefined;
};

/** Without a header and without a proxy of ours the connection itself says who calls. */
export const clientAddress = (c: HttpContext, hops: number): string | undefined => {
  const header = c.req.header('x-forwarded-for');
  return header === undefined && hops === 0 ? socketAddress(c.env) : forwardedAddress(header, hops);
};
