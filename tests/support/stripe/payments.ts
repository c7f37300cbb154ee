import type * as z from 'zod';
import type { parameters } from './contract.ts';
import {
  type AccountState,
  type BalanceTransaction,
  base,
  type Charge,
  type Dispute,
  find,
  type Intent,
  invalid,
  type Refund,
  type StripeErrorBody,
  StripeRefusal,
} from './state.ts';

type Create = z.infer<typeof parameters.createIntent>;

/** What Stripe's test payment methods do (https://docs.stripe.com/testing). */
const declines: Readonly<Record<string, string>> = {
  pm_card_chargeDeclined: 'generic_decline',
  pm_card_chargeDeclinedInsufficientFunds: 'insufficient_funds',
  pm_card_chargeDeclinedFraudulent: 'fraudulent',
  pm_card_chargeDeclinedExpiredCard: 'expired_card',
  pm_card_chargeDeclinedProcessingError: 'processing_error',
};
const wantsAction = new Set(['pm_card_threeDSecure2Required', 'pm_card_authenticationRequired']);
const isCard = (method: string): boolean => method.startsWith('pm_card_') || method.startsWith('pm_crypto_');

/** The smallest charge, in minor units; 50 cents or its like. */
const minimum = 50;
const zeroDecimal = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '));
const threeDecimal = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);
/** Two decimals for history's sake, and none may be used. */
const wholeOnly = new Set(['isk', 'ugx']);
const unknownCurrencies = new Set(
  'btn cup erp ern ghs iqd irr kpw lyd mru sdg ssp stn svc syp tmt ved ves zwg'.split(' '),
);

const checkAmount = (amount: number, currency: string): void => {
  if (unknownCurrencies.has(currency)) throw invalid(`Invalid currency: ${currency}.`, 'currency');
  if (amount > 99_999_999_999) throw invalid('Amount too large.', 'amount', 'amount_too_large');
  if (amount < (zeroDecimal.has(currency) ? 1 : minimum)) {
    throw invalid('Amount must convert to at least 50 cents.', 'amount', 'amount_too_small');
  }
  if (threeDecimal.has(currency) && amount % 10 !== 0) throw invalid('The last digit must be 0.', 'amount');
  if (wholeOnly.has(currency) && amount % 100 !== 0) throw invalid('The amount must be whole.', 'amount');
};

const put = (state: AccountState, intent: Intent, type?: string): Intent => {
  state.intents.set(intent.id, intent);
  if (type !== undefined) state.emit(`payment_intent.${type}`, intent);
  return intent;
};

/** 2.9% and 30, as for a domestic card. */
const feeOf = (amount: number): number => Math.round(amount * 0.029) + 30;

/**
 * The account has no balance in krona: Stripe changes them into euros, each movement at the rate of its own moment
 * (https://docs.stripe.com/currencies/conversions).
 */
const exchanged = (state: AccountState, currency: string) =>
  currency === 'sek'
    ? { currency: 'eur', exchange_rate: 0.0871 + 0.0003 * (state.transactions.size % 7) }
    : { currency, exchange_rate: null };

/** What moves the account's balance; it is negative where something is taken out. */
export const move = (
  state: AccountState,
  source: { readonly id: string; readonly currency: string },
  given: Pick<BalanceTransaction, 'amount' | 'fee' | 'type'>,
): BalanceTransaction => {
  const to = exchanged(state, source.currency);
  const [amount, fee] = [given.amount, given.fee].map((one) => Math.round(one * (to.exchange_rate ?? 1)));
  const common = { ...base(state, 'txn', 'balance_transaction'), ...to, type: given.type, source: source.id };
  const transaction = { ...common, amount: amount ?? 0, fee: fee ?? 0, net: (amount ?? 0) - (fee ?? 0) };
  state.transactions.set(transaction.id, transaction);
  return transaction;
};

const settle = (state: AccountState, intent: Intent, charge: Charge, amount: number): Intent => {
  const transaction = move(state, charge, { amount, fee: feeOf(amount), type: 'charge' });
  const captured = { ...charge, captured: true, amount_captured: amount, balance_transaction: transaction.id };
  state.charges.set(charge.id, captured);
  state.emit('charge.succeeded', captured);
  const done = { ...intent, status: 'succeeded', amount_received: amount, amount_capturable: 0, next_action: null };
  return put(state, { ...done, latest_charge: charge.id }, 'succeeded');
};

const fail = (state: AccountState, intent: Intent, code: string, decline?: string): never => {
  const error: StripeErrorBody = {
    type: 'card_error',
    code,
    message: 'Your card was declined.',
    ...(decline === undefined ? {} : { decline_code: decline }),
  };
  const failed = put(
    state,
    {
      ...intent,
      status: 'requires_payment_method',
      last_payment_error: error,
      payment_method: null,
      next_action: null,
    },
    'payment_failed',
  );
  throw new StripeRefusal(402, { ...error, payment_intent: failed });
};

/** The charge itself, after any authentication. */
export const charge = (state: AccountState, intent: Intent): Intent => {
  const decline = declines[intent.payment_method ?? ''];
  if (decline !== undefined) {
    const code = decline === 'expired_card' || decline === 'processing_error' ? decline : 'card_declined';
    return fail(state, intent, code, decline === code ? undefined : decline);
  }
  const made: Charge = {
    ...base(state, 'ch', 'charge'),
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    currency: intent.currency,
    payment_intent: intent.id,
    balance_transaction: null,
    captured: false,
    paid: true,
    refunded: false,
    disputed: false,
    status: 'succeeded',
  };
  state.charges.set(made.id, made);
  if (intent.capture_method !== 'manual') return settle(state, intent, made, intent.amount);
  const held = { ...intent, status: 'requires_capture', amount_capturable: intent.amount, latest_charge: made.id };
  return put(state, { ...held, next_action: null }, 'amount_capturable_updated');
};

export const confirmIntent = (state: AccountState, intent: Intent, offSession: boolean): Intent => {
  const method = intent.payment_method ?? '';
  if (!isCard(method)) throw invalid(`No such PaymentMethod: '${method}'`, 'payment_method', 'resource_missing');
  if (wantsAction.has(method)) {
    if (offSession) return fail(state, intent, 'authentication_required', 'authentication_required');
    const url = `https://hooks.stripe.com/3d_secure_2/${intent.id}`;
    const next_action =
      intent.return_url === null
        ? { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect' } }
        : { type: 'redirect_to_url', redirect_to_url: { url, return_url: intent.return_url } };
    return put(state, { ...intent, status: 'requires_action', next_action }, 'requires_action');
  }
  return charge(state, intent);
};

export const createIntent = (state: AccountState, params: Create): Intent => {
  checkAmount(params.amount, params.currency);
  if (params.customer !== undefined) find(state.customers, params.customer, 'customer');
  const made = base(state, 'pi', 'payment_intent');
  const intent: Intent = {
    ...made,
    metadata: params.metadata ?? {},
    amount: params.amount,
    amount_received: 0,
    amount_capturable: 0,
    currency: params.currency,
    status: params.payment_method === undefined ? 'requires_payment_method' : 'requires_confirmation',
    capture_method: params.capture_method ?? 'automatic_async',
    customer: params.customer ?? null,
    payment_method: params.payment_method ?? null,
    payment_method_types: params.payment_method_types ?? ['card'],
    client_secret: `${made.id}_secret_${state.newId('x').slice(2)}`,
    description: params.description ?? null,
    latest_charge: null,
    last_payment_error: null,
    next_action: null,
    cancellation_reason: null,
    return_url: params.return_url ?? null,
  };
  if (params.off_session === true && params.confirm !== true) throw invalid('confirm must be true.', 'off_session');
  if (params.confirm === true && params.payment_method !== undefined && !isCard(params.payment_method)) {
    throw invalid(`No such PaymentMethod: '${params.payment_method}'`, 'payment_method', 'resource_missing');
  }
  put(state, intent, 'created');
  return params.confirm === true ? confirmIntent(state, intent, params.off_session === true) : intent;
};

const unexpected = (intent: Intent, wanted: string): StripeRefusal =>
  new StripeRefusal(400, {
    type: 'invalid_request_error',
    code: 'payment_intent_unexpected_state',
    message: `This PaymentIntent could not be ${wanted} because it has a status of ${intent.status}.`,
    payment_intent: intent,
  });

export const confirmAgain = (
  state: AccountState,
  id: string,
  params: z.infer<typeof parameters.confirmIntent>,
): Intent => {
  const intent = find(state.intents, id);
  if (!['requires_confirmation', 'requires_payment_method'].includes(intent.status))
    throw unexpected(intent, 'confirmed');
  const payment_method = params.payment_method ?? intent.payment_method;
  if (payment_method === null) throw invalid('You cannot confirm without a payment method.', 'payment_method');
  return confirmIntent(state, { ...intent, payment_method, return_url: params.return_url ?? intent.return_url }, false);
};

export const captureIntent = (state: AccountState, id: string, amount?: number): Intent => {
  const intent = find(state.intents, id);
  if (intent.status !== 'requires_capture') throw unexpected(intent, 'captured');
  const wanted = amount ?? intent.amount;
  if (wanted > intent.amount_capturable || wanted < 1) {
    throw invalid('The amount is greater than what can be captured.', 'amount_to_capture', 'amount_too_large');
  }
  return settle(state, intent, find(state.charges, intent.latest_charge ?? ''), wanted);
};

export const cancelIntent = (state: AccountState, id: string, reason = 'requested_by_customer'): Intent => {
  const intent = find(state.intents, id);
  if (intent.status === 'succeeded' || intent.status === 'canceled') throw unexpected(intent, 'canceled');
  return put(state, { ...intent, status: 'canceled', cancellation_reason: reason, amount_capturable: 0 }, 'canceled');
};

export const createRefund = (state: AccountState, params: z.infer<typeof parameters.createRefund>): Refund => {
  const intent = find(state.intents, params.payment_intent, 'payment_intent');
  const charged = state.charges.get(intent.latest_charge ?? '');
  if (charged === undefined || intent.status !== 'succeeded') {
    throw invalid('This PaymentIntent does not have a successful charge to refund.', 'payment_intent');
  }
  const left = charged.amount_captured - charged.amount_refunded;
  if (left === 0) throw invalid('Charge has already been refunded.', undefined, 'charge_already_refunded');
  const amount = params.amount ?? left;
  if (amount > left || amount < 1) throw invalid('Refund amount is greater than unrefunded amount.', 'amount');
  const made = base(state, 're', 'refund');
  const refund: Refund = {
    ...made,
    metadata: params.metadata ?? {},
    amount,
    currency: intent.currency,
    charge: charged.id,
    payment_intent: intent.id,
    reason: params.reason ?? null,
    status: 'succeeded',
    balance_transaction: move(
      state,
      { ...made, currency: intent.currency },
      { amount: -amount, fee: 0, type: 'refund' },
    ).id,
  };
  const amount_refunded = charged.amount_refunded + amount;
  state.refunds.set(refund.id, refund);
  const after = { ...charged, amount_refunded, refunded: amount_refunded === charged.amount_captured };
  state.charges.set(charged.id, after);
  state.emit('refund.created', refund);
  state.emit('charge.refunded', after);
  return refund;
};

/** The card's bank could not give it to its holder: it comes back. */
export const failRefund = (state: AccountState, id: string): void => {
  const refund = find(state.refunds, id);
  const back = move(state, refund, { amount: refund.amount, fee: 0, type: 'refund_failure' });
  const failed = { ...refund, status: 'failed', failure_balance_transaction: back.id };
  state.refunds.set(id, failed);
  const charged = find(state.charges, refund.charge);
  const after = { ...charged, amount_refunded: charged.amount_refunded - refund.amount, refunded: false };
  state.charges.set(charged.id, after);
  state.emit('refund.failed', failed);
  state.emit('charge.refund.updated', failed);
};

const disputeFee = 1_500;

/** The cardholder's bank takes the money back for now. */
export const openDispute = (state: AccountState, id: string): Dispute => {
  const intent = find(state.intents, id);
  const charged = find(state.charges, intent.latest_charge ?? '');
  state.charges.set(charged.id, { ...charged, disputed: true });
  const made = base(state, 'du', 'dispute');
  const { amount_captured: amount, currency } = charged;
  const dispute: Dispute = {
    ...made,
    amount,
    currency,
    charge: charged.id,
    payment_intent: intent.id,
    reason: 'fraudulent',
    status: 'needs_response',
    balance_transactions: [
      move(state, { ...made, currency }, { amount: -amount, fee: disputeFee, type: 'adjustment' }),
    ],
  };
  state.disputes.set(dispute.id, dispute);
  state.emit('charge.dispute.created', dispute);
  return dispute;
};

/** Where it is won, the money comes back, and so does the fee. */
export const closeDispute = (state: AccountState, id: string, status: 'won' | 'lost'): void => {
  const dispute = find(state.disputes, id);
  const back =
    status === 'won' ? [move(state, dispute, { amount: dispute.amount, fee: -disputeFee, type: 'adjustment' })] : [];
  const closed = { ...dispute, status, balance_transactions: [...dispute.balance_transactions, ...back] };
  state.disputes.set(id, closed);
  if (status === 'won') state.emit('charge.dispute.funds_reinstated', closed);
  state.emit('charge.dispute.closed', closed);
};

/** A charge that Stripe says the fee of later only, as it does of those that are captured asynchronously. */
export const withholdFee = (state: AccountState, intent: string): void => {
  const charged = find(state.charges, find(state.intents, intent).latest_charge ?? '');
  state.transactions.delete(charged.balance_transaction ?? '');
  state.charges.set(charged.id, { ...charged, balance_transaction: null });
};

export const tellFee = (state: AccountState, charge: string): void => {
  const charged = find(state.charges, charge);
  const amount = charged.amount_captured;
  const { id } = move(state, charged, { amount, fee: feeOf(amount), type: 'charge' });
  const settled = { ...charged, balance_transaction: id };
  state.charges.set(charge, settled);
  state.emit('charge.updated', settled);
};
