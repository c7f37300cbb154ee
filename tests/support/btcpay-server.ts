import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import * as z from 'zod';

export type BtcPayFault = 'fail' | 'stall' | 'stall-after' | 'rate-limit' | 'nonsense';

export interface BtcPayRequest {
  readonly method: string;
  /** After the store's own path. */
  readonly path: string;
  readonly body: unknown;
}

const decimal = z.string().regex(/^\d{1,12}(\.\d{1,8})?$/);

/** https://docs.btcpayserver.org/API/Greenfield/v1/#operation/Invoices_CreateInvoice, as far as we use it. */
const createSchema = z.strictObject({
  amount: decimal,
  currency: z.string().length(3),
  metadata: z.strictObject({ orderId: z.string().max(200) }),
  checkout: z.strictObject({ expirationMinutes: z.int().min(1), redirectURL: z.url().optional() }),
});
const statusSchema = z.strictObject({ status: z.enum(['Invalid', 'Settled']) });
const refundSchema = z.strictObject({
  name: z.string().max(50_000),
  payoutMethodId: z.literal('BTC-CHAIN'),
  refundVariant: z.literal('Custom'),
  customAmount: decimal,
  customCurrency: z.string().length(3),
});

interface Invoice {
  readonly id: string;
  status: string;
  additionalStatus: string;
  readonly amount: string;
  readonly currency: string;
  readonly createdTime: number;
  readonly expirationTime: number;
  readonly checkoutLink: string;
  archived: boolean;
  readonly metadata: { readonly orderId: string };
}
/** A payment to an invoice, in bitcoin. */
export interface BtcPayPayment {
  readonly id: string;
  readonly receivedDate: number;
  readonly value: string;
  readonly status: 'Processing' | 'Settled' | 'Invalid';
}
interface PullPayment {
  readonly id: string;
  readonly name: string;
  readonly amount: string;
  readonly currency: string;
  readonly archived: boolean;
  paid: boolean;
}
export interface BtcPayEvent {
  readonly deliveryId: string;
  readonly type: string;
  readonly invoiceId: string;
  readonly storeId: string;
  readonly timestamp: number;
}

const [apiKey, store, secret] = ['btcpay-key', 'StoreOfTests1', 'btcpay-webhook-secret'];

/** Invoices and what becomes of them. */
const createBook = () => {
  const invoices = new Map<string, Invoice>();
  const pulls = new Map<string, PullPayment>();
  const paid = new Map<string, BtcPayPayment[]>();
  const events: BtcPayEvent[] = [];
  let last = 0;
  const newId = (): string => {
    last += 1;
    return `Inv${String(last * 7_919).padStart(19, '0')}`;
  };
  const now = (): number => Math.floor(Date.now() / 1_000);

  const tell = (type: string, invoiceId: string): void => {
    events.push({ deliveryId: newId(), type, invoiceId, storeId: store, timestamp: now() });
  };
  const change = (id: string, status: string, additionalStatus: string, type: string): Invoice => {
    const invoice = invoices.get(id);
    if (invoice === undefined) throw new Error('There is no such invoice.');
    [invoice.status, invoice.additionalStatus] = [status, additionalStatus];
    tell(type, id);
    return invoice;
  };

  const create = (body: unknown): Invoice => {
    const { amount, currency, metadata, checkout } = createSchema.parse(body);
    const id = newId();
    const made = { id, amount, currency, metadata, status: 'New', additionalStatus: 'None', archived: false };
    const invoice = {
      ...made,
      createdTime: now(),
      expirationTime: now() + checkout.expirationMinutes * 60,
      checkoutLink: `https://btcpay.example/i/${id}`,
    };
    invoices.set(id, invoice);
    tell('InvoiceCreated', id);
    return invoice;
  };
  const mark = (id: string, body: unknown): Invoice => {
    const { status } = statusSchema.parse(body);
    return change(id, status, 'Marked', status === 'Invalid' ? 'InvoiceInvalid' : 'InvoiceSettled');
  };
  const refund = (id: string, body: unknown): PullPayment => {
    const { name, customAmount: amount, customCurrency: currency } = refundSchema.parse(body);
    if (invoices.get(id)?.status !== 'Settled') throw new z.ZodError([]);
    const pull = { id: newId(), name, amount, currency, archived: false, paid: false };
    pulls.set(pull.id, pull);
    return pull;
  };

  type Handler = (id: string, body: unknown, query: URLSearchParams) => unknown;
  const routes: readonly (readonly [string, RegExp, Handler])[] = [
    ['GET', /^$/, () => ({ id: store, name: 'Tests' })],
    ['POST', /^\/invoices$/, (_id, body) => create(body)],
    [
      'GET',
      /^\/invoices$/,
      (_id, _body, query) =>
        [...invoices.values()]
          .filter((one) => !one.archived && one.metadata.orderId === query.get('orderId'))
          .toReversed(),
    ],
    ['GET', /^\/invoices\/(\w+)$/, (id) => invoices.get(id)],
    [
      'DELETE',
      /^\/invoices\/(\w+)$/,
      (id) => {
        const invoice = invoices.get(id);
        if (invoice !== undefined) invoice.archived = true;
        return invoice;
      },
    ],
    ['POST', /^\/invoices\/(\w+)\/status$/, mark],
    [
      'GET',
      /^\/invoices\/(\w+)\/payment-methods$/,
      (id) =>
        invoices.has(id)
          ? [{ paymentMethodId: 'BTC-CHAIN', currency: 'BTC', rate: '50000.0', payments: paid.get(id) ?? [] }]
          : undefined,
    ],
    ['POST', /^\/invoices\/(\w+)\/refund$/, refund],
    ['GET', /^\/pull-payments$/, () => [...pulls.values()].map(({ paid: _, ...pull }) => pull)],
    [
      'GET',
      /^\/pull-payments\/(\w+)\/payouts$/,
      (id) => (pulls.get(id)?.paid === true ? [{ state: 'Completed' }] : []),
    ],
  ];

  return { invoices, pulls, paid, events, routes, change };
};

const spoil = (fault: BtcPayFault, response: ServerResponse): void => {
  if (fault === 'nonsense') response.writeHead(200).end('<html>');
  else if (fault === 'fail') response.writeHead(500).end();
  else if (fault === 'rate-limit') response.writeHead(429, { 'retry-after': '7' }).end();
};

/** As much of BTCPay Server's Greenfield API as we use: stateful, and strict in what it is sent. */
export const startBtcPayServer = async () => {
  const { invoices, pulls, paid, events, routes, change } = createBook();
  const requests: BtcPayRequest[] = [];
  const faults: { readonly fits: (request: BtcPayRequest) => boolean; readonly fault: BtcPayFault }[] = [];
  const answerTo = ({ method, path, body }: BtcPayRequest, query: URLSearchParams): readonly [number, unknown] => {
    try {
      for (const [wanted, pattern, run] of routes) {
        const [whole, id = ''] = wanted === method ? (pattern.exec(path) ?? []) : [];
        if (whole === undefined) continue;
        const value = run(id, body, query);
        if (value !== undefined) return [200, value];
      }
      return [404, { code: 'not-found', message: 'Not found' }];
    } catch (error) {
      if (error instanceof z.ZodError) return [422, [{ path: '', message: 'Invalid' }]];
      throw error;
    }
  };

  const serveStore = (request: BtcPayRequest, url: URL, response: ServerResponse): void => {
    requests.push(request);
    const index = faults.findIndex(({ fits }) => fits(request));
    const fault = index < 0 ? undefined : faults.splice(index, 1)[0]?.fault;
    if (fault !== undefined && fault !== 'stall-after') {
      spoil(fault, response);
      return;
    }
    const [status, value] = answerTo(request, url.searchParams);
    if (fault !== undefined) return;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    const send = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const url = new URL(incoming.url ?? '/', 'http://localhost');
    const root = `/api/v1/stores/${store}`;
    if (incoming.headers.authorization !== `token ${apiKey}`) send(401, { code: 'unauthenticated' });
    else if (!url.pathname.startsWith(root)) send(403, { code: 'missing-permission' });
    else {
      const path = url.pathname.slice(root.length);
      serveStore(
        { method: incoming.method ?? '', path, body: body === '' ? undefined : JSON.parse(body) },
        url,
        response,
      );
    }
  };

  const server = createServer((incoming, response) => void serve(incoming, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The server has no port.');
  return {
    baseUrl: `http://127.0.0.1:${address.port}`,
    apiKey,
    store,
    invoices,
    pulls,
    events,
    requests,
    behaveOn: (fits: (request: BtcPayRequest) => boolean, fault: BtcPayFault) => void faults.push({ fits, fault }),
    /** A bitcoin is worth 50,000. `after` are seconds after the invoice's time. */
    pay: (
      id: string,
      value: string,
      { status = 'Settled', after = -60 }: { status?: BtcPayPayment['status']; after?: number } = {},
    ): void => {
      const before = paid.get(id) ?? [];
      const receivedDate = (invoices.get(id)?.expirationTime ?? 0) + after;
      paid.set(id, [
        ...before.filter((one) => one.value !== value),
        { id: `${id}-${value}`, receivedDate, value, status },
      ]);
    },
    become: (id: string, status: string, additionalStatus: string) =>
      void change(id, status, additionalStatus, status === 'Expired' ? 'InvoiceExpired' : `Invoice${status}`),
    /** The payer's transaction is seen. */
    see: (id: string) => void change(id, 'Processing', 'None', 'InvoiceReceivedPayment'),
    /** It has its confirmations. */
    settle: (id: string) => void change(id, 'Settled', 'None', 'InvoiceSettled'),
    expire: (id: string, additional: 'None' | 'PaidPartial' | 'PaidLate' = 'None') =>
      void change(id, 'Expired', additional, 'InvoiceExpired'),
    /** What was refunded is claimed and paid out. */
    payOut: (id: string): void => {
      const pull = pulls.get(id);
      if (pull !== undefined) pull.paid = true;
    },
    /** As BTCPay delivers an event: https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks. */
    delivery: (event: BtcPayEvent) => {
      const body = JSON.stringify(event);
      return { body, headers: { 'btcpay-sig': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` } };
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
