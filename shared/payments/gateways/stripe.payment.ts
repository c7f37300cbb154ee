import type Stripe from 'stripe';
import type { Money } from '../../kernel/money.ts';
import type { GatewayDispute, GatewayPayment, GatewayRefund, NextAction, PaymentStatus } from './gateway.ts';
import { declineOf } from './stripe.errors.ts';
import { fromStripe, roundedFromStripe } from './stripe.money.ts';

/** Under which our own ids stand in Stripe's metadata. */
export const paymentKey = 'omni_payment';
export const refundKey = 'omni_refund';
export const tenantKey = 'omni_tenant';

/** So that one call tells the fee too. */
export const intentExpansion = ['latest_charge.balance_transaction'];

const statusOf = (intent: Stripe.PaymentIntent): PaymentStatus => {
  switch (intent.status) {
    case 'succeeded':
      return 'captured';
    case 'requires_capture':
      return 'authorised';
    case 'processing':
      return 'pending';
    case 'canceled':
      if (intent.last_payment_error !== null) return 'failed';
      return intent.cancellation_reason === 'automatic' ? 'expired' : 'canceled';
    default:
      return 'requires-action';
  }
};

const nextActionOf = (intent: Stripe.PaymentIntent): NextAction | undefined => {
  const url = intent.next_action?.redirect_to_url?.url;
  if (typeof url === 'string') return { kind: 'redirect', url };
  return intent.client_secret === null ? undefined : { kind: 'client-secret', clientSecret: intent.client_secret };
};

export const refundOf = (refund: Stripe.Refund): GatewayRefund => {
  const status = refund.status;
  const kept = refund.metadata?.[refundKey];
  return {
    reference: refund.id,
    ...(kept === undefined ? {} : { refund: kept }),
    amount: fromStripe(refund.amount, refund.currency),
    status: status === 'succeeded' ? 'succeeded' : status === 'failed' || status === 'canceled' ? 'failed' : 'pending',
  };
};

const chargeOf = ({ latest_charge: charge }: Stripe.PaymentIntent): Stripe.Charge | undefined =>
  typeof charge === 'object' && charge !== null ? charge : undefined;

const feeOf = (intent: Stripe.PaymentIntent): Money | undefined => {
  const transaction = chargeOf(intent)?.balance_transaction;
  return typeof transaction === 'object' && transaction !== null
    ? roundedFromStripe(transaction.fee, transaction.currency)
    : undefined;
};

/** Of an inquiry (`warning_…`) no money was taken: it is no dispute until it becomes one. */
const disputesOf = (disputes: readonly Stripe.Dispute[]): readonly GatewayDispute[] =>
  disputes
    .filter(({ status }) => !status.startsWith('warning_') && status !== 'prevented')
    .map(({ id, amount, currency, status }) => ({
      reference: id,
      amount: fromStripe(amount, currency),
      status: status === 'won' ? 'won' : status === 'lost' ? 'lost' : 'open',
    }));

export const isDisputed = (intent: Stripe.PaymentIntent): boolean => chargeOf(intent)?.disputed === true;

/** A PaymentIntent with what belongs to it, as a payment. */
export const paymentOf = (
  intent: Stripe.PaymentIntent,
  refunds: readonly Stripe.Refund[] = [],
  disputes: readonly Stripe.Dispute[] = [],
): GatewayPayment => {
  const status = statusOf(intent);
  const [ours, fee] = [intent.metadata[paymentKey], feeOf(intent)];
  const nextAction = status === 'requires-action' ? nextActionOf(intent) : undefined;
  const { last_payment_error: error } = intent;
  const decline = error === null || status === 'captured' || status === 'authorised' ? undefined : declineOf(error);
  return {
    reference: intent.id,
    ...(ours === undefined ? {} : { payment: ours }),
    status,
    amount: fromStripe(intent.amount, intent.currency),
    captured: fromStripe(intent.amount_received, intent.currency),
    refunds: refunds.map(refundOf),
    ...(fee === undefined ? {} : { fee }),
    disputes: disputesOf(disputes),
    ...(nextAction === undefined ? {} : { nextAction }),
    ...(decline === undefined ? {} : { decline }),
    livemode: intent.livemode,
  };
};
