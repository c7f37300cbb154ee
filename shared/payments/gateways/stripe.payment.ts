import type Stripe from 'stripe';
import { type Money, negate } from '../../kernel/money.ts';
import type {
  GatewayDispute,
  GatewayPayment,
  GatewayRefund,
  GatewaySettlement,
  NextAction,
  PaymentStatus,
} from './gateway.ts';
import { declineOf } from './stripe.errors.ts';
import { fromStripe, roundedFromStripe } from './stripe.money.ts';

/** Under which our own ids stand in Stripe's metadata. */
export const paymentKey = 'omni_payment';
export const refundKey = 'omni_refund';
export const tenantKey = 'omni_tenant';

/** So that one call tells the fee too, and what it settles as. */
export const intentExpansion = ['latest_charge.balance_transaction'];

const pageSize = 100;
/** What belongs to one object, with page after page of it: more of it is a mistake, or an attack. */
export const allOfIt = { limit: 1_000 } as const;

/** What lists an intent's refunds and disputes, with what each moves of the account's balance. */
export const refundsOf = (intent: string) => ({
  payment_intent: intent,
  limit: pageSize,
  expand: ['data.balance_transaction', 'data.failure_balance_transaction'],
});
export const disputesOf = (intent: string) => ({ payment_intent: intent, limit: pageSize });

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

type Movement = string | Stripe.BalanceTransaction | null | undefined;

/** A movement of the balance, where it came along. */
export const told = (movement: Movement): Stripe.BalanceTransaction | undefined =>
  typeof movement === 'object' && movement !== null ? movement : undefined;

const feeOf = (intent: Stripe.PaymentIntent): Money | undefined => {
  const movement = told(chargeOf(intent)?.balance_transaction);
  return movement === undefined ? undefined : roundedFromStripe(movement.fee, movement.currency);
};

const settlementOf = (movement: Movement, of: Money): readonly GatewaySettlement[] => {
  const transaction = told(movement);
  if (transaction === undefined) return [];
  const as = roundedFromStripe(transaction.amount, transaction.currency);
  return as.currency === of.currency ? [] : [{ reference: transaction.id, of, as }];
};

/** https://docs.stripe.com/currencies/conversions: each movement is changed at the rate of its own day. */
const settlementsOf = (
  intent: Stripe.PaymentIntent,
  refunds: readonly Stripe.Refund[],
  disputes: readonly Stripe.Dispute[],
): readonly GatewaySettlement[] => [
  ...settlementOf(chargeOf(intent)?.balance_transaction, fromStripe(intent.amount_received, intent.currency)),
  ...refunds.flatMap(({ amount, currency, balance_transaction: out, failure_balance_transaction: back }) => {
    const of = fromStripe(amount, currency);
    return [...settlementOf(out, negate(of)), ...settlementOf(back, of)];
  }),
  ...disputes.flatMap(({ amount, currency, balance_transactions: movements }) => {
    const of = fromStripe(amount, currency);
    return movements
      .filter((movement) => movement.amount !== 0)
      .flatMap((movement) => settlementOf(movement, movement.amount < 0 ? negate(of) : of));
  }),
];

/** Of an inquiry (`warning_…`) no money was taken: it is no dispute until it becomes one. */
const isDispute = ({ status }: Stripe.Dispute): boolean => !status.startsWith('warning_') && status !== 'prevented';

const disputeOf = (dispute: Stripe.Dispute): GatewayDispute => {
  const { id, amount, currency, status, balance_transactions: movements } = dispute;
  const fees = movements
    .filter(({ fee }) => fee !== 0)
    .map((one) => ({ reference: one.id, amount: roundedFromStripe(one.fee, one.currency) }));
  return {
    reference: id,
    amount: fromStripe(amount, currency),
    status: status === 'won' ? 'won' : status === 'lost' ? 'lost' : 'open',
    ...(fees.length === 0 ? {} : { fees }),
  };
};

export const isDisputed = (intent: Stripe.PaymentIntent): boolean => chargeOf(intent)?.disputed === true;

/** A PaymentIntent with what belongs to it, as a payment. */
export const paymentOf = (
  intent: Stripe.PaymentIntent,
  refunds: readonly Stripe.Refund[] = [],
  disputes: readonly Stripe.Dispute[] = [],
): GatewayPayment => {
  const status = statusOf(intent);
  const real = disputes.filter(isDispute);
  const settlements = settlementsOf(intent, refunds, real);
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
    disputes: real.map(disputeOf),
    ...(settlements.length === 0 ? {} : { settlements }),
    ...(nextAction === undefined ? {} : { nextAction }),
    ...(decline === undefined ? {} : { decline }),
    livemode: intent.livemode,
  };
};
