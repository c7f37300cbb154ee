import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A message as Twilio keeps it. */
export interface TwilioMessage {
  readonly sid: string;
  readonly to: string;
  readonly from: string | null;
  readonly messaging_service_sid: string | null;
  readonly body: string;
  readonly status: string;
  readonly statusCallback: string | null;
}

/** What happens to the next request: an error by its code and status, silence, or a lost answer. */
export type TwilioBehaviour =
  | { readonly status: number; readonly code: number }
  | 'stall'
  | 'keep-and-drop'
  | 'nonsense';

export interface TwilioServer {
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** Oldest first. */
  readonly messages: readonly TwilioMessage[];
  /** Requests so far: `POST`, `GET`. */
  readonly requests: readonly string[];
  behave(...next: TwilioBehaviour[]): void;
  /** A number that answered STOP. */
  optOut(number: string): void;
  stop(): Promise<void>;
}

/** https://www.twilio.com/docs/api/errors */
const errors: Readonly<Record<number, string>> = {
  20003: 'Authenticate',
  20404: 'The requested resource was not found',
  20429: 'Too Many Requests',
  20500: 'Internal Server Error',
  21211: "Invalid 'To' Phone Number",
  21602: 'Message body is required.',
  21603: "A 'From' phone number is required.",
  21606: "The 'From' phone number is not valid",
  21610: 'Attempt to send to unsubscribed recipient',
  21614: "'To' number is not a valid mobile number",
  21617: 'The concatenated message body exceeds the 1600 character limit',
};

const e164 = /^\+[1-9]\d{6,14}$/;

/** The code of what is wrong with a message, checked in Twilio's order. */
const faultIn = (form: URLSearchParams, optedOut: ReadonlySet<string>): number | undefined => {
  const [to, body, from, service] = ['To', 'Body', 'From', 'MessagingServiceSid'].map((name) => form.get(name) ?? '');
  if (!e164.test(to ?? '')) return 21211;
  if (from === '' && service === '') return 21603;
  if (from !== '' && !e164.test(from ?? '')) return 21606;
  if (service !== '' && !/^MG[0-9a-f]{32}$/.test(service ?? '')) return 21606;
  if (body === '') return 21602;
  if ((body ?? '').length > 1_600) return 21617;
  return optedOut.has(to ?? '') ? 21610 : undefined;
};

const accountSid = `AC${'0'.repeat(32)}`;
const authToken = 'twilio-token';

/** As much of Twilio's Messages resource (https://www.twilio.com/docs/messaging/api/message-resource) as we use. */
export const startTwilioServer = async (): Promise<TwilioServer> => {
  const messages: TwilioMessage[] = [];
  const requests: string[] = [];
  const behaviours: TwilioBehaviour[] = [];
  const optedOut = new Set<string>();
  const path = `/2010-04-01/Accounts/${accountSid}/Messages.json`;

  const keep = (form: URLSearchParams): TwilioMessage => {
    const message = {
      sid: `SM${String(messages.length + 1).padStart(32, '0')}`,
      to: form.get('To') ?? '',
      from: form.get('From'),
      messaging_service_sid: form.get('MessagingServiceSid'),
      body: form.get('Body') ?? '',
      status: form.has('MessagingServiceSid') ? 'accepted' : 'queued',
      statusCallback: form.get('StatusCallback'),
    };
    messages.push(message);
    return message;
  };

  const list = (query: URLSearchParams) => {
    const found = messages.filter(({ to }) => to === query.get('To')).toReversed();
    return { messages: found.slice(0, Number(query.get('PageSize') ?? 50)), page: 0 };
  };
  const isOurs = (authorization: string | undefined): boolean =>
    authorization === `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`;

  const isForm = ({ headers }: IncomingMessage): boolean =>
    headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;

  const server = createServer(async (request, response) => {
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const refuse = (status: number, code: number) =>
      answer(status, { code, message: errors[code], more_info: `https://www.twilio.com/docs/errors/${code}`, status });
    const body = await text(request);
    const url = new URL(request.url ?? '/', 'http://localhost');
    requests.push(request.method ?? '');
    if (url.pathname !== path) return refuse(404, 20404);
    if (!isOurs(request.headers.authorization)) return refuse(401, 20003);
    const next = behaviours.shift();
    if (next === 'stall') return undefined;
    if (next === 'nonsense') return response.writeHead(200).end('<html>');
    if (typeof next === 'object') return refuse(next.status, next.code);
    if (request.method === 'GET') return answer(200, list(url.searchParams));
    const form = new URLSearchParams(isForm(request) ? body : '');
    const fault = faultIn(form, optedOut);
    if (fault !== undefined) return refuse(400, fault);
    const message = keep(form);
    return next === 'keep-and-drop' ? request.socket.destroy() : answer(201, message);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const isBound = (value: typeof address): value is AddressInfo => typeof value === 'object' && value !== null;
  if (!isBound(address)) throw new Error('The server has no port.');
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    accountSid,
    authToken,
    messages,
    requests,
    behave: (...next) => {
      behaviours.push(...next);
    },
    optOut: (number) => optedOut.add(number),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
