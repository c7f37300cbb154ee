import type Stripe from 'stripe';
import type { Clock } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { CreatePayment, Gateway, GatewayAction, GatewayCapabilities, GatewayPayment } from './gateway.ts';
import { platformAccount, type StripeClient } from './stripe.client.ts';
import { stripeErrorOf } from './stripe.errors.ts';
import { roundedFromStripe, stripeCurrencies, stripeDigits, toStripe } from './stripe.money.ts';
import {
  allOfIt,
  disputesOf,
  intentExpansion,
  isDisputed,
  paymentKey,
  paymentOf,
  refundKey,
  refundOf,
  refundsOf,
  tenantKey,
} from './stripe.payment.ts';

export interface StripeGatewayOptions {
  readonly client: StripeClient;
  /** `acct_…` of a connected account, `platform` (the deployment's own), or `own` (of a tenant's key). */
  readonly account: string;
  readonly clock: Clock;
  /**
   * How it is paid: `crypto` is Stripe's stablecoin payments (https://docs.stripe.com/payments/stablecoin-payments). What
   * the account's settings offer, where absent.
   */
  readonly paymentMethodTypes?: readonly string[];
}

/** https://docs.stripe.com/api/idempotent_requests */
const idempotentFor = 86_400;

export const stripeCapabilities: GatewayCapabilities = {
  currencies: stripeCurrencies,
  minorDigits: stripeDigits,
  manualCapture: true,
  partialCapture: true,
  partialRefund: true,
  idempotentFor,
  lookupByOwnReference: true,
  refundsByOwnReference: true,
};

const pageSize = 100;
const maxPages = 10;
/** Seconds. The search's index may be behind by a minute, or in trouble by hours; lists are always right. */
const listedFor = 7_200;

/** What may have changed a payment. Stripe takes 20 names at most. */
const changes = [
  ...[
    'created',
    'succeeded',
    'payment_failed',
    'canceled',
    'processing',
    'requires_action',
    'amount_capturable_updated',
  ].map((type) => `payment_intent.${type}`),
  ...['captured', 'refunded', 'dispute.created', 'dispute.closed', 'dispute.funds_reinstated'].map(
    (type) => `charge.${type}`,
  ),
  ...['created', 'updated', 'failed'].map((type) => `refund.${type}`),
];
/** Each asks for up to four calls. */
const eventsAtOnce = 20;

const reasons = {
  duplicate: 'duplicate',
  fraudulent: 'fraudulent',
  'requested-by-customer': 'requested_by_customer',
} as const;

const textAt = (object: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = object[name];
  return typeof value === 'string' ? value : undefined;
};

const actionKinds: readonly (readonly [prefix: string, kind: GatewayAction['kind'], field: string])[] = [
  ['payment_intent.', 'refresh-payment', 'id'],
  ['charge.dispute.', 'refresh-dispute', 'payment_intent'],
  ['charge.', 'refresh-payment', 'payment_intent'],
  ['refund.', 'refresh-payment', 'payment_intent'],
  ['payout.', 'refresh-payout', 'id'],
  ['customer.subscription.', 'refresh-subscription', 'id'],
  ['customer.source.', 'refresh-customer', 'customer'],
  ['customer.tax_id.', 'refresh-customer', 'customer'],
  ['customer.discount.', 'refresh-customer', 'customer'],
  ['customer.', 'refresh-customer', 'id'],
];

/** What an event asks for. Of a dispute the payment is named: it is read with its payment. */
export const stripeActionOf = (type: string, object: Readonly<Record<string, unknown>>): GatewayAction => {
  const found = actionKinds.find(([prefix]) => type.startsWith(prefix));
  if (found === undefined) return { kind: 'ignore' };
  const [, kind, field] = found;
  const reference = textAt(object, field);
  return reference === undefined ? { kind: 'ignore' } : { kind, reference };
};

const orUndefined = async <R>(call: Promise<R>): Promise<R | undefined> => {
  try {
    return await call;
  } catch (error) {
    if (isOmniError(error, 'not-found')) return undefined;
    throw error;
  }
};

const createParams = (
  request: CreatePayment,
  types: readonly string[] | undefined,
): Stripe.PaymentIntentCreateParams => {
  const { customer, paymentMethod, description, returnUrl, offSession, capture } = request;
  const method =
    types === undefined
      ? {
          automatic_payment_methods: {
            enabled: true,
            ...(returnUrl === undefined ? { allow_redirects: 'never' as const } : {}),
          },
        }
      : { payment_method_types: [...types] };
  return {
    ...toStripe(request.amount),
    ...method,
    capture_method: capture === 'manual' ? 'manual' : 'automatic',
    metadata: { [paymentKey]: request.payment, [tenantKey]: request.tenant },
    expand: intentExpansion,
    ...(customer === undefined ? {} : { customer }),
    ...(description === undefined ? {} : { description }),
    // Where the payer is sent to is only said with the confirmation.
    ...(paymentMethod === undefined
      ? {}
      : {
          payment_method: paymentMethod,
          confirm: true,
          ...(offSession ? { off_session: true } : {}),
          ...(returnUrl === undefined ? {} : { return_url: returnUrl }),
        }),
  };
};

/** Stripe's PaymentIntents as a gateway, in one account. */
export const stripeGateway = ({ client, account, clock, paymentMethodTypes }: StripeGatewayOptions): Gateway => {
  const call = <R>(
    key: string | undefined,
    work: (stripe: Stripe, options: Stripe.RequestOptions) => Promise<R>,
    translate?: (error: unknown) => R | undefined,
  ): Promise<R> => client.call(account, key, work, translate);

  /** The payment with its refunds and disputes: one more call where money was taken, two where it is disputed. */
  const whole = async (intent: Stripe.PaymentIntent): Promise<GatewayPayment> => {
    if (intent.latest_charge === null) return paymentOf(intent);
    const [refunds, disputes] = await Promise.all([
      call(undefined, (stripe, options) =>
        stripe.refunds.list(refundsOf(intent.id), options).autoPagingToArray(allOfIt),
      ),
      isDisputed(intent)
        ? call(undefined, (stripe, options) => stripe.disputes.list(disputesOf(intent.id), options))
        : { data: [] },
    ]);
    return paymentOf(intent, refunds, disputes.data);
  };

  const read = (reference: string): Promise<Stripe.PaymentIntent> =>
    call(undefined, (stripe, options) =>
      stripe.paymentIntents.retrieve(reference, { expand: intentExpansion }, options),
    );

  /** By our own id. A list is sure but can't be filtered, so it is looked through back to when the payment may be new. */
  const search = async (payment: string): Promise<Stripe.PaymentIntent | undefined> => {
    const query = `metadata['${paymentKey}']:'${payment}'`;
    const found = await call(undefined, (stripe, options) =>
      stripe.paymentIntents.search({ query, limit: 1, expand: intentExpansion.map((path) => `data.${path}`) }, options),
    );
    if (found.data[0] !== undefined) return found.data[0];
    const gte = Math.floor(clock.now() / 1_000) - listedFor;
    let after: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const from = after === undefined ? {} : { starting_after: after };
      const params = { created: { gte }, limit: pageSize, ...from };
      const listed = await call(undefined, (stripe, options) => stripe.paymentIntents.list(params, options));
      const ours = listed.data.find(({ metadata }) => metadata[paymentKey] === payment);
      if (ours !== undefined) return read(ours.id);
      after = listed.data.at(-1)?.id;
      if (!listed.has_more || after === undefined) return undefined;
    }
    throw new OmniError('unavailable', 'Stripe lists too many payments to look through.');
  };

  /** A payment that was declined must not be paid later by another way: nobody would know of it. */
  const close = (reference: string, key: string): Promise<Stripe.PaymentIntent> =>
    call(`${key}:cancel`, (stripe, options) =>
      stripe.paymentIntents.cancel(reference, { expand: intentExpansion }, options),
    );

  return {
    name: 'stripe',
    livemode: client.livemode,
    capabilities: stripeCapabilities,
    create: async (request, key) => {
      const params = createParams(request, paymentMethodTypes);
      const made = await call<Stripe.PaymentIntent | string>(
        key,
        (stripe, options) => stripe.paymentIntents.create(params, options),
        declinedIntent,
      );
      return whole(typeof made === 'string' ? await close(made, key) : made);
    },
    confirm: async (reference, key) => {
      const intent = await read(reference);
      if (intent.status !== 'requires_confirmation') return whole(intent);
      const confirmed = await call<Stripe.PaymentIntent | string>(
        key,
        (stripe, options) => stripe.paymentIntents.confirm(reference, { expand: intentExpansion }, options),
        declinedIntent,
      );
      return whole(typeof confirmed === 'string' ? await close(confirmed, key) : confirmed);
    },
    capture: async (reference, amount, key) => {
      const part = amount === undefined ? {} : { amount_to_capture: toStripe(amount).amount };
      return whole(
        await call(key, (stripe, options) =>
          stripe.paymentIntents.capture(reference, { ...part, expand: intentExpansion }, options),
        ),
      );
    },
    cancel: async (reference, key) =>
      whole(
        await call(key, (stripe, options) =>
          stripe.paymentIntents.cancel(reference, { expand: intentExpansion }, options),
        ),
      ),
    refund: async (reference, { refund, amount, reason }, key) => {
      const params = {
        payment_intent: reference,
        amount: toStripe(amount).amount,
        metadata: { [refundKey]: refund },
        ...(reason === undefined ? {} : { reason: reasons[reason] }),
      };
      return refundOf(await call(key, (stripe, options) => stripe.refunds.create(params, options)));
    },
    retrieve: async (reference) => {
      const intent = await orUndefined(read(reference));
      return intent === undefined ? undefined : whole(intent);
    },
    find: async (payment) => {
      const intent = await search(payment);
      return intent === undefined ? undefined : whole(intent);
    },
    account: async () => {
      const { id } = await call(undefined, (stripe, options) => stripe.accounts.retrieveCurrent({}, options));
      // Events of the deployment's own account name none.
      return { id: account === platformAccount ? platformAccount : id, livemode: client.livemode };
    },
    list: async (since, cursor) => {
      const gte = Math.floor(Date.parse(since) / 1_000);
      const from = cursor === undefined ? {} : { starting_after: cursor };
      const params = { created: { gte }, types: [...changes], limit: eventsAtOnce, ...from };
      const events = await call(undefined, (stripe, options) => stripe.events.list(params, options));
      const references = events.data.flatMap(
        ({ type, data }) => stripeActionOf(type, { ...data.object }).reference ?? [],
      );
      const found = await Promise.all([...new Set(references)].map((reference) => orUndefined(read(reference))));
      const items = await Promise.all(found.flatMap((intent) => (intent === undefined ? [] : [whole(intent)])));
      return { items, nextCursor: events.has_more ? (events.data.at(-1)?.id ?? null) : null };
    },
    balances: async () => {
      const balance = await call(undefined, (stripe, options) => stripe.balance.retrieve({}, options));
      const codes = new Set([...balance.available, ...balance.pending].map(({ currency }) => currency));
      const of = (amounts: Stripe.Balance['available'], code: string) =>
        roundedFromStripe(amounts.find(({ currency }) => currency === code)?.amount ?? 0, code);
      return [...codes].map((code) => ({ available: of(balance.available, code), pending: of(balance.pending, code) }));
    },
    status: client.status,
    actionOf: stripeActionOf,
  };
};

/** A decline is no error but a payment that failed: the id of the PaymentIntent that Stripe sends with it. */
const declinedIntent = (error: unknown): string | undefined => {
  if (stripeErrorOf(error)?.statusCode !== 402 || typeof error !== 'object' || error === null) return undefined;
  const intent: unknown = Reflect.get(error, 'payment_intent');
  const id: unknown = typeof intent === 'object' && intent !== null ? Reflect.get(intent, 'id') : undefined;
  return typeof id === 'string' ? id : undefined;
};
