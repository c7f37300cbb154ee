import type { Order, OrdersCapture, PaymentCollection, Refund } from '@paypal/paypal-server-sdk';
import { OmniError } from '../../kernel/errors.ts';
import { add, type Money, zero } from '../../kernel/money.ts';
import type { GatewayPayment, GatewayRefund, NextAction, PaymentStatus } from './gateway.ts';
import { fromPayPal } from './paypal.money.ts';

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

const statusOf = (order: Order): PaymentStatus => {
  const { captures: [capture] = [], authorizations: [authorisation] = [] } = paymentsOf(order);
  if (capture !== undefined) return captures[text(capture.status)] ?? 'failed';
  if (authorisation !== undefined) return authorisations[text(authorisation.status)] ?? 'pending';
  if (text(order.status) === 'VOIDED') return 'canceled';
  // Approved by the payer: it is for us to go on.
  return text(order.status) === 'APPROVED' ? 'pending' : 'requires-action';
};

const nextActionOf = (order: Order): NextAction | undefined => {
  const link = order.links?.find(({ rel }) => rel === 'payer-action' || rel === 'approve');
  return link === undefined ? undefined : { kind: 'redirect', url: link.href };
};

const moneyOf = (amount: { readonly currencyCode: string; readonly value: string } | undefined): Money => {
  if (amount === undefined) throw new OmniError('unavailable', 'PayPal told no amount.');
  return fromPayPal(amount);
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
  const fees = all.flatMap(({ sellerReceivableBreakdown: told }) => told?.paypalFee ?? []).map(fromPayPal);
  return fees.length === 0 ? undefined : totalOf(fees, currency);
};

/** An order with what became of it, as a payment. */
export const paypalPayment = (order: Order, livemode: boolean): GatewayPayment => {
  const [unit] = order.purchaseUnits ?? [];
  const { captures: taken = [], refunds = [] } = paymentsOf(order);
  const amount = moneyOf(unit?.amount);
  const { currency } = amount;
  const status = statusOf(order);
  const [nextAction, fee] = [status === 'requires-action' ? nextActionOf(order) : undefined, feeOf(taken, currency)];
  const captured = taken.filter((one) => took.has(text(one.status))).map((one) => moneyOf(one.amount));
  return {
    reference: text(order.id),
    ...(unit?.customId === undefined ? {} : { payment: unit.customId }),
    status,
    amount,
    captured: totalOf(captured, currency),
    refunds: refunds.map(paypalRefund),
    disputes: [],
    ...(fee === undefined ? {} : { fee }),
    ...(nextAction === undefined ? {} : { nextAction }),
    ...(status === 'failed' ? { decline: 'card-declined' as const } : {}),
    livemode,
  };
};
