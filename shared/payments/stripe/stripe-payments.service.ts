import type { Actor } from '../../kernel/actor.ts';
import type { Clock } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId, type NewId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import type { Gateway, GatewayPayment } from '../gateways/gateway.ts';
import type { StripeClient } from '../gateways/stripe.client.ts';
import { stripeGateway } from '../gateways/stripe.ts';
import type { IntentView, NewIntent, NewRefund, RefundView } from './stripe.schema.ts';
import type { StripeAccounts } from './stripe-accounts.ts';

export interface StripePayments {
  /** Errors as for Gateway; `precondition-failed` where the tenant has no account. */
  create(actor: Actor, request: NewIntent): Promise<IntentView>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<IntentView>;
  capture(actor: Actor, id: string, amount: Money | undefined): Promise<IntentView>;
  cancel(actor: Actor, id: string): Promise<IntentView>;
  refund(actor: Actor, request: NewRefund): Promise<RefundView>;
}

export interface StripePaymentsOptions {
  readonly client: StripeClient;
  readonly accounts: StripeAccounts;
  readonly newId: NewId;
  readonly clock: Clock;
}

/** The same for every attempt of one request, so that Stripe does it once. */
export const stripeKey = (actor: Actor, newId: NewId, what: string): string =>
  actor.idempotencyKey === undefined
    ? newId('idem')
    : derivedId('idem', actor.tenant, actor.id, actor.idempotencyKey, what);

const viewOf = (payment: GatewayPayment): IntentView => {
  const { reference: id, status, amount, captured, fee, nextAction, decline, livemode } = payment;
  return {
    id,
    status,
    amount,
    captured,
    ...(fee === undefined ? {} : { fee }),
    refunds: payment.refunds.map((one) => ({ id: one.reference, amount: one.amount, status: one.status })),
    disputes: payment.disputes.map((one) => ({ id: one.reference, amount: one.amount, status: one.status })),
    ...(nextAction?.kind === 'redirect' ? { redirectUrl: nextAction.url } : {}),
    ...(nextAction?.kind === 'client-secret' ? { clientSecret: nextAction.clientSecret } : {}),
    ...(decline === undefined ? {} : { decline }),
    livemode,
  };
};

export const createStripePayments = ({ client, accounts, newId, clock }: StripePaymentsOptions): StripePayments => {
  const gatewayOf = async (actor: Actor, stablecoin = false): Promise<Gateway> => {
    const account = await accounts.of(actor.tenant);
    return stripeGateway({ client, account, clock, ...(stablecoin ? { paymentMethodTypes: ['crypto'] } : {}) });
  };
  const missing = (): OmniError => new OmniError('not-found', 'There is no such payment.');
  /** Where the tenant has no account it has no payment either. */
  const required = async (actor: Actor): Promise<Gateway> => {
    if ((await accounts.find(actor.tenant)) === undefined) throw missing();
    return gatewayOf(actor);
  };
  return {
    create: async (actor, { stablecoin, ...request }) => {
      const gateway = await gatewayOf(actor, stablecoin);
      const key = stripeKey(actor, newId, 'payment-intent');
      const payment = key.replace('idem_', 'pay_');
      return viewOf(await gateway.create({ ...request, payment, tenant: actor.tenant }, key));
    },
    get: async (actor, id) => {
      const payment = await (await required(actor)).retrieve(id);
      if (payment === undefined) throw missing();
      return viewOf(payment);
    },
    capture: async (actor, id, amount) => {
      const gateway = await required(actor);
      return viewOf(await gateway.capture(id, amount, stripeKey(actor, newId, 'capture')));
    },
    cancel: async (actor, id) => {
      const gateway = await required(actor);
      return viewOf(await gateway.cancel(id, stripeKey(actor, newId, 'cancel')));
    },
    refund: async (actor, { payment, amount, reason }) => {
      const gateway = await gatewayOf(actor);
      const key = stripeKey(actor, newId, 'refund');
      const refund = await gateway.refund(payment, { refund: key.replace('idem_', 'ref_'), amount, reason }, key);
      return { id: refund.reference, amount: refund.amount, status: refund.status };
    },
  };
};
