import fc from 'fast-check';
import type { ManualClock } from '#shared/kernel/clock.ts';
import type { StripeServer } from '../stripe-server.ts';
import {
  createCustomer,
  createSubscription,
  deleteCustomer,
  endSubscription,
  renewSubscription,
  updateCustomer,
  updateSubscription,
} from './billing.ts';
import {
  chargeInvoice,
  giveUpInvoice,
  issueCreditNote,
  makeInvoice,
  payInvoice,
  voidCreditNote,
  voidInvoice,
} from './invoices.ts';
import {
  captureIntent,
  closeDispute,
  createIntent,
  createRefund,
  failRefund,
  openDispute,
  tellFee,
  withholdFee,
} from './payments.ts';
import { arrive, balanceOf, failPayout, makePayout } from './payouts.ts';
import type {
  AccountState,
  Charge,
  CreditNote,
  Customer,
  Dispute,
  Intent,
  Invoice,
  Payout,
  Refund,
  Subscription,
} from './state.ts';

/** What a step happens to: of everything the first that it can happen to. */
interface Cast {
  readonly state: AccountState;
  readonly customer: Customer | undefined;
  readonly subscription: Subscription | undefined;
  readonly open: Invoice | undefined;
  /** Open, or given up and to be paid all the same. */
  readonly payable: Invoice | undefined;
  readonly paid: Invoice | undefined;
  readonly note: CreditNote | undefined;
  readonly held: Intent | undefined;
  /** Charged last, and neither given back nor disputed. */
  readonly charged: Charge | undefined;
  readonly unsettled: Charge | undefined;
  readonly refund: Refund | undefined;
  readonly dispute: Dispute | undefined;
  /** Not sent back. */
  readonly payout: Payout | undefined;
}

const castOf = (state: AccountState): Cast => {
  const invoices = [...state.invoices.values()];
  const charges = [...state.charges.values()].filter(({ captured }) => captured);
  const open = invoices.findLast(({ status }) => status === 'open');
  return {
    state,
    customer: [...state.customers.values()][0],
    subscription: [...state.subscriptions.values()].find(({ ended_at }) => ended_at === null),
    open,
    payable: open ?? invoices.findLast(({ status }) => status === 'uncollectible'),
    paid: invoices.find((one) => one.status === 'paid' && one.post_payment_credit_notes_amount < one.amount_paid),
    held: [...state.intents.values()].find(({ status }) => status === 'requires_capture'),
    charged: charges.findLast(({ disputed, amount_refunded }) => !disputed && amount_refunded === 0),
    unsettled: charges.find(({ balance_transaction }) => balance_transaction === null),
    refund: [...state.refunds.values()].find(({ status }) => status === 'succeeded'),
    dispute: [...state.disputes.values()].find(({ status }) => status === 'needs_response'),
    payout: [...state.payouts.values()].findLast(({ status }) => status !== 'failed'),
    note: [...state.creditNotes.values()].find(
      ({ status, invoice }) => status !== 'void' && state.invoices.get(invoice)?.status === 'open',
    ),
  };
};

const credit = (
  { state, customer }: Cast,
  target: Invoice | undefined,
  most: number,
  to: 'refund' | 'balance',
): void => {
  const amount = Math.min(800, most);
  if (customer === undefined || target === undefined || amount <= 0) return;
  issueCreditNote(state, target.id, { amount, tax: 100, to });
};

const direct = (state: AccountState, capture_method: 'automatic' | 'manual', currency = 'eur'): Intent =>
  createIntent(state, {
    amount: 2_345,
    currency,
    payment_method: 'pm_card_visa',
    confirm: true,
    capture_method,
    // As those that our own route makes, and the payments domain knows nothing of.
    metadata: { omni_payment: 'pay_direct', omni_tenant: 'another' },
  });

const steps = {
  renew: ({ state, subscription }) => subscription && renewSubscription(state, subscription.id),
  end: ({ state, subscription }) => subscription && endSubscription(state, subscription.id),
  'cancel-later': ({ state, subscription }) =>
    subscription && updateSubscription(state, subscription.id, { cancel_at_period_end: true }),
  quantity: ({ state, subscription }) => {
    const items = subscription?.items.data.map(({ id, quantity }) => ({ id, quantity: quantity + 1 }));
    return subscription && updateSubscription(state, subscription.id, { items });
  },
  rename: ({ state, customer }) => customer && updateCustomer(state, customer.id, { name: `Ada ${state.now()}` }),
  second: ({ state, customer }) =>
    customer && createSubscription(state, { customer: customer.id, items: [{ price: 'price_taxed', quantity: 3 }] }),
  delete: ({ state, customer }) => customer && deleteCustomer(state, customer.id),
  invoice: ({ state, customer }) => {
    const lines = [{ amount: 4_000, discount: 401, percent: 19 }, { amount: -700, percent: 7 }, { amount: 1_250 }];
    return customer && makeInvoice(state, { customer: customer.id, lines });
  },
  credit: ({ state, customer }) =>
    customer && makeInvoice(state, { customer: customer.id, lines: [{ amount: -2_000 }] }),
  pay: ({ state, customer, payable }) => customer && payable && chargeInvoice(state, payable.id, 'pm_card_visa'),
  'pay-part': ({ state, customer, payable }) =>
    customer && payable && payable.amount_remaining > 600 && chargeInvoice(state, payable.id, 'pm_card_visa', 500),
  'pay-outside': ({ state, payable }) => payable && payInvoice(state, payable.id),
  void: ({ state, payable }) => payable && voidInvoice(state, payable.id),
  'give-up': ({ state, open }) => open && giveUpInvoice(state, open.id),
  'credit-note': (cast) => credit(cast, cast.payable, cast.payable?.amount_remaining ?? 0, 'balance'),
  'credit-paid': (cast) =>
    credit(
      cast,
      cast.paid,
      (cast.paid?.amount_paid ?? 0) - (cast.paid?.post_payment_credit_notes_amount ?? 0),
      'balance',
    ),
  'credit-refunded': (cast) =>
    credit(
      cast,
      cast.paid,
      (cast.paid?.amount_paid ?? 0) - (cast.paid?.post_payment_credit_notes_amount ?? 0),
      'refund',
    ),
  direct: ({ state }) => direct(state, 'automatic'),
  'direct-late': ({ state }) => withholdFee(state, direct(state, 'automatic').id),
  'direct-krona': ({ state }) => direct(state, 'automatic', 'sek'),
  'krona-late': ({ state }) => withholdFee(state, direct(state, 'automatic', 'sek').id),
  'direct-yen': ({ state }) => direct(state, 'automatic', 'jpy'),
  'fee-told': ({ state, unsettled }) => unsettled && tellFee(state, unsettled.id),
  hold: ({ state }) => direct(state, 'manual'),
  capture: ({ state, held }) => held && captureIntent(state, held.id, 1_700),
  refund: ({ state, charged }) =>
    charged && createRefund(state, { payment_intent: charged.payment_intent, amount: 300 }),
  'refund-fails': ({ state, refund }) => refund && failRefund(state, refund.id),
  dispute: ({ state, charged }) => charged && openDispute(state, charged.payment_intent),
  'dispute-won': ({ state, dispute }) => dispute && closeDispute(state, dispute.id, 'won'),
  'dispute-lost': ({ state, dispute }) => dispute && closeDispute(state, dispute.id, 'lost'),
  payout: ({ state }) => balanceOf(state) !== 0 && makePayout(state, balanceOf(state)),
  'payout-instant': ({ state }) => balanceOf(state) > 500 && makePayout(state, balanceOf(state) - 200, 'instant'),
  'payout-arrives': ({ state, payout }) => payout && arrive(state, payout.id),
  'payout-fails': ({ state, payout }) => payout && failPayout(state, payout.id),
  'void-credit-note': ({ state, note }) => note && voidCreditNote(state, note.id),
} satisfies Record<string, (cast: Cast) => unknown>;

export type StoryStep = keyof typeof steps;

export const play = (state: AccountState, step: StoryStep): void => void steps[step](castOf(state));

/** What often comes together. */
const episodes: readonly (readonly StoryStep[])[] = [
  ['renew'],
  ['quantity'],
  ['cancel-later'],
  ['rename'],
  ['second'],
  ['end'],
  ['delete'],
  ['credit'],
  ['credit-paid'],
  ['invoice', 'pay'],
  ['invoice', 'pay-part', 'credit-note', 'pay'],
  ['invoice', 'pay-part', 'pay-part', 'pay-outside'],
  ['invoice', 'pay-part', 'credit-note', 'void'],
  ['invoice', 'credit-note', 'void-credit-note', 'give-up'],
  ['invoice', 'give-up', 'pay-part', 'pay'],
  ['invoice', 'pay-part', 'give-up', 'void'],
  ['credit', 'invoice', 'void'],
  ['direct', 'refund', 'refund-fails'],
  ['direct-late', 'refund', 'fee-told'],
  ['hold', 'capture', 'dispute', 'dispute-won'],
  ['invoice', 'pay', 'dispute', 'dispute-lost'],
  ['invoice', 'pay', 'credit-refunded'],
  ['direct-yen', 'refund'],
  ['direct-krona', 'refund', 'refund-fails', 'refund'],
  ['krona-late', 'refund', 'fee-told'],
  ['direct-krona', 'dispute', 'dispute-won'],
  ['direct-krona', 'dispute', 'dispute-lost'],
  ['direct', 'dispute', 'refund', 'dispute-won'],
  ['direct', 'payout', 'payout-arrives', 'payout-fails'],
  ['direct', 'payout-instant', 'payout-fails', 'payout'],
  ['payout', 'dispute', 'payout', 'payout-arrives'],
];

export const storyOf = (maxEpisodes: number): fc.Arbitrary<readonly StoryStep[]> =>
  fc.array(fc.constantFrom(...episodes), { minLength: 1, maxLength: maxEpisodes }).map((all) => all.flat());

/** A customer with a card, and a subscription. */
export const begin = (state: AccountState): void => {
  const customer = createCustomer(state, {
    email: 'ada@example.com',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
  });
  createSubscription(state, { customer: customer.id, items: [{ price: 'price_monthly', quantity: 2 }] });
};

/** Plays a story in a new account, with some seconds between the steps, and returns the events that Stripe makes. */
export const tell = (server: StripeServer, account: string, told: readonly StoryStep[], clock: ManualClock) => {
  const state = server.of(account);
  begin(state);
  for (const step of told) {
    clock.advance(1_000);
    play(state, step);
  }
  return [...state.events];
};
