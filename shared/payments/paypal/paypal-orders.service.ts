import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Page } from '../../kernel/page.ts';
import type { TenantStore } from '../../store/store.ts';
import {
  type Payment,
  type PaymentView,
  paymentViewSchema,
  type Refund,
  type RefundInput,
} from '../payments/payment.schema.ts';
import type { PaymentQuery, PaymentService } from '../payments/payment.service.ts';
import { type NewPayPalOrder, type PayPalOrderView, payPalOrderViewSchema } from './paypal-order.schema.ts';

/** Payments that are PayPal's, by the ids of their orders: the same payments and books as under any gateway. */
export interface PayPalOrders {
  /**
   * Makes an order. With a `reference`, or repeated with its idempotency key, there is one. Fails with
   * `precondition-failed` where PayPal does not take it, and with `unavailable` where it gave no answer: the same request
   * finds out what became of it.
   */
  create(actor: Actor, request: NewPayPalOrder): Promise<PayPalOrderView>;
  /** The newest first. */
  list(actor: Actor, query: Omit<PaymentQuery, 'gateway'>): Promise<Page<PayPalOrderView>>;
  /** Fails with `not-found`. */
  get(actor: Actor, id: string): Promise<PayPalOrderView>;
  /** Takes what the payer agreed to, or what is held. Fails with `precondition-failed` where neither is so. */
  capture(actor: Actor, id: string, amount: number | undefined): Promise<PayPalOrderView>;
  /** Holds what the payer agreed to. Fails with `precondition-failed` for an order of the other intent. */
  authorize(actor: Actor, id: string): Promise<PayPalOrderView>;
  /** Gives up what is not captured. */
  void(actor: Actor, id: string): Promise<PayPalOrderView>;
  /** Pays back, never more than was captured. Fails with `precondition-failed`. */
  refund(actor: Actor, id: string, input: RefundInput): Promise<Refund>;
  refunds(actor: Actor, id: string): Promise<readonly Refund[]>;
}

export interface PayPalOrdersOptions {
  readonly payments: TenantStore<Payment>;
  readonly paymentService: PaymentService;
}

const viewOf = (payment: PaymentView): PayPalOrderView => {
  const { amount, captured, refunded, disputed, currency, capture, nextAction, gatewayReference, id, ...rest } =
    payment;
  const money = (minor: number) => ({ amount: minor, currency });
  return payPalOrderViewSchema.parse({
    ...rest,
    id: gatewayReference,
    payment: id,
    intent: capture === 'manual' ? 'authorize' : 'capture',
    amount: money(amount),
    captured: money(captured),
    refunded: money(refunded),
    disputed: money(disputed),
    approveUrl: nextAction?.kind === 'redirect' ? nextAction.url : null,
  });
};

const refusal = (message: string): OmniError => new OmniError('precondition-failed', message);

export const createPayPalOrders = ({ payments, paymentService }: PayPalOrdersOptions): PayPalOrders => {
  const find = async ({ tenant }: Actor, id: string): Promise<PaymentView> => {
    const where = [{ field: 'gatewayReference', op: '==', value: id }] as const;
    const { items } = await payments.of(tenant).query({ where, limit: 5 });
    const stored = items.find(({ value }) => value.gateway === 'paypal');
    if (stored === undefined) throw new OmniError('not-found', 'There is no such order.');
    return paymentViewSchema.parse({ ...stored.value, id: stored.id });
  };

  /** What the payer agreed to is taken, or held. */
  const confirm = async (actor: Actor, payment: string): Promise<PayPalOrderView> => {
    const confirmed = await paymentService.confirm(actor, payment);
    if (confirmed.status === 'requires-action') throw refusal('The payer has not agreed yet.');
    return viewOf(confirmed);
  };

  return {
    create: async (actor, { amount, intent, vaultId, ...request }) => {
      const payment = await paymentService.create(actor, {
        ...request,
        ...amount,
        capture: intent === 'authorize' ? 'manual' : 'automatic',
        sources: [{ gateway: 'paypal', ...(vaultId === undefined ? {} : { paymentMethod: vaultId }) }],
      });
      if (payment.gatewayReference !== null) return viewOf(payment);
      if (payment.status === 'failed') throw refusal('PayPal does not take this order.');
      throw new OmniError('unavailable', 'PayPal gave no answer yet. Repeat the request.', { retryAfter: 5 });
    },
    list: async (actor, query) => {
      const page = await paymentService.list(actor, { ...query, gateway: 'paypal' });
      // What was never made has no id at PayPal.
      return { ...page, items: page.items.filter(({ gatewayReference }) => gatewayReference !== null).map(viewOf) };
    },
    get: async (actor, id) => viewOf(await find(actor, id)),
    capture: async (actor, id, amount) => {
      const payment = await find(actor, id);
      if (payment.capture === 'automatic') {
        if (amount !== undefined && amount !== payment.amount)
          throw refusal('An order that is not held is taken whole.');
        return confirm(actor, payment.id);
      }
      return viewOf(await paymentService.capture(actor, payment.id, amount));
    },
    authorize: async (actor, id) => {
      const payment = await find(actor, id);
      if (payment.capture === 'automatic') throw refusal('The intent of this order is to capture.');
      return confirm(actor, payment.id);
    },
    void: async (actor, id) => viewOf(await paymentService.cancel(actor, (await find(actor, id)).id)),
    refund: async (actor, id, input) => paymentService.refund(actor, (await find(actor, id)).id, input),
    refunds: async (actor, id) => paymentService.refunds(actor, (await find(actor, id)).id),
  };
};
