import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';

export type PayPalFault = 'fail' | 'stall' | 'stall-after' | 'rate-limit' | 'nonsense';

export interface PayPalRequest {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

const amountSchema = z.strictObject({
  currency_code: z.string().length(3),
  value: z.string().regex(/^\d{1,9}(\.\d{2})?$/),
});
type Amount = z.infer<typeof amountSchema>;

/** https://developer.paypal.com/docs/api/orders/v2/#orders_create, as far as we use it. */
const createSchema = z.strictObject({
  intent: z.enum(['CAPTURE', 'AUTHORIZE']),
  purchase_units: z
    .array(
      z.strictObject({
        reference_id: z.string().max(256).optional(),
        custom_id: z.string().max(255).optional(),
        description: z.string().max(127).optional(),
        amount: amountSchema,
      }),
    )
    .length(1),
  payment_source: z
    .strictObject({
      paypal: z.strictObject({
        vault_id: z.string().max(255).optional(),
        experience_context: z.strictObject({ return_url: z.url(), cancel_url: z.url() }).optional(),
      }),
    })
    .optional(),
});
const captureSchema = z.strictObject({ amount: amountSchema.optional(), final_capture: z.boolean().optional() });
const refundSchema = z.strictObject({ amount: amountSchema.optional(), custom_id: z.string().max(127).optional() });
const emptySchema = z.strictObject({}).optional();

interface Authorisation {
  readonly id: string;
  status: string;
  readonly amount: Amount;
}
interface Capture {
  readonly id: string;
  status: string;
  readonly amount: Amount;
  readonly seller_receivable_breakdown: object;
}
interface Refund {
  readonly id: string;
  readonly status: string;
  readonly amount: Amount;
  readonly custom_id?: string | undefined;
  readonly capture: string;
}

export interface PayPalOrder {
  readonly id: string;
  readonly intent: 'CAPTURE' | 'AUTHORIZE';
  status: string;
  readonly customId: string | undefined;
  readonly amount: Amount;
  declines: boolean;
  readonly authorizations: Authorisation[];
  readonly captures: Capture[];
  readonly refunds: Refund[];
}

export interface PayPalEvent {
  readonly id: string;
  readonly event_type: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

class PayPalRefusal extends Error {
  override readonly name = 'PayPalRefusal';
  readonly status: number;
  readonly issue: string;
  constructor(status: number, issue: string) {
    super(issue);
    this.status = status;
    this.issue = issue;
  }
}

const names: Readonly<Record<number, string>> = {
  400: 'INVALID_REQUEST',
  401: 'AUTHENTICATION_FAILURE',
  404: 'RESOURCE_NOT_FOUND',
  422: 'UNPROCESSABLE_ENTITY',
  429: 'RATE_LIMIT_REACHED',
  500: 'INTERNAL_SERVER_ERROR',
};

const currencies = 'AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS JPY MYR MXN TWD NZD NOK PHP PLN GBP SGD SEK CHF THB USD';
const wholeOnly = new Set(['HUF', 'JPY', 'TWD']);

const checked = (amount: Amount): Amount => {
  if (!currencies.split(' ').includes(amount.currency_code)) throw new PayPalRefusal(422, 'CURRENCY_NOT_SUPPORTED');
  if (wholeOnly.has(amount.currency_code) && amount.value.includes('.')) {
    throw new PayPalRefusal(422, 'DECIMALS_NOT_SUPPORTED');
  }
  if (Number(amount.value) <= 0) throw new PayPalRefusal(422, 'CANNOT_BE_ZERO_OR_NEGATIVE');
  return amount;
};

const cents = (amount: Amount): number => Math.round(Number(amount.value) * 100);

const [clientId, clientSecret, accessToken, merchant] = ['client', 'secret', 'A21AA-of-tests', 'MERCHANT0001'];

const viewOf = (order: PayPalOrder) => ({
  id: order.id,
  intent: order.intent,
  status: order.status,
  purchase_units: [
    {
      reference_id: 'default',
      custom_id: order.customId,
      amount: order.amount,
      payee: { merchant_id: merchant },
      ...(order.captures.length + order.authorizations.length === 0
        ? {}
        : { payments: { authorizations: order.authorizations, captures: order.captures, refunds: order.refunds } }),
    },
  ],
  links: [
    { href: `https://api-m.sandbox.paypal.com/v2/checkout/orders/${order.id}`, rel: 'self', method: 'GET' },
    { href: `https://www.sandbox.paypal.com/checkoutnow?token=${order.id}`, rel: 'payer-action', method: 'GET' },
  ],
});

/** Orders and what becomes of them. */
const createBook = () => {
  const orders = new Map<string, PayPalOrder>();
  const events: PayPalEvent[] = [];
  let last = 0;
  const newId = (): string => {
    last += 1;
    return `${String(last).padStart(13, '0')}PAYPAL`.slice(-17).split('').reverse().join('');
  };

  const tell = (event_type: string, order: PayPalOrder, resource: object): void => {
    const related = { supplementary_data: { related_ids: { order_id: order.id } } };
    events.push({ id: `WH-${newId()}`, event_type, resource: { ...resource, ...related } });
  };

  const capture = (order: PayPalOrder, amount: Amount): void => {
    const fee = (cents(amount) * 0.0349 + 49) / 100;
    const paypal_fee = {
      currency_code: amount.currency_code,
      value: fee.toFixed(wholeOnly.has(amount.currency_code) ? 0 : 2),
    };
    const one = {
      id: newId(),
      status: 'COMPLETED',
      amount,
      final_capture: true,
      seller_receivable_breakdown: { gross_amount: amount, paypal_fee },
    };
    order.captures.push(one);
    order.status = 'COMPLETED';
    tell('PAYMENT.CAPTURE.COMPLETED', order, one);
  };

  const findOrder = (id: string): PayPalOrder => {
    const order = orders.get(id);
    if (order === undefined) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return order;
  };
  const orderWith = (has: (order: PayPalOrder) => boolean): PayPalOrder => {
    const order = [...orders.values()].find(has);
    if (order === undefined) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    return order;
  };

  const create = (body: unknown): object => {
    const { intent, purchase_units, payment_source } = createSchema.parse(body);
    const [unit] = purchase_units;
    if (unit === undefined) throw new PayPalRefusal(400, 'MISSING_REQUIRED_PARAMETER');
    const order: PayPalOrder = {
      id: newId(),
      intent,
      status: 'PAYER_ACTION_REQUIRED',
      customId: unit.custom_id,
      amount: checked(unit.amount),
      declines: false,
      authorizations: [],
      captures: [],
      refunds: [],
    };
    orders.set(order.id, order);
    // A payer who has agreed before is not asked again.
    if (payment_source?.paypal.vault_id !== undefined && intent === 'CAPTURE') capture(order, order.amount);
    return viewOf(order);
  };

  const takeOrder = (id: string, hold: boolean, body: unknown): object => {
    emptySchema.parse(body);
    const order = findOrder(id);
    if (order.status === 'COMPLETED') throw new PayPalRefusal(422, 'ORDER_ALREADY_CAPTURED');
    if (order.status !== 'APPROVED') throw new PayPalRefusal(422, 'ORDER_NOT_APPROVED');
    if (hold !== (order.intent === 'AUTHORIZE')) throw new PayPalRefusal(422, 'ACTION_DOES_NOT_MATCH_INTENT');
    if (order.declines) throw new PayPalRefusal(422, 'INSTRUMENT_DECLINED');
    if (hold) {
      const authorisation = { id: newId(), status: 'CREATED', amount: order.amount };
      order.authorizations.push(authorisation);
      order.status = 'COMPLETED';
      tell('PAYMENT.AUTHORIZATION.CREATED', order, authorisation);
    } else capture(order, order.amount);
    return viewOf(order);
  };

  const captureHeld = (id: string, body: unknown): object => {
    const order = orderWith(({ authorizations }) => authorizations.some((one) => one.id === id));
    const [authorisation] = order.authorizations;
    if (authorisation?.status !== 'CREATED') throw new PayPalRefusal(422, 'AUTHORIZATION_ALREADY_CAPTURED');
    const amount = checked(captureSchema.parse(body).amount ?? authorisation.amount);
    if (cents(amount) > cents(authorisation.amount)) throw new PayPalRefusal(422, 'MAX_CAPTURE_AMOUNT_EXCEEDED');
    authorisation.status = 'CAPTURED';
    capture(order, amount);
    return order.captures[0] ?? {};
  };

  const voidHeld = (id: string): object => {
    const order = orderWith(({ authorizations }) => authorizations.some((one) => one.id === id));
    const [authorisation] = order.authorizations;
    if (authorisation?.status !== 'CREATED')
      throw new PayPalRefusal(422, 'CANNOT_BE_VOIDED_NOW'.replace('CANNOT_BE', 'NOT'));
    authorisation.status = 'VOIDED';
    tell('PAYMENT.AUTHORIZATION.VOIDED', order, authorisation);
    return authorisation;
  };

  const refund = (id: string, body: unknown): object => {
    const order = orderWith(({ captures }) => captures.some((one) => one.id === id));
    const [taken] = order.captures;
    if (taken === undefined) throw new PayPalRefusal(404, 'INVALID_RESOURCE_ID');
    const { amount: asked, custom_id } = refundSchema.parse(body);
    const before = order.refunds.reduce((sum, { amount }) => sum + cents(amount), 0);
    const left = cents(taken.amount) - before;
    if (left === 0) throw new PayPalRefusal(422, 'CAPTURE_FULLY_REFUNDED');
    const amount = checked(asked ?? taken.amount);
    if (cents(amount) > left) throw new PayPalRefusal(422, 'REFUND_AMOUNT_EXCEEDED');
    const one = { id: newId(), status: 'COMPLETED', amount, custom_id, capture: id };
    order.refunds.push(one);
    taken.status = cents(amount) === left ? 'REFUNDED' : 'PARTIALLY_REFUNDED';
    tell('PAYMENT.CAPTURE.REFUNDED', order, one);
    return one;
  };

  const routes: readonly (readonly [string, RegExp, (id: string, body: unknown) => object, number])[] = [
    ['POST', /^\/v2\/checkout\/orders$/, (_id, body) => create(body), 201],
    ['GET', /^\/v2\/checkout\/orders\/(\w+)$/, (id) => viewOf(findOrder(id)), 200],
    ['POST', /^\/v2\/checkout\/orders\/(\w+)\/capture$/, (id, body) => takeOrder(id, false, body), 201],
    ['POST', /^\/v2\/checkout\/orders\/(\w+)\/authorize$/, (id, body) => takeOrder(id, true, body), 201],
    ['POST', /^\/v2\/payments\/authorizations\/(\w+)\/capture$/, captureHeld, 201],
    ['POST', /^\/v2\/payments\/authorizations\/(\w+)\/void$/, voidHeld, 200],
    ['POST', /^\/v2\/payments\/captures\/(\w+)\/refund$/, refund, 201],
    ['GET', /^\/v1\/identity\/oauth2\/userinfo$/, () => ({ user_id: 'u', payer_id: merchant }), 200],
  ];

  const approve = (id: string, declines = false): void => {
    const order = findOrder(id);
    order.status = 'APPROVED';
    order.declines = declines;
    events.push({ id: `WH-${newId()}`, event_type: 'CHECKOUT.ORDER.APPROVED', resource: viewOf(order) });
  };
  return { orders, events, routes, approve };
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
  else if (fault === 'rate-limit') {
    response.writeHead(429, { 'retry-after': '7' }).end(refused(429, 'RATE_LIMIT_REACHED')[1]);
  }
};

/** As much of PayPal's REST API as we use (https://developer.paypal.com/api/rest/): stateful, strict in what it is sent. */
export const startPayPalServer = async () => {
  const { orders, events, routes, approve } = createBook();
  const requests: PayPalRequest[] = [];
  const kept = new Map<string, { readonly request: string; readonly answer: readonly [number, string] }>();
  const faults: { readonly fits: (request: PayPalRequest) => boolean; readonly fault: PayPalFault }[] = [];
  const attempt = ({ method, path, body }: PayPalRequest): readonly [number, string] => {
    try {
      for (const [wanted, pattern, run, status] of routes) {
        const [whole, id = ''] = wanted === method ? (pattern.exec(path) ?? []) : [];
        if (whole !== undefined) return [status, JSON.stringify(run(id, body))];
      }
      return refused(404, 'INVALID_RESOURCE_ID');
    } catch (error) {
      if (error instanceof PayPalRefusal) return refused(error.status, error.issue);
      if (error instanceof z.ZodError) return refused(400, 'INVALID_PARAMETER_SYNTAX');
      throw error;
    }
  };

  /** https://developer.paypal.com/api/rest/reference/idempotency/ */
  const once = (request: PayPalRequest): readonly [number, string] => {
    if (request.method !== 'POST' || request.key === undefined) return attempt(request);
    const same = JSON.stringify([request.path, request.body]);
    const before = kept.get(request.key);
    if (before !== undefined) return before.request === same ? before.answer : refused(422, 'DUPLICATE_REQUEST_ID');
    const answer = attempt(request);
    if (answer[0] < 300) kept.set(request.key, { request: same, answer });
    return answer;
  };

  const token = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const expected = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;
    const isOurs = request.headers.authorization === expected && body.includes('grant_type=client_credentials');
    const answer = { access_token: accessToken, token_type: 'Bearer', expires_in: 32_400, scope: 'openid' };
    response.writeHead(isOurs ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isOurs ? answer : { error: 'invalid_client' }));
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    // As a proxy it is sent the whole address.
    const { pathname: path } = new URL(incoming.url ?? '/', 'http://localhost');
    if (path === '/v1/oauth2/token') return token(incoming, response, body);
    if (incoming.headers.authorization !== `Bearer ${accessToken}`) {
      response.writeHead(401, { 'content-type': 'application/json' }).end(refused(401, 'AUTHENTICATION_FAILURE')[1]);
      return;
    }
    const key = [incoming.headers['paypal-request-id']].flat()[0];
    const request = { method: incoming.method ?? '', path, key, body: body === '' ? undefined : JSON.parse(body) };
    requests.push(request);
    const index = faults.findIndex(({ fits }) => fits(request));
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
    if (fault !== undefined && fault !== 'stall-after') return spoil(fault, response);
    const [status, answer] = once(request);
    if (fault === undefined) response.writeHead(status, { 'content-type': 'application/json' }).end(answer);
  };

  const server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    clientId,
    clientSecret,
    merchant,
    orders,
    requests,
    events,
    /** What happens to the next request that fits. */
    behaveOn: (fits: (request: PayPalRequest) => boolean, fault: PayPalFault) => void faults.push({ fits, fault }),
    /** The payer agrees, with means that work or are declined. */
    approve,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
