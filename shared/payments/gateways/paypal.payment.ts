import type { Order, OrdersCapture, PaymentCollection, Refund } from '@paypal/paypal-server-sdk';
import { OmniError } from '../../kernel/errors.ts';
import { add, compare, type Money, subtract, zero } from '../../kernel/money.ts';
import type {
  GatewayCapture,
  GatewayDispute,
  GatewayPayment,
  GatewayRefund,
  NextAction,
  PaymentStatus,
} from './gateway.ts';
import type { PayPalDispute } from './paypal.disputes.ts';
import { fromPayPal } from './paypal.money.ts';
import { hasFailed, isFeeThere, paypalSettlements } from './paypal.settlements.ts';

/** Statuses are text to us: the SDK's enums would have to be loaded, and PayPal adds to them. */
const text = (value: string | undefined): string => value ?? '';

const authorisations: Readonly<Record<string, PaymentStatus>> = {
  CREATED: 'authorised',
  PENDING: 'pending',
  VOIDED: 'canceled',
  EXPIRED: 'expired',
  DENIED: 'failed',
};
const captures: Readonly<Record<string, PaymentStatus>> = {
  COMPLETED: 'captured',
  PARTIALLY_REFUNDED: 'captured',
  REFUNDED: 'captured',
  PENDING: 'pending',
};
const took = new Set(['COMPLETED', 'PARTIALLY_REFUNDED', 'REFUNDED']);

export const paymentsOf = (order: Order): PaymentCollection => order.purchaseUnits?.[0]?.payments ?? {};

/** Captures that took something, or may still. One that was declined is followed by another, if at all. */
export const takenOf = (order: Order): readonly OrdersCapture[] =>
  (paymentsOf(order).captures ?? []).filter(({ status }) => took.has(text(status)));

const moneyOf = (amount: { readonly currencyCode: string; readonly value: string } | undefined): Money => {
  if (amount === undefined) throw new OmniError('unavailable', 'PayPal told no amount.');
  return fromPayPal(amount);
};

/** The capture that a refund is of. */
const captureOfRefund = ({ links = [] }: Refund): string | undefined =>
  /\/captures\/([^/?]+)/.exec(links.find(({ rel }) => rel === 'up')?.href ?? '')?.[1];

/** What is left of a capture. A refund that does not say of which it is counts for each. */
const leftOf = ({ id, amount }: OrdersCapture, refunds: readonly Refund[]): Money =>
  refunds
    .filter((refund) => !hasFailed(refund))
    .filter((refund) => [undefined, id].includes(captureOfRefund(refund)))
    .reduce((left, refund) => subtract(left, moneyOf(refund.amount)), moneyOf(amount));

/**
 * The capture to pay back from: the first of those that took something with enough left. One refund is of one capture,
 * so what no single one has fails with `precondition-failed`.
 */
export const refundableCapture = (order: Order, amount: Money): string => {
  const { refunds = [] } = paymentsOf(order);
  const left = takenOf(order).map((capture) => ({ id: capture.id, left: leftOf(capture, refunds) }));
  if (left.length === 0) throw new OmniError('precondition-failed', 'Nothing is captured of this payment.');
  const found = left.find((one) => one.id !== undefined && compare(one.left, amount) >= 0);
  if (found?.id !== undefined) return found.id;
  const most = left.reduce((max, one) => Math.max(max, one.left.amount), 0);
  const why =
    left.length === 1 ? 'That is more than is left of it.' : 'It was captured in parts: refund them one by one.';
  throw new OmniError('precondition-failed', `At most ${most} can be paid back by one refund. ${why}`);
};

const statusOf = (order: Order): PaymentStatus => {
  const { captures: all = [], authorizations: [authorisation] = [] } = paymentsOf(order);
  const statuses = all.map(({ status }) => captures[text(status)] ?? 'failed');
  const status = (['captured', 'pending', 'failed'] as const).find((one) => statuses.includes(one));
  if (status !== undefined) return status;
  if (authorisation !== undefined) return authorisations[text(authorisation.status)] ?? 'pending';
  if (text(order.status) === 'VOIDED') return 'canceled';
  // Approved by the payer: it is for us to go on.
  return text(order.status) === 'APPROVED' ? 'pending' : 'requires-action';
};

const nextActionOf = (order: Order): NextAction | undefined => {
  const link = order.links?.find(({ rel }) => rel === 'payer-action' || rel === 'approve');
  return link === undefined ? undefined : { kind: 'redirect', url: link.href };
};

export const paypalRefund = (refund: Refund): GatewayRefund => {
  const status = text(refund.status);
  return {
    reference: text(refund.id),
    ...(refund.customId === undefined ? {} : { refund: refund.customId }),
    amount: moneyOf(refund.amount),
    status: status === 'COMPLETED' ? 'succeeded' : status === 'PENDING' ? 'pending' : 'failed',
  };
};

const totalOf = (all: readonly (Money | undefined)[], currency: string): Money =>
  all.flatMap((one) => one ?? []).reduce(add, zero(currency));

const feeOf = (all: readonly OrdersCapture[], currency: string): Money | undefined => {
  const fees = all
    .filter((capture) => !isFeeThere(capture))
    .flatMap(({ sellerReceivableBreakdown: told }) => told?.paypalFee ?? [])
    .map(fromPayPal);
  return fees.length === 0 ? undefined : totalOf(fees, currency);
};

const captureOf = (capture: OrdersCapture): GatewayCapture => {
  const amount = moneyOf(capture.amount);
  return { amount, fee: feeOf([capture], amount.currency) };
};

/**
 * Refunds without what PayPal itself has given back for a dispute: that is the dispute's, and would be booked twice. Ours
 * have our id. While a dispute is open, whatever else was given back since may be its end; what was not is counted then.
 */
const refundsBesides = (refunds: readonly Refund[], disputes: readonly PayPalDispute[]): readonly Refund[] => {
  const since = ({ openedAt }: PayPalDispute) =>
    refunds.filter(({ customId, createTime }) => customId === undefined && Date.parse(text(createTime)) >= openedAt);
  const theirs = new Set<Refund>();
  for (const dispute of disputes) {
    const { status, amount, lost = amount } = dispute;
    if (status === 'open') {
      for (const one of since(dispute)) if (compare(moneyOf(one.amount), amount) <= 0) theirs.add(one);
    }
    const isIt = (one: Refund) => !theirs.has(one) && compare(moneyOf(one.amount), lost) === 0;
    const end = status === 'lost' ? since(dispute).findLast(isIt) : undefined;
    if (end !== undefined) theirs.add(end);
  }
  return refunds.filter((refund) => !theirs.has(refund));
};

const disputeOf = ({ openedAt: _, ...dispute }: PayPalDispute): GatewayDispute => dispute;

/** An order with what became of it, as a payment. */
export const paypalPayment = (
  order: Order,
  livemode: boolean,
  disputes: readonly PayPalDispute[] = [],
): GatewayPayment => {
  const [unit] = order.purchaseUnits ?? [];
  const { refunds = [] } = paymentsOf(order);
  const taken = takenOf(order);
  const amount = moneyOf(unit?.amount);
  const { currency } = amount;
  const status = statusOf(order);
  const [nextAction, fee] = [status === 'requires-action' ? nextActionOf(order) : undefined, feeOf(taken, currency)];
  const settlements = paypalSettlements(taken, refunds);
  return {
    reference: text(order.id),
    ...(unit?.customId === undefined ? {} : { payment: unit.customId }),
    status,
    amount,
    captured: totalOf(
      taken.map((one) => moneyOf(one.amount)),
      currency,
    ),
    ...(taken.length > 1 ? { captures: taken.map(captureOf) } : {}),
    refunds: refundsBesides(refunds, disputes).map(paypalRefund),
    disputes: disputes.map(disputeOf),
    ...(fee === undefined ? {} : { fee }),
    ...(settlements.length === 0 ? {} : { settlements }),
    ...(nextAction === undefined ? {} : { nextAction }),
    ...(status === 'failed' ? { decline: 'card-declined' as const } : {}),
    livemode,
  };
};
