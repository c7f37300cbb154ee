import * as z from 'zod';
import type { Clock } from '../../kernel/clock.ts';
import { currencyCodes } from '../../kernel/currencies.ts';
import { OmniError } from '../../kernel/errors.ts';
import { fromUnits, type Money, toUnits } from '../../kernel/money.ts';
import { acmePayClient } from './acmepay.client.ts';
import type {
  CreatePayment,
  DeclineCode,
  Gateway,
  GatewayCapabilities,
  GatewayPayment,
  GatewayRefund,
  PaymentStatus,
  RefundPayment,
} from './gateway.ts';

export interface AcmePayOptions {
  readonly baseUrl: string;
  readonly secretKey: string;
  readonly livemode: boolean;
  readonly clock: Clock;
  /** Seconds for one request, 10 where absent. */
  readonly timeout?: number;
}

const excluded = new Set(['KPW', 'SYP', 'IRR', 'CUP']);

const capabilities: GatewayCapabilities = {
  currencies: new Set(currencyCodes.filter((code) => !excluded.has(code))),
  minorDigits: new Map([['HUF', 0]]),
  manualCapture: true,
  partialCapture: true,
  partialRefund: true,
  idempotentFor: 86_400,
  lookupByOwnReference: true,
  refundsByOwnReference: true,
};

const refundSchema = z.object({
  id: z.string(),
  reference: z.string(),
  amount: z.int(),
  currency: z.string(),
  status: z.enum(['pending', 'succeeded', 'failed']),
});
const paymentSchema = z.object({
  id: z.string(),
  livemode: z.boolean(),
  reference: z.string(),
  status: z.enum(['requires_action', 'processing', 'authorised', 'captured', 'canceled', 'failed', 'expired']),
  amount: z.int(),
  currency: z.string(),
  amount_captured: z.int(),
  fee: z.int().nullable(),
  next_action: z.object({ type: z.literal('redirect'), url: z.string() }).nullable(),
  decline_code: z.string().nullable(),
  refunds: z.array(refundSchema),
  disputes: z.array(z.object({ id: z.string(), amount: z.int(), status: z.enum(['open', 'won', 'lost']) })),
});
type AcmePayment = z.infer<typeof paymentSchema>;

const listSchema = z.object({ data: z.array(paymentSchema), next_cursor: z.string().nullable() });
const accountSchema = z.object({ id: z.string().min(1), livemode: z.boolean() });
const balanceSchema = z.object({
  data: z.array(z.object({ currency: z.string(), available: z.int(), pending: z.int() })),
});

const statuses: Readonly<Record<AcmePayment['status'], PaymentStatus>> = {
  requires_action: 'requires-action',
  processing: 'pending',
  authorised: 'authorised',
  captured: 'captured',
  canceled: 'canceled',
  failed: 'failed',
  expired: 'expired',
};

const declines: Readonly<Record<string, DeclineCode>> = {
  card_declined: 'card-declined',
  insufficient_funds: 'insufficient-funds',
  expired_card: 'expired-card',
  suspected_fraud: 'suspected-fraud',
  limit_exceeded: 'limit-exceeded',
  authentication_required: 'authentication-required',
  authentication_failed: 'authentication-failed',
  invalid_method: 'invalid-payment-method',
  processing_error: 'processing-error',
};

const digitsOf = (currency: string): number | undefined => capabilities.minorDigits.get(currency);
const moneyOf = (units: number, currency: string): Money => {
  const digits = digitsOf(currency);
  return digits === undefined ? { amount: units, currency } : fromUnits(units, currency, digits);
};
const unitsOf = (money: Money): number => {
  const digits = digitsOf(money.currency);
  return digits === undefined ? money.amount : toUnits(money, digits);
};

const wireAmount = (money: Money) => ({ amount: unitsOf(money), currency: money.currency });

const refundOf = ({ id, reference, amount, currency, status }: z.infer<typeof refundSchema>): GatewayRefund => ({
  reference: id,
  refund: reference,
  amount: moneyOf(amount, currency),
  status,
});

const paymentOf = (payment: AcmePayment): GatewayPayment => {
  const { currency, fee, next_action: next, decline_code: decline } = payment;
  return {
    reference: payment.id,
    payment: payment.reference,
    status: statuses[payment.status],
    amount: moneyOf(payment.amount, currency),
    captured: moneyOf(payment.amount_captured, currency),
    refunds: payment.refunds.map(refundOf),
    disputes: payment.disputes.map(({ id, amount, status }) => ({
      reference: id,
      amount: moneyOf(amount, currency),
      status,
    })),
    livemode: payment.livemode,
    ...(fee === null ? {} : { fee: moneyOf(fee, currency) }),
    ...(next === null ? {} : { nextAction: { kind: 'redirect', url: next.url } }),
    ...(decline === null ? {} : { decline: declines[decline] ?? 'card-declined' }),
  };
};

const creation = (request: CreatePayment) => ({
  reference: request.payment,
  ...wireAmount(request.amount),
  capture_method: request.capture,
  off_session: request.offSession,
  metadata: { tenant: request.tenant },
  ...(request.customer === undefined ? {} : { customer: request.customer }),
  ...(request.paymentMethod === undefined ? {} : { payment_method: request.paymentMethod }),
  ...(request.description === undefined ? {} : { description: request.description }),
  ...(request.returnUrl === undefined ? {} : { return_url: request.returnUrl }),
});

const reasonOf = (reason: NonNullable<RefundPayment['reason']>): string => reason.replaceAll('-', '_');

const objectSchema = z.object({ object: z.literal('payment'), id: z.string().min(1).max(200) });

/** AcmePay, the reference gateway. Its sandbox is in `acmepay-sandbox/`. */
export const acmePay = ({ baseUrl, secretKey, livemode, clock, timeout }: AcmePayOptions): Gateway => {
  const client = acmePayClient({ baseUrl, secretKey, clock, ...(timeout === undefined ? {} : { timeout }) });
  const pathOf = (reference: string): string => `/v1/payments/${encodeURIComponent(reference)}`;
  const post = async (path: string, body: unknown, key: string) =>
    paymentOf(await client.post(path, body, key, paymentSchema));

  return {
    name: 'acmepay',
    livemode,
    capabilities,
    create: async (request, key) => {
      if (!capabilities.currencies.has(request.amount.currency)) {
        throw new OmniError('invalid-request', `AcmePay takes no ${request.amount.currency}.`);
      }
      return post('/v1/payments', creation(request), key);
    },
    confirm: (reference, key) => post(`${pathOf(reference)}/confirm`, {}, key),
    capture: async (reference, amount, key) =>
      post(`${pathOf(reference)}/capture`, amount === undefined ? {} : wireAmount(amount), key),
    cancel: (reference, key) => post(`${pathOf(reference)}/cancel`, {}, key),
    refund: async (reference, { refund, amount, reason }, key) => {
      const body = {
        reference: refund,
        ...wireAmount(amount),
        ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
      };
      return refundOf(await client.post(`${pathOf(reference)}/refunds`, body, key, refundSchema));
    },
    retrieve: async (reference) => {
      const found = await client.find(pathOf(reference), paymentSchema);
      return found && paymentOf(found);
    },
    find: async (payment) => {
      const { data } = await client.get(`/v1/payments?${new URLSearchParams({ reference: payment })}`, listSchema);
      return data[0] && paymentOf(data[0]);
    },
    account: () => client.get('/v1/account', accountSchema),
    list: async (since, cursor) => {
      const query = new URLSearchParams({ since: String(Math.floor(Date.parse(since) / 1_000)) });
      if (cursor !== undefined) query.set('cursor', cursor);
      const page = await client.get(`/v1/payments?${query}`, listSchema);
      return { items: page.data.map(paymentOf), nextCursor: page.next_cursor };
    },
    balances: async () => {
      const { data } = await client.get('/v1/balance', balanceSchema);
      return data.map(({ currency, available, pending }) => ({
        available: moneyOf(available, currency),
        pending: moneyOf(pending, currency),
      }));
    },
    status: client.status,
    actionOf: (type, object) => {
      const parsed = objectSchema.safeParse(object);
      return type.startsWith('payment.') && parsed.success
        ? { kind: 'refresh-payment', reference: parsed.data.id }
        : { kind: 'ignore' };
    },
  };
};
