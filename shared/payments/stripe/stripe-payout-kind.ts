import type Stripe from 'stripe';
import { type Money, negate } from '../../kernel/money.ts';
import type { TenantStore } from '../../store/store.ts';
import { fromStripe, roundedFromStripe } from '../gateways/stripe.money.ts';
import { told } from '../gateways/stripe.payment.ts';
import { inBook } from '../ledger/chart.ts';
import { gatewayAccounts } from '../payments/payment.facts.ts';
import type { StripeFact } from './stripe-facts.ts';
import { iso, type Seen, type StripeKind, type Times } from './stripe-kind.ts';
import type { StripePayout } from './stripe-payout.schema.ts';

/** So that one call tells what it cost. */
const expansion = ['balance_transaction', 'failure_balance_transaction'];

const statuses: Readonly<Record<string, StripePayout['status']>> = {
  pending: 'pending',
  in_transit: 'in-transit',
  paid: 'paid',
  failed: 'failed',
  canceled: 'canceled',
};

const recordOf = (payout: Stripe.Payout, times: Times): StripePayout => ({
  amount: { ...fromStripe(payout.amount, payout.currency) },
  status: statuses[payout.status] ?? 'pending',
  method: payout.method === 'instant' ? 'instant' : 'standard',
  arrivesAt: iso(payout.arrival_date),
  failure: payout.failure_code,
  livemode: payout.livemode,
  deleted: false,
  ...times,
});

/** The tenant's bank, as far as Stripe pays to it or takes from it: on its way, or there. */
const bank = 'bank:stripe';

/**
 * What left the balance did so when the payout was made; whether it is at the bank already changes nothing in the
 * books, and what Stripe calls paid may come back some days later. What comes back is booked as such.
 */
const factsOf = (payout: Stripe.Payout): readonly StripeFact[] => {
  const { id, livemode, status } = payout;
  const { pending, fees } = gatewayAccounts('stripe');
  const fact = (key: string, debit: string, credit: string, amount: Money): StripeFact[] => {
    if (amount.amount === 0) return [];
    const book = livemode ? 'live' : 'test';
    const lines = [
      { account: inBook(book, debit), amount },
      { account: inBook(book, credit), amount: negate(amount) },
    ];
    return [{ key, postings: [{ key: `stripe-payout:${id}:${key}`, lines, description: `${id} ${key}`, source: id }] }];
  };
  const amount = fromStripe(payout.amount, payout.currency);
  const movements = [told(payout.balance_transaction), told(payout.failure_balance_transaction)];
  return [
    ...fact('made', bank, pending, amount),
    ...(status === 'failed' || status === 'canceled' ? fact('returned', pending, bank, amount) : []),
    ...movements.flatMap((movement) =>
      movement === undefined
        ? []
        : fact(`fee:${movement.id}`, fees, pending, roundedFromStripe(movement.fee, movement.currency)),
    ),
  ];
};

const seen = (payout: Stripe.Payout, times: Times): Seen<StripePayout> => ({
  record: recordOf(payout, times),
  facts: factsOf(payout),
});

/** Payouts to the tenant's bank, whoever made them: Stripe by its schedule, or somebody in the dashboard. One call. */
export const payoutKind = (records: TenantStore<StripePayout>): StripeKind<StripePayout> => ({
  name: 'payout',
  records,
  fetch: async (stripe, id, options, times) =>
    seen(await stripe.payouts.retrieve(id, { expand: expansion }, options), times),
  list: async (stripe, request, options, times) => {
    const params = { ...request, expand: expansion.map((path) => `data.${path}`) };
    const { data, has_more: hasMore } = await stripe.payouts.list(params, options);
    return { items: data.map((one) => ({ id: one.id, ...seen(one, times) })), last: data.at(-1)?.id, hasMore };
  },
  tombstone: (record) => ({ ...record, deleted: true }),
  customerOf: () => undefined,
  statusOf: ({ status }) => status,
  effects: () => [],
});
