import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { currencyCodes } from '../../kernel/currencies.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { compare, fromDecimal, isZero, type Money, subtract, sum, toDecimal, zero } from '../../kernel/money.ts';
import { outsideSystem } from '../../kernel/outside-system.ts';
import { worthOf } from '../onchain/amounts.ts';
import type {
  Gateway,
  GatewayAction,
  GatewayCapabilities,
  GatewayPayment,
  GatewayReceipt,
  GatewayRefund,
  PaymentStatus,
} from './gateway.ts';

export interface BtcPayOptions {
  /** Where the server is: `https://btcpay.example.com`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly store: string;
  readonly livemode: boolean;
  readonly clock: Clock;
  /** `BTC-CHAIN` where absent: in what is refunded. */
  readonly refundMethod?: string;
  /** Minutes for which the rate is locked, 15 where absent. */
  readonly lockedFor?: number;
  /** Seconds for one attempt, 20 where absent. */
  readonly timeout?: number;
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** Where the address is a tenant's: one that keeps out of private networks. */
  readonly fetch?: (
    url: string,
    request: {
      readonly method: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly signal: AbortSignal;
    },
  ) => Promise<Response>;
}

/** What BTCPay has no rate for is refused by itself. What has no market at all is left out. */
const currencies: ReadonlySet<string> = new Set(currencyCodes.filter((code) => code !== 'KPW'));

export const btcPayCapabilities: GatewayCapabilities = {
  currencies,
  minorDigits: new Map(),
  manualCapture: false,
  partialCapture: false,
  partialRefund: true,
  idempotentFor: 0,
  lookupByOwnReference: true,
  refundsByOwnReference: true,
};

/** https://docs.btcpayserver.org/API/Greenfield/v1/#operation/Invoices_GetInvoice */
const invoiceSchema = z.object({
  id: z.string().min(1),
  status: z.enum(['New', 'Processing', 'Expired', 'Invalid', 'Settled']),
  additionalStatus: z.string(),
  amount: z.string(),
  currency: z.string(),
  createdTime: z.int(),
  expirationTime: z.int(),
  checkoutLink: z.string(),
  archived: z.boolean().default(false),
  metadata: z.looseObject({ orderId: z.string().optional() }),
});
type Invoice = z.infer<typeof invoiceSchema>;

/** https://docs.btcpayserver.org/API/Greenfield/v1/#operation/Invoices_GetInvoicePaymentMethods */
const methodSchema = z.object({
  /** Of one whole coin in the invoice's currency. */
  rate: z.string(),
  payments: z.array(z.object({ id: z.string().min(1), receivedDate: z.int(), value: z.string(), status: z.string() })),
});
type Method = z.infer<typeof methodSchema>;

const pullPaymentSchema = z.object({
  id: z.string().min(1),
  name: z.string().nullable(),
  amount: z.string(),
  currency: z.string(),
  archived: z.boolean().default(false),
});
type PullPayment = z.infer<typeof pullPaymentSchema>;
const payoutSchema = z.object({ state: z.string() });

const statuses: Readonly<Record<Invoice['status'], PaymentStatus>> = {
  New: 'requires-action',
  Processing: 'pending',
  Settled: 'captured',
  Expired: 'expired',
  Invalid: 'failed',
};

/** BTCPay's decimals are as long as its rates need; trailing zeros are no digits of the currency. */
const moneyOf = (amount: string, currency: string): Money =>
  fromDecimal(amount.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''), currency);

const statusOf = ({ status, additionalStatus }: Invoice): PaymentStatus =>
  // Marked by somebody, which is how we cancel; else a payment that the chain did not keep.
  status === 'Invalid' && additionalStatus === 'Marked' ? 'canceled' : statuses[status];

interface Paid {
  readonly id: string;
  /** Seconds. */
  readonly at: number;
  readonly amount: Money;
  readonly isSettled: boolean;
}

/** What was paid to an invoice, the first first, at the rates that it was locked at. */
const paidBy = (methods: readonly Method[], currency: string): readonly Paid[] =>
  methods
    .flatMap(({ rate, payments }) =>
      payments
        .filter(({ status }) => status !== 'Invalid')
        .map(({ id, receivedDate, value, status }): Paid => {
          const [whole = '', part = ''] = value.split('.');
          const amount = worthOf(BigInt(`${whole}${part}`), currency, { price: rate, decimals: part.length });
          return { id, at: receivedDate, amount, isSettled: status === 'Settled' };
        }),
    )
    .filter(({ amount }) => amount.amount > 0)
    .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));

/** What came otherwise than asked: too much, or to an invoice that is over. Who marks it as settled takes it as it came. */
const receiptsOf = (invoice: Invoice, paid: readonly Paid[]): readonly GatewayReceipt[] => {
  const { status, additionalStatus, currency } = invoice;
  if (status === 'Settled' && additionalStatus === 'PaidOver') {
    let missing = moneyOf(invoice.amount, currency).amount;
    return paid.flatMap(({ id, amount }): GatewayReceipt[] => {
      const over = Math.max(0, amount.amount - missing);
      missing = Math.max(0, missing - amount.amount);
      const surplus = { ...amount, amount: over };
      return over === 0 ? [] : [{ reference: id, kind: 'surplus', amount: surplus, status: 'held' }];
    });
  }
  const isTaken = status === 'Settled' && additionalStatus === 'Marked';
  if (!isTaken && status !== 'Expired' && status !== 'Invalid') return [];
  return paid
    .filter(({ isSettled }) => isSettled || isTaken)
    .map(({ id, at, amount }) => ({
      reference: id,
      kind: at > invoice.expirationTime ? 'late' : 'partial',
      amount,
      status: isTaken ? 'accepted' : 'held',
    }));
};

/** The invoice stands in an event as `invoiceId`: https://docs.btcpayserver.org/API/Greenfield/v1/#tag/Webhooks. */
export const btcPayActionOf = (type: string, object: Readonly<Record<string, unknown>>): GatewayAction => {
  const { invoiceId } = object;
  return type.startsWith('Invoice') && typeof invoiceId === 'string'
    ? { kind: 'refresh-payment', reference: invoiceId }
    : { kind: 'ignore' };
};

const refusalOf = (status: number, retryAfter: string | null): OmniError => {
  if (status === 429) {
    return new OmniError('rate-limited', 'BTCPay takes no more calls now.', { retryAfter: Number(retryAfter) || 5 });
  }
  if (status === 401 || status === 403) return new OmniError('forbidden', 'BTCPay does not let this key do it.');
  if (status === 404) return new OmniError('not-found', 'BTCPay has no such object.');
  if (status === 400 || status === 422) return new OmniError('invalid-request', 'BTCPay refuses these parameters.');
  return new OmniError('unavailable', `BTCPay answered ${status}.`);
};

const orUndefined = async <R>(call: Promise<R>): Promise<R | undefined> => {
  try {
    return await call;
  } catch (error) {
    if (isOmniError(error, 'not-found')) return undefined;
    throw error;
  }
};

/** What a store's server has, and how it is asked. */
const btcPayStore = (options: BtcPayOptions) => {
  const {
    baseUrl,
    apiKey,
    store,
    livemode,
    clock,
    timeout = 20,
    wait,
    fetch: send = (url, request) => fetch(url, { ...request, redirect: 'error' }),
  } = options;
  const system = outsideSystem({ name: 'BTCPay', clock, timeout, ...(wait === undefined ? {} : { wait }) });
  /** For what must not be repeated unseen: BTCPay has no idempotency keys. */
  const once = outsideSystem({ name: 'BTCPay', clock, timeout, attempts: 1 });
  const root = `${baseUrl}/api/v1/stores/${encodeURIComponent(store)}`;

  const call = <R>(method: string, path: string, schema: z.ZodType<R>, body?: unknown, on = system): Promise<R> =>
    on.call(async (signal) => {
      const response = await send(`${root}${path}`, {
        method,
        headers: { authorization: `token ${apiKey}`, 'content-type': 'application/json' },
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw refusalOf(response.status, response.headers.get('retry-after'));
      return schema.parse(await response.json());
    });

  const read = (id: string): Promise<Invoice> => call('GET', `/invoices/${encodeURIComponent(id)}`, invoiceSchema);

  /** Of several with one order the oldest is the one; the others are nobody's. */
  const ofOrder = async (payment: string): Promise<readonly Invoice[]> => {
    const query = new URLSearchParams({ orderId: payment, take: '50' });
    const all = await call('GET', `/invoices?${query}`, z.array(invoiceSchema));
    return all
      .filter(({ archived, metadata }) => !archived && metadata.orderId === payment)
      .sort((a, b) => a.createdTime - b.createdTime || (a.id < b.id ? -1 : 1));
  };

  const pullPayments = async (invoice: string): Promise<readonly PullPayment[]> => {
    const all = await call('GET', '/pull-payments?includeArchived=false', z.array(pullPaymentSchema));
    return all.filter(({ name }) => name?.startsWith(`${invoice}:`) === true);
  };

  const refundOf = async ({ id, name, amount, currency }: PullPayment): Promise<GatewayRefund> => {
    const payouts = await call('GET', `/pull-payments/${encodeURIComponent(id)}/payouts`, z.array(payoutSchema));
    const isPaid = payouts.some(({ state }) => state === 'Completed');
    const refund = name?.split(':')[1];
    return {
      reference: id,
      ...(refund === undefined ? {} : { refund }),
      amount: moneyOf(amount, currency),
      status: isPaid ? 'succeeded' : 'pending',
    };
  };

  /** Most invoices are paid as they were asked to be, and nobody is asked more. */
  const paidTo = async ({ id, status, additionalStatus, currency }: Invoice): Promise<readonly Paid[]> => {
    const isUsual =
      status === 'New' || status === 'Processing' || (additionalStatus === 'None' && status !== 'Invalid');
    if (isUsual) return [];
    const path = `/invoices/${encodeURIComponent(id)}/payment-methods`;
    return paidBy(await call('GET', path, z.array(methodSchema)), currency);
  };

  const viewOf = async (invoice: Invoice): Promise<GatewayPayment> => {
    const [status, amount] = [statusOf(invoice), moneyOf(invoice.amount, invoice.currency)];
    const refunds = status === 'captured' ? await Promise.all((await pullPayments(invoice.id)).map(refundOf)) : [];
    const { orderId } = invoice.metadata;
    const { currency } = amount;
    const receipts = receiptsOf(invoice, await paidTo(invoice));
    const taken = receipts.filter((one) => one.status === 'accepted').map((one) => one.amount);
    // Marked as settled without a payment of its own: it was paid elsewhere, says who marked it.
    const captured = taken.length > 0 ? sum(taken, currency) : amount;
    return {
      reference: invoice.id,
      ...(orderId === undefined ? {} : { payment: orderId }),
      status,
      amount,
      captured: status === 'captured' ? captured : zero(currency),
      refunds,
      disputes: [],
      receipts,
      ...(status === 'requires-action' ? { nextAction: { kind: 'redirect' as const, url: invoice.checkoutLink } } : {}),
      ...(status === 'failed' ? { decline: 'processing-error' as const } : {}),
      livemode,
    };
  };

  return { system, once, call, read, ofOrder, refundOf, viewOf };
};

/** Invoices of a BTCPay Server's store, by its Greenfield API (https://docs.btcpayserver.org/API/Greenfield/v1/). */
export const btcPayGateway = (options: BtcPayOptions): Gateway => {
  const { livemode, refundMethod = 'BTC-CHAIN', lockedFor = 15 } = options;
  const { system, once, call, read, ofOrder, refundOf, viewOf } = btcPayStore(options);

  return {
    name: 'crypto',
    livemode,
    capabilities: btcPayCapabilities,
    create: async ({ payment, amount, capture, returnUrl }) => {
      if (capture === 'manual') throw new OmniError('precondition-failed', 'Nothing can be held on a chain.');
      if (!currencies.has(amount.currency)) {
        throw new OmniError('invalid-request', `There is no rate for ${amount.currency}.`);
      }
      const [before] = await ofOrder(payment);
      if (before !== undefined) return viewOf(before);
      const checkout = { expirationMinutes: lockedFor, ...(returnUrl === undefined ? {} : { redirectURL: returnUrl }) };
      const body = { amount: toDecimal(amount), currency: amount.currency, metadata: { orderId: payment }, checkout };
      const made = await call('POST', '/invoices', invoiceSchema, body);
      // BTCPay knows no idempotency keys: another call may have made one meanwhile, or an attempt of this one.
      const [first, ...others] = await ofOrder(payment);
      for (const { id } of others) await orUndefined(call('DELETE', `/invoices/${id}`, z.unknown()));
      return viewOf(first ?? made);
    },
    confirm: async (reference) => viewOf(await read(reference)),
    capture: () => Promise.reject(new OmniError('precondition-failed', 'Nothing can be held on a chain.')),
    cancel: async (reference) => {
      const invoice = await read(reference);
      if (invoice.status === 'New') {
        await call('POST', `/invoices/${encodeURIComponent(reference)}/status`, z.unknown(), { status: 'Invalid' });
      } else if (statusOf(invoice) !== 'canceled') {
        throw new OmniError('precondition-failed', 'Something was paid already, or the time is over.');
      }
      return viewOf(await read(reference));
    },
    refund: async (reference, { refund, amount }) => {
      const { status, captured, refunds } = await viewOf(await read(reference));
      const before = refunds.find((one) => one.refund === refund);
      if (before !== undefined) return before;
      const left = subtract(
        captured,
        sum(
          refunds.map((one) => one.amount),
          captured.currency,
        ),
      );
      if (status !== 'captured' || isZero(left) || compare(amount, left) > 0) {
        throw new OmniError('precondition-failed', 'That much was not captured, or is refunded already.');
      }
      const body = {
        name: `${reference}:${refund}`,
        payoutMethodId: refundMethod,
        refundVariant: 'Custom',
        customAmount: toDecimal(amount),
        customCurrency: amount.currency,
      };
      const path = `/invoices/${encodeURIComponent(reference)}/refund`;
      return refundOf(await call('POST', path, pullPaymentSchema, body, once));
    },
    retrieve: async (reference) => {
      const invoice = await orUndefined(read(reference));
      return invoice === undefined ? undefined : viewOf(invoice);
    },
    find: async (payment) => {
      const [invoice] = await ofOrder(payment);
      return invoice === undefined ? undefined : viewOf(invoice);
    },
    account: async () => {
      const { id } = await call('GET', '', z.object({ id: z.string() }));
      return { id, livemode };
    },
    status: system.status,
    actionOf: btcPayActionOf,
  };
};
