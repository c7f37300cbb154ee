import { type StripeFault, type StripeRequest, startStripeServer } from '#tests/support/stripe-server.ts';
import { manualClock } from '../../kernel/clock.ts';
import { money } from '../../kernel/money.ts';
import { type Fault, gatewayContract, type Operation } from './gateway.contract.ts';
import { createStripeClient } from './stripe.client.ts';
import { fromStripe } from './stripe.money.ts';
import { stripeGateway } from './stripe.ts';

const account = 'acct_acme';

const faults: Readonly<Record<Fault, StripeFault>> = {
  fail: 'error-before',
  stall: 'stall',
  'lose-answer': 'stall-after',
  'rate-limit': 'rate-limit',
  nonsense: 'nonsense',
};

const intents = '/v1/payment_intents';
const ofOperation: Readonly<Record<Operation, (request: StripeRequest) => boolean>> = {
  create: ({ method, path }) => method === 'POST' && path === intents,
  confirm: ({ path }) => path.endsWith('/confirm'),
  capture: ({ path }) => path.endsWith('/capture'),
  cancel: ({ path }) => path.endsWith('/cancel'),
  refund: ({ method, path }) => method === 'POST' && path === '/v1/refunds',
  retrieve: ({ method, path }) => method === 'GET' && path.startsWith(`${intents}/pi_`),
  find: ({ path }) => path.endsWith('/search'),
};

gatewayContract('Stripe', async () => {
  const clock = manualClock();
  const server = await startStripeServer({ now: clock.now });
  const state = server.of(account);
  const wait = async () => {};
  const of = (payment: string) =>
    [...state.intents.values()].filter(({ metadata }) => metadata?.omni_payment === payment);
  return {
    connect: () => {
      const client = createStripeClient({
        secretKey: server.secretKey,
        baseUrl: server.baseUrl,
        clock,
        timeout: 0.2,
        wait,
      });
      return stripeGateway({ client, account, clock });
    },
    amount: money(2_500, 'EUR'),
    method: 'pm_card_visa',
    minorUnits: [
      { amount: money(1_050, 'USD'), sent: 1_050 },
      { amount: money(500, 'JPY'), sent: 500 },
      { amount: money(500, 'ISK'), sent: 50_000 },
      { amount: money(500, 'UGX'), sent: 50_000 },
      { amount: money(12_340, 'KWD'), sent: 12_340 },
    ],
    inexact: money(1_234, 'KWD'),
    declines: {
      'card-declined': 'pm_card_chargeDeclined',
      'insufficient-funds': 'pm_card_chargeDeclinedInsufficientFunds',
      'expired-card': 'pm_card_chargeDeclinedExpiredCard',
      'suspected-fraud': 'pm_card_chargeDeclinedFraudulent',
      'processing-error': 'pm_card_chargeDeclinedProcessingError',
      'authentication-required': 'pm_card_authenticationRequired',
    },
    act: async ({ reference }) => server.authenticate(account, reference),
    fault: (operation, fault) => server.behaveOn(ofOperation[operation], faults[fault]),
    booked: async (payment) =>
      of(payment).map((intent) => ({
        captured: fromStripe(intent.amount_received, intent.currency),
        refunded: fromStripe(
          [...state.refunds.values()]
            .filter(({ payment_intent }) => payment_intent === intent.id)
            .reduce((total, { amount }) => total + amount, 0),
          intent.currency,
        ),
      })),
    sent: async (payment) => of(payment)[0]?.amount,
    webhooks: async ({ reference }) =>
      state.events
        .filter(({ data }) => 'id' in data.object && data.object.id === reference)
        .map(({ type, data }) => ({ type, object: { ...data.object } })),
    account,
    stop: server.stop,
  };
});
