import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { type Clock, manualClock } from '#shared/kernel/clock.ts';
import { createBook } from './paypal/book.ts';
import { notificationsOn } from './paypal/notifications.ts';
import { operationsOn } from './paypal/operations.ts';
import { PayPalRefusal } from './paypal/schema.ts';
import { certificateChain, certificatePath } from './paypal/signing.ts';

export type PayPalFault = 'fail' | 'stall' | 'stall-after' | 'reset-after' | 'rate-limit' | 'nonsense' | 'refuse';

export interface PayPalRequest {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

const names: Readonly<Record<number, string>> = {
  400: 'INVALID_REQUEST',
  401: 'AUTHENTICATION_FAILURE',
  403: 'NOT_AUTHORIZED',
  404: 'RESOURCE_NOT_FOUND',
  422: 'UNPROCESSABLE_ENTITY',
  429: 'RATE_LIMIT_REACHED',
  500: 'INTERNAL_SERVER_ERROR',
};

const refused = (status: number, issue: string): readonly [number, string] => [
  status,
  JSON.stringify({
    name: names[status],
    message: issue,
    debug_id: 'of-tests',
    details: [{ issue, description: issue }],
  }),
];

const spoil = (fault: PayPalFault, response: ServerResponse): void => {
  if (fault === 'nonsense') response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
  else if (fault === 'fail') response.writeHead(500).end(refused(500, 'INTERNAL_SERVER_ERROR')[1]);
  else if (fault === 'refuse') response.writeHead(403).end(refused(403, 'PERMISSION_DENIED')[1]);
  else if (fault === 'rate-limit') {
    response.writeHead(429, { 'retry-after': '7' }).end(refused(429, 'RATE_LIMIT_REACHED')[1]);
  }
};

/** Every app with this secret is let in; its id says whose it is. */
const clientSecret = 'secret';
const merchantOf = (client: string): string =>
  `M${createHash('sha256').update(client).digest('hex').slice(0, 12).toUpperCase()}`;
const tokenOf = (merchant: string): string => `A21AA-${merchant}`;

const clientOf = ({ headers: { authorization = '' } }: IncomingMessage): string | undefined => {
  const [, encoded = ''] = /^Basic ([\w+/=]+)$/.exec(authorization) ?? [];
  const [client = '', secret] = Buffer.from(encoded, 'base64').toString().split(':');
  return secret === clientSecret ? client : undefined;
};

const send = (response: ServerResponse, status: number, body: string): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
};

/** As much of PayPal's REST API as we use (https://developer.paypal.com/api/rest/): stateful, strict in what it is sent. */
export const startPayPalServer = async ({ clock = manualClock() }: { readonly clock?: Clock } = {}) => {
  const book = createBook(clock);
  const { webhooks, operations, deliveryOf } = notificationsOn(book);
  const routes = [...operationsOn(book), ...operations];
  const requests: PayPalRequest[] = [];
  const kept = new Map<string, { readonly request: string; readonly answer: readonly [number, string] }>();
  const faults: { readonly fits: (request: PayPalRequest) => boolean; readonly fault: PayPalFault }[] = [];
  const certificates = new Map([[certificatePath, certificateChain]]);

  const attempt = ({ method, path, body }: PayPalRequest, merchant: string, query: URLSearchParams) => {
    try {
      for (const [wanted, pattern, run, status] of routes) {
        const [whole, id = ''] = wanted === method ? (pattern.exec(path) ?? []) : [];
        if (whole !== undefined) return [status, JSON.stringify(run({ merchant, id, query, body }))] as const;
      }
      return refused(404, 'INVALID_RESOURCE_ID');
    } catch (error) {
      if (error instanceof PayPalRefusal) return refused(error.status, error.issue);
      if (error instanceof z.ZodError) return refused(400, 'INVALID_PARAMETER_SYNTAX');
      throw error;
    }
  };

  /** https://developer.paypal.com/api/rest/reference/idempotency/ */
  const once = (request: PayPalRequest, merchant: string, query: URLSearchParams): readonly [number, string] => {
    if (request.method !== 'POST' || request.key === undefined) return attempt(request, merchant, query);
    const same = JSON.stringify([request.path, request.body]);
    const key = `${merchant} ${request.key}`;
    const before = kept.get(key);
    if (before !== undefined) return before.request === same ? before.answer : refused(422, 'DUPLICATE_REQUEST_ID');
    const answer = attempt(request, merchant, query);
    if (answer[0] < 300) kept.set(key, { request: same, answer });
    return answer;
  };

  const token = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const client = body.includes('grant_type=client_credentials') ? clientOf(request) : undefined;
    const access_token = tokenOf(merchantOf(client ?? ''));
    const answer = { access_token, token_type: 'Bearer', expires_in: 32_400, scope: 'openid' };
    if (client === undefined) send(response, 401, JSON.stringify({ error: 'invalid_client' }));
    else send(response, 200, JSON.stringify(answer));
  };

  const faultOf = (request: PayPalRequest): PayPalFault | undefined => {
    const index = faults.findIndex(({ fits }) => fits(request));
    return index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    // As a proxy it is sent the whole address.
    const { pathname: path, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
    if (path === '/v1/oauth2/token') {
      token(incoming, response, body);
      return;
    }
    const key = [incoming.headers['paypal-request-id']].flat()[0];
    const request = { method: incoming.method ?? '', path, key, body: body === '' ? undefined : JSON.parse(body) };
    requests.push(request);
    const fault = faultOf(request);
    if (fault !== undefined && !fault.endsWith('-after')) {
      spoil(fault, response);
      return;
    }
    const pem = certificates.get(path);
    if (pem !== undefined) return send(response, 200, pem);
    const [, merchant] = /^Bearer A21AA-(\w+)$/.exec(incoming.headers.authorization ?? '') ?? [];
    if (merchant === undefined) return send(response, ...refused(401, 'AUTHENTICATION_FAILURE'));
    const [status, answer] = once(request, merchant, searchParams);
    if (fault === undefined) send(response, status, answer);
    else if (fault === 'reset-after') incoming.socket.destroy();
  };

  const server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    ...book,
    baseUrl: `http://127.0.0.1:${address.port}`,
    clientId: 'client',
    clientSecret,
    merchant: merchantOf('client'),
    merchantOf,
    requests,
    webhooks,
    deliveryOf,
    /** By their paths. */
    certificates,
    /** What happens to the next request that fits. */
    behaveOn: (fits: (request: PayPalRequest) => boolean, fault: PayPalFault) => void faults.push({ fits, fault }),
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
export type PayPalServer = Awaited<ReturnType<typeof startPayPalServer>>;
