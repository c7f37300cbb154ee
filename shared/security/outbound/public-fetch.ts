import { lookup as resolve } from 'node:dns';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { OmniError } from '../../kernel/errors.ts';

export interface OutboundRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Asks an address that a tenant has named. Redirects are not followed. Errors: `unavailable`. */
export type PublicFetch = (url: string, request: OutboundRequest) => Promise<Response>;

/** What is not the public internet (IANA's special-purpose address registries). */
const special = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(net, prefix, 'ipv4');
}
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
for (const [net, prefix] of [
  // Tunnels and translations, which lead to IPv4 addresses of any kind.
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  special.addSubnet(net, prefix, 'ipv6');
}

/** Whether an address is on the public internet. */
export const isPublic = (address: string): boolean => {
  const family = isIP(address);
  if (family === 4) return !special.check(address, 'ipv4');
  return family === 6 && global6.check(address, 'ipv6') && !special.check(address, 'ipv6');
};

const refused = () => new OmniError('unavailable', 'The address does not lead to the public internet.');

/** The very address that is judged is connected to: a second answer of the name server changes nothing. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) return callback(error ?? refused(), []);
    if (!addresses.every(({ address }) => isPublic(address))) return callback(refused(), []);
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
  });
};

/** Bytes of an answer. */
const maxBody = 1_048_576;
/** Milliseconds for the whole exchange. */
const timeout = 10_000;

export interface PublicFetchOptions {
  /** Lets private addresses and plain HTTP through: on the developer's own machine alone. */
  readonly allowPrivate: boolean;
}

export const publicFetch =
  ({ allowPrivate }: PublicFetchOptions): PublicFetch =>
  async (url, { method, headers, body, signal }) => {
    const target = new URL(url);
    const host = target.hostname.replace(/^\[|\]$/g, '');
    if (!allowPrivate && (target.protocol !== 'https:' || (isIP(host) !== 0 && !isPublic(host)))) throw refused();
    const send = target.protocol === 'https:' ? secureRequest : plainRequest;
    const limit = AbortSignal.timeout(timeout);
    const { promise, resolve: answer, reject } = Promise.withResolvers<Response>();
    const outgoing = send(target, {
      method,
      headers,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      ...(allowPrivate ? {} : { lookup: publicLookup }),
    });
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > maxBody) outgoing.destroy(new Error('The answer is too large.'));
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        const status = incoming.statusCode ?? 502;
        const fields = Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        );
        const isEmpty = [204, 205, 304].includes(status);
        answer(new Response(isEmpty ? null : Buffer.concat(chunks), { status, headers: fields }));
      });
    });
    outgoing.end(body);
    try {
      return await promise;
    } catch (error) {
      throw error instanceof OmniError
        ? error
        : new OmniError('unavailable', 'The address does not answer.', { cause: error });
    }
  };
