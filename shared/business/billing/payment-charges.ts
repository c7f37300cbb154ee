import { systemActor } from '../../kernel/actor.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { type PaymentService, type PaymentView, paymentInputSchema } from '../../payments/index.ts';
import type { ChargeRequest, ChargeResult, Charges, RefundRequest, RefundResult } from './charges.ts';

type Payments = Pick<PaymentService, 'create' | 'find' | 'pursue' | 'cancel' | 'refund'>;

export interface PaymentChargesOptions {
  /** Loaded when the first charge is made: a function that only reads invoices starts without. */
  readonly payments: () => Promise<Payments>;
}

const resultOf = ({ id, status, decline, captured, refunded, nextAction }: PaymentView): ChargeResult => {
  switch (status) {
    case 'captured':
      return { status: 'succeeded', payment: id, captured, refunded };
    case 'requires-action':
      return { status: 'needs-action', payment: id, action: nextAction };
    case 'failed':
    case 'expired':
    case 'canceled':
      return { status: 'failed', payment: id, decline: decline ?? status };
    case 'created':
      // Whether a gateway has it is not known.
      return { status: 'pending', payment: null };
    case 'pending':
    case 'authorised':
      return { status: 'pending', payment: id };
  }
};

const isSame = ({ amount, currency, customer }: PaymentView, request: ChargeRequest): boolean =>
  amount === request.amount.amount && currency === request.amount.currency && customer === request.customer;

const notMade = (decline: string): ChargeResult => ({ status: 'failed', payment: null, decline });

/** An adapter of `Charges`: payments through any gateway that the tenant has connected, by its routing. */
export const paymentCharges = ({ payments }: PaymentChargesOptions): Charges => {
  const actorOf = (tenant: string) => systemActor(tenant, 'billing');

  const find = async (tenant: string, reference: string): Promise<PaymentView | undefined> =>
    (await payments()).find(actorOf(tenant), reference);

  /** The payment that has this reference. Whatever way it was to be made, it is the charge if it takes the same. */
  const there = async (request: ChargeRequest): Promise<ChargeResult | undefined> => {
    const { tenant, reference } = request;
    const payment = await find(tenant, reference);
    if (payment === undefined) return undefined;
    if (!isSame(payment, request)) {
      throw new OmniError('idempotency-mismatch', 'This reference came with another amount or customer.');
    }
    if (payment.status !== 'created') return resultOf(payment);
    await (await payments()).pursue(tenant, payment.id);
    return resultOf((await find(tenant, reference)) ?? payment);
  };

  const create = async (request: ChargeRequest): Promise<ChargeResult> => {
    const { tenant, reference, amount, customer, sources, offSession, returnUrl } = request;
    const asked = { ...amount, reference, customer, sources, offSession, returnUrl };
    const input = paymentInputSchema.safeParse(asked);
    if (!input.success) {
      throw new OmniError('invalid-request', 'This can’t be charged.', {
        issues: input.error.issues.map(({ path, message }) => ({ path: path.join('.'), message })),
      });
    }
    try {
      return resultOf(await (await payments()).create(actorOf(tenant), input.data));
    } catch (error) {
      if (isOmniError(error, 'idempotency-mismatch')) {
        const result = await there(request);
        if (result !== undefined) return result;
      }
      // No account takes this currency, amount or means of payment: nothing was asked of any.
      if (isOmniError(error, 'precondition-failed')) return notMade('no-gateway');
      if (isOmniError(error, 'rate-limited')) {
        throw new OmniError('unavailable', 'The gateway wants to be left alone.', { cause: error });
      }
      throw error;
    }
  };

  const refund = async ({ tenant, reference, refund: ours, amount }: RefundRequest): Promise<RefundResult> => {
    const payment = await find(tenant, reference);
    if (payment === undefined) return { status: 'failed' };
    const { currency } = payment;
    if (currency !== amount.currency) return { status: 'failed' };
    const input = { amount: amount.amount, reference: ours };
    try {
      const { status } = await (await payments()).refund(actorOf(tenant), payment.id, input);
      if (status === 'created') throw new OmniError('unavailable', 'It is not known whether the gateway pays back.');
      return { status };
    } catch (error) {
      // Refused: more than is left of it, or the gateway does not pay it back any more.
      if (isOmniError(error, 'precondition-failed') || isOmniError(error, 'invalid-request')) {
        return { status: 'failed' };
      }
      if (isOmniError(error, 'rate-limited')) {
        throw new OmniError('unavailable', 'The gateway wants to be left alone.', { cause: error });
      }
      throw error;
    }
  };

  return {
    refund,
    charge: async (request) => {
      const { amount, sources, offSession } = request;
      if (amount.amount <= 0) throw new OmniError('invalid-request', 'There is nothing to charge.');
      if (offSession && sources.length === 0) return (await there(request)) ?? notMade('no-payment-method');
      return create(request);
    },
    find: async (tenant, reference) => {
      const payment = await find(tenant, reference);
      return payment && resultOf(payment);
    },
    cancel: async (tenant, reference) => {
      const payment = await find(tenant, reference);
      if (payment === undefined) return undefined;
      try {
        return resultOf(await (await payments()).cancel(actorOf(tenant), payment.id));
      } catch (error) {
        // Too late, or not possible at this gateway: what it is now counts.
        if (!isOmniError(error, 'precondition-failed') && !isOmniError(error, 'invalid-request')) throw error;
        const now = await find(tenant, reference);
        return now && resultOf(now);
      }
    },
  };
};
