import { afterAll, describe, expect, it } from 'vitest';
import { type StripeFault, startStripeServer } from '#tests/support/stripe-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import type { CreatePayment } from './gateway.ts';
import { createStripeClient } from './stripe.client.ts';
import { fromStripe, toStripe } from './stripe.money.ts';
import { stripeActionOf, stripeGateway } from './stripe.ts';

const account = 'acct_acme';

const open = async (options: { secretKey?: string; types?: readonly string[] } = {}) => {
  const clock = manualClock();
  const server = await startStripeServer({ now: clock.now });
  afterAll(server.stop);
  const { secretKey = server.secretKey, types } = options;
  const wait = async (milliseconds: number) => clock.advance(milliseconds);
  const client = createStripeClient({ secretKey, baseUrl: server.baseUrl, clock, timeout: 0.4, wait });
  const gateway = stripeGateway({
    client,
    account,
    clock,
    ...(types === undefined ? {} : { paymentMethodTypes: types }),
  });
  return { clock, server, gateway, client, state: server.of(account) };
};

let last = 0;
const payment = (change: Partial<CreatePayment> = {}): CreatePayment => {
  last += 1;
  return {
    payment: `pay_${last}`,
    tenant: 'acme',
    amount: money(1_000, 'EUR'),
    capture: 'automatic',
    paymentMethod: 'pm_card_visa',
    offSession: false,
    ...change,
  };
};

describe('a payment with Stripe', () => {
  it('is charged at once with a known card, in the connected account, with its fee', async () => {
    const { gateway, server } = await open();
    const made = await gateway.create(payment({ payment: 'pay_a', description: 'Order 7' }), 'key-1');
    expect(made).toMatchObject({
      payment: 'pay_a',
      status: 'captured',
      amount: { amount: 1_000, currency: 'EUR' },
      captured: { amount: 1_000, currency: 'EUR' },
      fee: { amount: 59, currency: 'EUR' },
      livemode: false,
    });
    expect(server.requests[0]).toMatchObject({ account, key: 'key-1', path: '/v1/payment_intents' });
    expect(server.of('platform').intents.size).toBe(0);
    expect(await gateway.retrieve(made.reference)).toEqual(made);
  });

  it('waits for its payer with a client secret where no card is named', async () => {
    const { gateway } = await open();
    const made = await gateway.create(payment({ paymentMethod: undefined }), 'k');
    expect(made).toMatchObject({ status: 'requires-action', nextAction: { kind: 'client-secret' } });
  });

  it('sends its payer to 3-D Secure, and is captured afterwards', async () => {
    const { gateway, server } = await open();
    const returnUrl = 'https://shop.example/back';
    const made = await gateway.create(payment({ paymentMethod: 'pm_card_threeDSecure2Required', returnUrl }), 'k');
    expect(made).toMatchObject({ status: 'requires-action', nextAction: { kind: 'redirect' } });
    server.authenticate(account, made.reference);
    expect(await gateway.confirm(made.reference, 'k2')).toMatchObject({ status: 'captured' });
  });

  it.each([
    ['pm_card_chargeDeclined', 'card-declined'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'insufficient-funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired-card'],
    ['pm_card_chargeDeclinedFraudulent', 'suspected-fraud'],
    ['pm_card_chargeDeclinedProcessingError', 'processing-error'],
  ])('fails for good with %s: %s', async (paymentMethod, decline) => {
    const { gateway, state } = await open();
    const made = await gateway.create(payment({ paymentMethod }), 'k');
    expect(made).toMatchObject({ status: 'failed', decline, captured: { amount: 0 } });
    expect(state.intents.get(made.reference)?.status).toBe('canceled');
    expect(await gateway.create(payment({ payment: made.payment ?? '', paymentMethod }), 'k')).toEqual(made);
  });

  it('fails off session where the card wants its holder', async () => {
    const { gateway } = await open();
    const paymentMethod = 'pm_card_authenticationRequired';
    expect(await gateway.create(payment({ paymentMethod, offSession: true }), 'k')).toMatchObject({
      status: 'failed',
      decline: 'authentication-required',
    });
  });

  it('is held and captured in part; what is not held can not be captured', async () => {
    const { gateway } = await open();
    const made = await gateway.create(payment({ capture: 'manual' }), 'k');
    expect(made).toMatchObject({ status: 'authorised', captured: { amount: 0 } });
    await expect(gateway.capture(made.reference, money(1_001, 'EUR'), 'k1')).rejects.toMatchObject({
      code: 'invalid-request',
    });
    const captured = await gateway.capture(made.reference, money(400, 'EUR'), 'k2');
    expect(captured).toMatchObject({ status: 'captured', captured: { amount: 400 } });
    expect(await gateway.capture(made.reference, money(400, 'EUR'), 'k2')).toEqual(captured);
    await expect(gateway.capture(made.reference, undefined, 'k3')).rejects.toMatchObject({
      code: 'precondition-failed',
    });
  });

  it('is canceled while it is held, and not afterwards', async () => {
    const { gateway } = await open();
    const made = await gateway.create(payment({ capture: 'manual' }), 'k');
    expect(await gateway.cancel(made.reference, 'k1')).toMatchObject({ status: 'canceled' });
    await expect(gateway.capture(made.reference, undefined, 'k2')).rejects.toMatchObject({
      code: 'precondition-failed',
    });
  });

  it('is refunded in parts, never beyond what was captured', async () => {
    const { gateway } = await open();
    const { reference } = await gateway.create(payment(), 'k');
    const refund = (id: string, amount: number) =>
      gateway.refund(reference, { refund: id, amount: money(amount, 'EUR'), reason: 'requested-by-customer' }, id);
    expect(await refund('ref_1', 600)).toMatchObject({ refund: 'ref_1', status: 'succeeded', amount: { amount: 600 } });
    expect(await refund('ref_1', 600)).toMatchObject({ refund: 'ref_1' });
    await expect(refund('ref_2', 401)).rejects.toMatchObject({ code: 'invalid-request' });
    await refund('ref_3', 400);
    await expect(refund('ref_4', 1)).rejects.toMatchObject({ code: 'precondition-failed' });
    expect((await gateway.retrieve(reference))?.refunds.map(({ refund: id }) => id)).toEqual(['ref_3', 'ref_1']);
  });

  it('tells what is disputed', async () => {
    const { gateway, server } = await open();
    const { reference } = await gateway.create(payment(), 'k');
    server.dispute(account, reference);
    expect(await gateway.retrieve(reference)).toMatchObject({
      disputes: [{ amount: { amount: 1_000, currency: 'EUR' }, status: 'open' }],
    });
  });

  it('is not there where there is none', async () => {
    const { gateway } = await open();
    expect(await gateway.retrieve('pi_none')).toBeUndefined();
    await expect(gateway.cancel('pi_none', 'k')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('can be made with stablecoins', async () => {
    const { gateway, server } = await open({ types: ['crypto'] });
    await gateway.create(payment({ paymentMethod: 'pm_crypto_1' }), 'k');
    expect(server.requests[0]?.params).toMatchObject({ payment_method_types: ['crypto'] });
  });
});

describe('when the answer is lost', () => {
  it.each<[StripeFault]>([['drop-before'], ['drop-after'], ['error-before'], ['error-after'], ['stall']])(
    'after %s, the repetition with its key charges once',
    async (fault) => {
      const { gateway, server, state } = await open();
      server.behave(fault);
      expect(await gateway.create(payment(), 'k')).toMatchObject({ status: 'captured' });
      expect(state.charges.size).toBe(1);
      expect(new Set(server.requests.slice(0, 2).map(({ key }) => key))).toEqual(new Set(['k']));
    },
  );

  it('gives up after three attempts, and the payment is found by our own id, even before it is in the index', async () => {
    const { gateway, server, state, clock } = await open();
    // The SDK itself calls once more where a connection is closed.
    server.behave(...Array.from({ length: 6 }, () => 'drop-after' as const));
    const request = payment();
    await expect(gateway.create(request, 'k')).rejects.toMatchObject({ code: 'unavailable' });
    expect(state.charges.size).toBe(1);
    expect(await gateway.find(request.payment)).toMatchObject({ payment: request.payment, status: 'captured' });
    clock.advance(86_400_000);
    expect(await gateway.find(request.payment)).toMatchObject({ payment: request.payment, status: 'captured' });
    expect(await gateway.find('pay_none')).toBeUndefined();
  });

  it('finds a payment behind several hundred others', async () => {
    const { gateway, state } = await open();
    const request = payment();
    await gateway.create(request, 'k');
    const [first] = state.intents.values();
    if (first === undefined) throw new Error('Nothing was made.');
    for (let i = 0; i < 250; i += 1) state.intents.set(`pi_x${i}`, { ...first, id: `pi_x${i}`, metadata: {} });
    expect(await gateway.find(request.payment)).toMatchObject({ reference: first.id });
  });

  it('charges once for twenty at once', async () => {
    const { gateway, state } = await open();
    const request = payment();
    const all = await Promise.all(Array.from({ length: 20 }, () => gateway.create(request, 'k')));
    expect(new Set(all.map(({ reference }) => reference)).size).toBe(1);
    expect(state.charges.size).toBe(1);
  });

  it('refuses the same key for another payment', async () => {
    const { gateway } = await open();
    await gateway.create(payment(), 'k');
    await expect(gateway.create(payment({ amount: money(2_000, 'EUR') }), 'k')).rejects.toMatchObject({
      code: 'idempotency-mismatch',
    });
  });

  it('leaves Stripe in peace when it says so', async () => {
    const { gateway, server, clock } = await open();
    server.behave('rate-limit');
    await expect(gateway.create(payment(), 'k')).rejects.toMatchObject({ code: 'rate-limited', retryAfter: 7 });
    await expect(gateway.retrieve('pi_1')).rejects.toMatchObject({ code: 'rate-limited' });
    expect(server.requests).toHaveLength(1);
    clock.advance(7_000);
    expect(await gateway.retrieve('pi_1')).toBeUndefined();
  });

  it('says that it is not healthy, and how long calls took', async () => {
    const { gateway, server } = await open();
    expect(gateway.status()).toEqual({ healthy: true, latencyMs: 0 });
    server.behave(...Array.from({ length: 6 }, () => 'error-before' as const));
    for (let i = 0; i < 2; i += 1) await gateway.retrieve('pi_1').catch(() => undefined);
    expect(gateway.status().healthy).toBe(false);
    expect(gateway.status().latencyMs).toBeGreaterThan(0);
  });

  it.each([
    ['sk_test_wrong', 'forbidden'],
    [undefined, 'unavailable'],
  ])('has no use for the secret key %s: %s', async (secretKey, code) => {
    const { server, clock } = await open();
    const wait = async () => {};
    const client = createStripeClient({ secretKey, baseUrl: server.baseUrl, clock, wait });
    const gateway = stripeGateway({ client, account, clock });
    await expect(gateway.create(payment(), 'k')).rejects.toMatchObject({ code });
  });

  it('tells what Stripe owes, and lists what has changed', async () => {
    const { gateway, clock, server } = await open();
    const { reference } = await gateway.create(payment(), 'k');
    expect(await gateway.balances?.()).toEqual([{ available: money(941, 'EUR'), pending: money(0, 'EUR') }]);
    clock.advance(60_000);
    const since = new Date(clock.now()).toISOString();
    await gateway.create(payment({ paymentMethod: undefined }), 'k2');
    server.dispute(account, reference);
    const page = await gateway.list?.(since, undefined);
    expect(page?.items).toHaveLength(2);
    expect(page?.items).toContainEqual(await gateway.retrieve(reference));
  });
});

describe('amounts with Stripe', () => {
  it.each([
    ['EUR', 1_050, 1_050],
    ['JPY', 500, 500],
    ['ISK', 500, 50_000],
    ['UGX', 500, 50_000],
    ['MGA', 500, 5],
    ['KWD', 1_230, 1_230],
  ])('of %s: %d are %d', (currency, amount, units) => {
    expect(toStripe(money(amount, currency))).toEqual({ amount: units, currency: currency.toLowerCase() });
    expect(fromStripe(units, currency.toLowerCase())).toEqual({ amount, currency });
  });

  it.each([
    ['IRR', 1_000],
    ['KWD', 1_234],
    ['MGA', 501],
  ])('in %s are refused that it can not charge: %d', (currency, amount) => {
    expect(() => toStripe(money(amount, currency))).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });

  it.each([['ISK'], ['UGX'], ['JPY'], ['MGA'], ['KWD']])('of %s are taken by it as we tell them', async (currency) => {
    const { gateway } = await open();
    const amount = money(5_000, currency);
    expect(await gateway.create(payment({ amount }), 'k')).toMatchObject({ status: 'captured', captured: amount });
  });

  it('that are too small or too large are refused before anything is charged', async () => {
    const { gateway, state } = await open();
    for (const amount of [1, 9_000_000_000_000]) {
      await expect(gateway.create(payment({ amount: money(amount, 'EUR') }), `k${amount}`)).rejects.toMatchObject({
        code: 'invalid-request',
      });
    }
    expect(state.charges.size).toBe(0);
  });
});

describe('an event of Stripe', () => {
  it.each([
    ['payment_intent.succeeded', { id: 'pi_1' }, { kind: 'refresh-payment', reference: 'pi_1' }],
    ['charge.refunded', { id: 'ch_1', payment_intent: 'pi_1' }, { kind: 'refresh-payment', reference: 'pi_1' }],
    ['charge.dispute.created', { id: 'du_1', payment_intent: 'pi_1' }, { kind: 'refresh-dispute', reference: 'pi_1' }],
    ['refund.failed', { id: 're_1', payment_intent: 'pi_1' }, { kind: 'refresh-payment', reference: 'pi_1' }],
    ['customer.subscription.deleted', { id: 'sub_1' }, { kind: 'refresh-subscription', reference: 'sub_1' }],
    ['customer.updated', { id: 'cus_1' }, { kind: 'refresh-customer', reference: 'cus_1' }],
    ['charge.succeeded', { id: 'ch_1', payment_intent: null }, { kind: 'ignore' }],
    ['product.created', { id: 'prod_1' }, { kind: 'ignore' }],
  ])('%s asks for what it is about', (type, object, action) => {
    expect(stripeActionOf(type, object)).toEqual(action);
  });
});
