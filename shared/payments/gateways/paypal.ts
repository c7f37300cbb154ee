import type { BalancesResponse, CheckoutPaymentIntent, Order, OrderRequest } from '@paypal/paypal-server-sdk';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import { subtract, zero } from '../../kernel/money.ts';
import type {
  CreatePayment,
  Gateway,
  GatewayBalance,
  GatewayCapabilities,
  GatewayPart,
  GatewayPayment,
} from './gateway.ts';
import type { PayPalApi, PayPalClient } from './paypal.client.ts';
import { captureOfDispute, disputesOfCapture } from './paypal.disputes.ts';
import { paypalIssue } from './paypal.errors.ts';
import { eventsSince, paypalActionOf } from './paypal.events.ts';
import { fromPayPal, paypalCurrencies, paypalDigits, toPayPal } from './paypal.money.ts';
import { paymentsOf, paypalPayment, paypalRefund, refundableCapture, takenOf } from './paypal.payment.ts';
import { paypalWebhookOf } from './paypal.webhooks.ts';

export const paypalCapabilities: GatewayCapabilities = {
  currencies: paypalCurrencies,
  minorDigits: paypalDigits,
  manualCapture: true,
  partialCapture: true,
  partialRefund: true,
  /** https://developer.paypal.com/api/rest/reference/idempotency/: six hours for orders, the shortest. */
  idempotentFor: 21_600,
  /** The transaction search is hours behind. */
  lookupByOwnReference: false,
  refundsByOwnReference: true,
};

/** The SDK's enum, without loading the SDK. */
const isIntent = (value: string): value is CheckoutPaymentIntent => value === 'CAPTURE' || value === 'AUTHORIZE';
const intentOf = (capture: CreatePayment['capture']): CheckoutPaymentIntent => {
  const intent = capture === 'manual' ? 'AUTHORIZE' : 'CAPTURE';
  if (!isIntent(intent)) throw new Error('The SDK has other intents.');
  return intent;
};

const orderOf = (request: CreatePayment): OrderRequest => {
  const { payment, amount, description, returnUrl, paymentMethod } = request;
  const context = returnUrl === undefined ? {} : { experienceContext: { returnUrl, cancelUrl: returnUrl } };
  return {
    intent: intentOf(request.capture),
    purchaseUnits: [
      {
        referenceId: 'default',
        customId: payment,
        amount: toPayPal(amount),
        ...(description === undefined ? {} : { description: description.slice(0, 127) }),
      },
    ],
    paymentSource: { paypal: { ...(paymentMethod === undefined ? {} : { vaultId: paymentMethod }), ...context } },
  };
};

const prefer = 'return=representation';

const orUndefined = async <R>(call: Promise<R>): Promise<R | undefined> => {
  try {
    return await call;
  } catch (error) {
    if (isOmniError(error, 'not-found')) return undefined;
    throw error;
  }
};

export interface PayPalGatewayOptions {
  readonly client: PayPalClient;
  /** PayPal's id of the webhook that tells of the account; found or made by `webhookUrl` where absent. */
  readonly webhook?: string | undefined;
  /** The address of `/webhooks/paypal` from outside. */
  readonly webhookUrl?: string | undefined;
}

/** What the account has in each currency: what is neither to be had nor held back is on its way. */
const balancesOf = ({ balances = [] }: BalancesResponse): readonly GatewayBalance[] =>
  balances.map(({ totalBalance, availableBalance = totalBalance, withheldBalance }) => {
    const [total, available] = [fromPayPal(totalBalance), fromPayPal(availableBalance)];
    const withheld = withheldBalance === undefined ? zero(total.currency) : fromPayPal(withheldBalance);
    return { available, withheld, pending: subtract(subtract(total, available), withheld) };
  });

/** PayPal's orders as a gateway. */
export const paypalGateway = ({ client, webhook, webhookUrl }: PayPalGatewayOptions): Gateway => {
  const { rest } = client;
  const viewOf = (order: Order): GatewayPayment => paypalPayment(order, client.livemode);
  const read = (id: string): Promise<Order> =>
    client.call(async ({ orders }) => (await orders.getOrder({ id })).result);

  /** What the payer approved is taken, or held. A decline is told by an issue, and leaves the order as it was. */
  const take = (order: Order, key: string): Promise<Order | undefined> => {
    const id = order.id ?? '';
    const isHold = String(order.intent) === 'AUTHORIZE';
    return client.call(async ({ orders }: PayPalApi) => {
      try {
        if (isHold) await orders.authorizeOrder({ id, paypalRequestId: key, prefer });
        else await orders.captureOrder({ id, paypalRequestId: key, prefer });
      } catch (error) {
        if (paypalIssue(error) === 'INSTRUMENT_DECLINED') return undefined;
        throw error;
      }
      return (await orders.getOrder({ id })).result;
    });
  };

  const confirm = async (reference: string, key: string): Promise<GatewayPayment> => {
    const order = await read(reference);
    if (String(order.status) !== 'APPROVED') return viewOf(order);
    const taken = await take(order, key);
    // Only we could take it after this, and we do not: a payer who has other means begins anew.
    if (taken === undefined) return { ...viewOf(order), status: 'failed', decline: 'card-declined' };
    return viewOf(taken);
  };

  const authorisationOf = async (reference: string): Promise<string> => {
    const [authorisation] = paymentsOf(await read(reference)).authorizations ?? [];
    if (authorisation?.id !== undefined) return authorisation.id;
    throw new OmniError('precondition-failed', 'Nothing is held for this payment.');
  };

  /** The order first: what was given back for a dispute is not seen before the dispute. */
  const retrieve = async (reference: string): Promise<GatewayPayment | undefined> => {
    const order = await orUndefined(read(reference));
    if (order === undefined) return undefined;
    const captures = takenOf(order).flatMap(({ id }) => id ?? []);
    const disputes = await Promise.all(captures.map((capture) => disputesOfCapture(rest, capture)));
    return paypalPayment(order, client.livemode, disputes.flat());
  };

  const locate = async (part: GatewayPart, id: string): Promise<string | undefined> => {
    if (part === 'dispute') {
      const capture = await orUndefined(captureOfDispute(rest, id));
      return capture === undefined ? undefined : locate('capture', capture);
    }
    const { result } =
      (await orUndefined(
        client.call(async ({ payments }) =>
          part === 'capture'
            ? payments.getCapturedPayment({ captureId: id })
            : payments.getAuthorizedPayment({ authorizationId: id }),
        ),
      )) ?? {};
    return result?.supplementaryData?.relatedIds?.orderId;
  };

  return {
    name: 'paypal',
    livemode: client.livemode,
    capabilities: paypalCapabilities,
    create: async (request, key) => {
      const body = orderOf(request);
      return viewOf(
        await client.call(
          async ({ orders }) => (await orders.createOrder({ body, paypalRequestId: key, prefer })).result,
        ),
      );
    },
    confirm,
    capture: async (reference, amount, key) => {
      const authorizationId = await authorisationOf(reference);
      const body = { finalCapture: true, ...(amount === undefined ? {} : { amount: toPayPal(amount) }) };
      await client.call(({ payments }) =>
        payments.captureAuthorizedPayment({ authorizationId, paypalRequestId: key, prefer, body }),
      );
      return viewOf(await read(reference));
    },
    cancel: async (reference, key) => {
      const order = await read(reference);
      const { authorizations: [authorisation] = [], captures = [] } = paymentsOf(order);
      if (captures.length > 0) throw new OmniError('precondition-failed', 'It is captured: refund it.');
      // An order that nobody takes lapses by itself, and nobody but us can take it.
      if (authorisation?.id === undefined) return { ...viewOf(order), status: 'canceled' };
      const authorizationId = authorisation.id;
      await client.call(({ payments }) => payments.voidPayment({ authorizationId, paypalRequestId: key, prefer }));
      return viewOf(await read(reference));
    },
    refund: async (reference, { refund, amount }, key) => {
      const order = await read(reference);
      // The key is remembered with the capture: another one would be asked anew.
      const made = paymentsOf(order).refunds?.find(({ customId }) => customId === refund);
      if (made !== undefined) return paypalRefund(made);
      const captureId = refundableCapture(order, amount);
      const body = { amount: toPayPal(amount), customId: refund };
      const { result } = await client.call(({ payments }) =>
        payments.refundCapturedPayment({ captureId, paypalRequestId: key, prefer, body }),
      );
      return paypalRefund(result);
    },
    retrieve,
    find: async () => undefined,
    locate,
    account: async () => {
      const id = await client.merchant();
      const found = await paypalWebhookOf({ rest, merchant: id, webhook, url: webhookUrl });
      return { id, livemode: client.livemode, ...(found === undefined ? {} : { webhook: found }) };
    },
    list: async (since, cursor) => {
      const { actions, nextCursor } = await eventsSince(client, since, cursor);
      const found = await Promise.all(
        actions.map(({ reference, of }) => (of === undefined ? reference : locate(of, reference))),
      );
      const references = [...new Set(found.flatMap((reference) => reference ?? []))];
      const payments = await Promise.all(references.map(retrieve));
      return { items: payments.flatMap((payment) => payment ?? []), nextCursor };
    },
    balances: async () =>
      balancesOf((await client.call(({ reports }) => reports.searchBalances({ currencyCode: 'ALL' }))).result),
    status: client.status,
    actionOf: paypalActionOf,
  };
};
