import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import Stripe from 'stripe';
import * as z from 'zod';
import { completeCheckout, renewSubscription } from './stripe/billing.ts';
import { decodeForm } from './stripe/form.ts';
import { payInvoice } from './stripe/invoices.ts';
import { expanded, operations } from './stripe/operations.ts';
import { charge, openDispute } from './stripe/payments.ts';
import { type AccountState, find, type StripeEvent, StripeRefusal } from './stripe/state.ts';

export const stripeVersion = '2026-10-28.endive';

/** What happens to the next request that is let in. `after`: its effect stands, and nobody is told. */
export type StripeFault =
  | 'drop-before'
  | 'drop-after'
  | 'error-before'
  | 'error-after'
  | 'stall'
  | 'stall-after'
  | 'rate-limit'
  | 'nonsense';

export interface StripeRequest {
  readonly method: string;
  readonly path: string;
  readonly account: string;
  readonly key: string | undefined;
  readonly params: unknown;
}

export interface StripeServer {
  readonly baseUrl: string;
  readonly secretKey: string;
  readonly requests: readonly StripeRequest[];
  /** What an account keeps; it is made where it is new. */
  of(account: string): AccountState;
  behave(...next: StripeFault[]): void;
  /** The same for the next request that fits. */
  behaveOn(fits: (request: StripeRequest) => boolean, fault: StripeFault): void;
  /** The payer passes 3-D Secure. */
  authenticate(account: string, intent: string): void;
  dispute(account: string, intent: string): void;
  renew(account: string, subscription: string): void;
  pay(account: string, invoice: string): void;
  complete(account: string, session: string): void;
  /** An event as Stripe delivers it, signed by Stripe's own helper. */
  delivery(
    event: StripeEvent,
    secret: string,
  ): { readonly body: string; readonly headers: Readonly<Record<string, string>> };
  stop(): Promise<void>;
}

const secretKey = 'sk_test_of_tests';
/** Seconds. */
const idempotencyKept = 86_400;

interface Answer {
  readonly status: number;
  readonly body: string;
}

const newState = (
  account: string,
  now: () => number,
  livemode: boolean,
  newId: AccountState['newId'],
): AccountState => {
  const events: StripeEvent[] = [];
  const state: AccountState = {
    account,
    customers: new Map(),
    intents: new Map(),
    charges: new Map(),
    refunds: new Map(),
    transactions: new Map(),
    disputes: new Map(),
    prices: new Map(),
    subscriptions: new Map(),
    payouts: new Map(),
    invoices: new Map(),
    invoicePayments: new Map(),
    creditNotes: new Map(),
    sessions: new Map(),
    events,
    deleted: new Set(),
    now,
    livemode,
    newId,
    emit: (type, object) => {
      const common = { id: newId('evt'), object: 'event', created: now(), livemode } as const;
      const connected = account === 'platform' ? {} : { account };
      events.push({ ...common, ...connected, api_version: stripeVersion, type, pending_webhooks: 1, data: { object } });
    },
  };
  const recurring = { interval: 'month', interval_count: 1 };
  const made = { object: 'price', created: now(), livemode, currency: 'eur', percent: 0 };
  state.prices.set('price_monthly', { ...made, id: 'price_monthly', unit_amount: 1_500, recurring });
  state.prices.set('price_yearly', { ...made, id: 'price_yearly', unit_amount: 15_000, recurring });
  state.prices.set('price_taxed', { ...made, id: 'price_taxed', unit_amount: 999, percent: 19, recurring });
  state.prices.set('price_once', { ...made, id: 'price_once', unit_amount: 900, recurring: null });
  return state;
};

const errorOf = (error: unknown): Answer => {
  if (error instanceof StripeRefusal) return { status: error.status, body: JSON.stringify({ error: error.body }) };
  if (!(error instanceof z.ZodError)) throw error;
  const [issue] = error.issues;
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const param = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.');
  const code = unknown === undefined ? 'parameter_invalid' : 'parameter_unknown';
  const body = {
    type: 'invalid_request_error',
    code,
    param,
    message: `Received unknown or invalid parameter: ${param}`,
  };
  return { status: 400, body: JSON.stringify({ error: body }) };
};

const refused = (status: number, type: string, message: string, code?: string): Answer => ({
  status,
  body: JSON.stringify({ error: { type, message, ...(code === undefined ? {} : { code }) } }),
});

const expandSchema = z.object({ expand: z.array(z.string()).optional() });

/** As much of Stripe's REST API (https://docs.stripe.com/api) as we use: stateful, and strict in what it is sent. */
export const startStripeServer = async (
  options: { now?: () => number; livemode?: boolean } = {},
): Promise<StripeServer> => {
  const { now: milliseconds = Date.now, livemode = false } = options;
  const now = (): number => Math.floor(milliseconds() / 1000);
  const accounts = new Map<string, AccountState>();
  const requests: StripeRequest[] = [];
  const faults: { readonly fits: (request: StripeRequest) => boolean; readonly fault: StripeFault }[] = [];
  const kept = new Map<string, { request: string; at: number; answer?: Answer }>();
  let last = 0;
  const newId = (prefix: string): string => {
    last += 1;
    return `${prefix}_${String(last).padStart(14, '0')}`;
  };
  const of = (account: string): AccountState => {
    const known = accounts.get(account);
    if (known !== undefined) return known;
    const state = newState(account, now, livemode, newId);
    accounts.set(account, state);
    return state;
  };

  const execute = ({ method, path, account, params }: StripeRequest): Answer => {
    const state = of(account);
    for (const { method: wanted, pattern, run } of operations) {
      const [whole, id = ''] = wanted === method ? (pattern.exec(path) ?? []) : [];
      if (whole === undefined) continue;
      const { expand = [] } = expandSchema.parse(params);
      return { status: 200, body: JSON.stringify(expanded(state, run(state, params, id), expand)) };
    }
    return refused(404, 'invalid_request_error', `Unrecognized request URL (${method}: ${path}).`);
  };

  /** https://docs.stripe.com/api/idempotent_requests */
  const once = (request: StripeRequest): { answer: Answer; replayed: boolean } => {
    const attempt = (): Answer => {
      try {
        return execute(request);
      } catch (error) {
        return errorOf(error);
      }
    };
    if (request.method !== 'POST' || request.key === undefined) return { answer: attempt(), replayed: false };
    const id = `${request.account}:${request.key}`;
    const same = JSON.stringify([request.path, request.params]);
    const before = kept.get(id);
    if (before !== undefined && now() - before.at < idempotencyKept) {
      if (before.request !== same) {
        const message =
          'Keys for idempotent requests can only be used with the same parameters they were first used with.';
        return { answer: refused(400, 'idempotency_error', message), replayed: false };
      }
      if (before.answer !== undefined) return { answer: before.answer, replayed: true };
    }
    const answer = attempt();
    const isUnvalidated = answer.body.includes('"code":"parameter_');
    if (!isUnvalidated) kept.set(id, { request: same, at: now(), answer });
    return { answer, replayed: false };
  };

  const wrongHeaders = ({ headers, method }: IncomingMessage): Answer | undefined => {
    if (headers.authorization !== `Bearer ${secretKey}`) {
      return refused(401, 'invalid_request_error', 'Invalid API Key provided.');
    }
    if (headers['stripe-version'] !== stripeVersion) {
      return refused(400, 'invalid_request_error', `Invalid Stripe API version: ${headers['stripe-version']}`);
    }
    const type = headers['content-type'] ?? '';
    return method === 'POST' && !type.startsWith('application/x-www-form-urlencoded')
      ? refused(400, 'invalid_request_error', 'Send parameters as a form.')
      : undefined;
  };

  const requestOf = (incoming: IncomingMessage, body: string): StripeRequest => {
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const [account = 'platform', key] = [
      incoming.headers['stripe-account'],
      incoming.headers['idempotency-key'],
    ].flat();
    return {
      method: incoming.method ?? '',
      path: url.pathname,
      account,
      key,
      params: decodeForm(incoming.method === 'POST' ? body : url.search.slice(1) || body),
    };
  };

  const send = (response: ServerResponse, { status, body }: Answer, headers: Record<string, string> = {}): void => {
    response
      .writeHead(status, { 'content-type': 'application/json', 'request-id': newId('req'), ...headers })
      .end(body);
  };

  const isBefore = (fault: StripeFault): boolean => !fault.endsWith('-after');
  const spoil = (fault: StripeFault, incoming: IncomingMessage, response: ServerResponse): void => {
    if (fault.startsWith('drop')) incoming.socket.destroy();
    else if (fault === 'nonsense') response.writeHead(200).end('<html>');
    else if (fault.startsWith('error')) send(response, refused(500, 'api_error', 'Something went wrong.'));
    else if (fault === 'rate-limit') {
      const answer = refused(429, 'invalid_request_error', 'Too many requests', 'rate_limit');
      send(response, answer, { 'retry-after': '7' });
    }
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    const wrong = wrongHeaders(incoming);
    if (wrong !== undefined) return send(response, wrong);
    const request = requestOf(incoming, body);
    requests.push(request);
    const index = faults.findIndex(({ fits }) => fits(request));
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
    if (fault !== undefined && isBefore(fault)) return spoil(fault, incoming, response);
    const { answer, replayed } = once(request);
    if (fault !== undefined) return spoil(fault, incoming, response);
    return send(response, answer, replayed ? { 'idempotent-replayed': 'true' } : {});
  };

  const server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    secretKey,
    requests,
    of,
    behave: (...next) => void faults.push(...next.map((fault) => ({ fits: () => true, fault }))),
    behaveOn: (fits, fault) => void faults.push({ fits, fault }),
    authenticate: (account, id) => {
      const state = of(account);
      charge(state, { ...find(state.intents, id), payment_method: 'pm_card_visa' });
    },
    dispute: (account, intent) => void openDispute(of(account), intent),
    renew: (account, subscription) => renewSubscription(of(account), subscription),
    pay: (account, invoice) => void payInvoice(of(account), invoice),
    complete: (account, session) => {
      const state = of(account);
      const isOnce = find(state.sessions, session).mode === 'payment';
      completeCheckout(state, session, [{ price: isOnce ? 'price_once' : 'price_monthly' }]);
    },
    delivery: (event, secret) => {
      const payload = JSON.stringify(event);
      const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: now() });
      return { body: payload, headers: { 'content-type': 'application/json', 'stripe-signature': signature } };
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
