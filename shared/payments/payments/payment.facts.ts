import type { EventType, MakeEvent } from '../../events/define-event.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { derivedId } from '../../kernel/ids.ts';
import { isZero, type Money, negate, subtract } from '../../kernel/money.ts';
import type {
  GatewayDispute,
  GatewayName,
  GatewayPayment,
  GatewayReceipt,
  GatewaySettlement,
} from '../gateways/gateway.ts';
import { type Book, inBook } from '../ledger/chart.ts';
import type { LedgerLine, LedgerTransaction } from '../ledger/posting.ts';
import {
  disputeLost,
  disputeWon,
  type PaymentEventData,
  paymentCanceled,
  paymentDisputed,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
  receiptAccepted,
  receiptHeld,
  receiptReturned,
  refundFailed,
} from './payment.events.ts';
import type { Payment } from './payment.schema.ts';

/** Accounts that money moves between, debit first. */
type Move = readonly [debit: string, credit: string];

/**
 * Something that is so at the gateway and stays so, under a natural key. A later state of a payment has all facts of an
 * earlier one, so it does not matter which states in between were seen: what is booked and told in the end is the same.
 */
export interface PaymentFact {
  readonly key: string;
  readonly amount: Money | null;
  readonly move?: Move;
  /** What moves the other way in another currency: money that was changed. */
  readonly against?: Money;
  readonly event?: EventType<PaymentEventData>;
  /** The refund that it is about, by the gateway's id or by ours. */
  readonly refund?: string;
}

/** The accounts of the chart that a gateway's payments are booked on. */
export const gatewayAccounts = (gateway: GatewayName) => ({
  /** What the gateway owes us. */
  pending: `gateway:${gateway}:pending`,
  /** What payers have paid, until whoever sold something books it as revenue. */
  customers: 'customers:unapplied',
  /** What payers sent otherwise than they were asked: the payer's until somebody decides. */
  surplus: 'customers:surplus',
  undecided: 'customers:undecided',
  fees: `fees:${gateway}`,
  disputes: `disputes:${gateway}`,
  losses: `losses:disputes`,
  /** What was given for another currency, and got: over all currencies, at their rates, what changing them has cost. */
  exchange: 'equity:exchange',
});

const receiptFacts = (gateway: GatewayName, { reference, kind, amount, status }: GatewayReceipt): PaymentFact[] => {
  const { pending, customers, surplus, undecided } = gatewayAccounts(gateway);
  const account = kind === 'surplus' ? surplus : undecided;
  const key = `receipt:${reference}`;
  const held: PaymentFact = { key: `${key}:held`, amount, move: [pending, account], event: receiptHeld };
  if (status === 'held') return [held];
  return status === 'accepted'
    ? [held, { key: `${key}:accepted`, amount, move: [account, customers], event: receiptAccepted }]
    : [held, { key: `${key}:returned`, amount, move: [account, pending], event: receiptReturned }];
};

/**
 * The second and later ones of the same key, numbered. Parts come one by one and in no order, and there are never fewer
 * than before: what is known of some of them stays as it is when there are more.
 */
const numbered = (facts: readonly PaymentFact[]): readonly PaymentFact[] => {
  const seen = new Map<string, number>();
  return facts.map((fact) => {
    const nth = (seen.get(fact.key) ?? 0) + 1;
    seen.set(fact.key, nth);
    return nth === 1 ? fact : { ...fact, key: `${fact.key}:${nth}` };
  });
};

/** What was accepted is captured too, and booked under its own key. The rest came as it was asked for. */
const captureFacts = (gateway: GatewayName, remote: GatewayPayment): readonly PaymentFact[] => {
  const { captured, receipts = [] } = remote;
  if (captured.amount <= 0) return [];
  const { pending, customers } = gatewayAccounts(gateway);
  const accepted = receipts.filter(({ status }) => status === 'accepted');
  const asAsked = accepted.reduce((rest, { amount }) => rest - amount.amount, captured.amount);
  if (asAsked <= 0) return [{ key: 'accepted', amount: captured, event: paymentSucceeded }];
  const parts = remote.captures ?? [{ amount: { ...captured, amount: asAsked } }];
  return numbered(
    parts.map(({ amount }) => ({
      key: `captured:${amount.amount}`,
      amount,
      move: [pending, customers],
      event: paymentSucceeded,
    })),
  );
};

/** What the gateway keeps for itself, or gives back of that. */
const feeFact = (gateway: GatewayName, key: string, fee: Money): PaymentFact => {
  const { pending, fees } = gatewayAccounts(gateway);
  return fee.amount > 0
    ? { key, amount: fee, move: [fees, pending] }
    : { key, amount: negate(fee), move: [pending, fees] };
};

const disputeFacts = (gateway: GatewayName, dispute: GatewayDispute): readonly PaymentFact[] => {
  const { pending, disputes, losses } = gatewayAccounts(gateway);
  const { reference, amount, status, lost = amount, fees = [] } = dispute;
  const key = `dispute:${reference}`;
  const back: Move = [pending, disputes];
  const facts: PaymentFact[] = [
    { key: `${key}:opened`, amount, move: [disputes, pending], event: paymentDisputed },
    ...fees.map(({ reference: movement, amount: fee }) => feeFact(gateway, `${key}:fee:${movement}`, fee)),
  ];
  if (status === 'won') return [...facts, { key: `${key}:won`, amount, move: back, event: disputeWon }];
  if (status !== 'lost') return facts;
  const rest = subtract(amount, lost);
  return [
    ...facts,
    { key: `${key}:lost`, amount: lost, move: [losses, disputes], event: disputeLost },
    ...(rest.amount > 0 ? [{ key: `${key}:rest`, amount: rest, move: back }] : []),
  ];
};

/** What the gateway owed in one currency it owes in another from then on. */
const settlementFacts = (gateway: GatewayName, settlement: GatewaySettlement): readonly PaymentFact[] => {
  const { reference, of, as, fee } = settlement;
  const { pending, exchange } = gatewayAccounts(gateway);
  const key = `settled:${reference}`;
  const changed: PaymentFact =
    of.amount > 0
      ? { key, amount: of, move: [exchange, pending], against: as }
      : { key, amount: negate(of), move: [pending, exchange], against: negate(as) };
  return fee === undefined || isZero(fee) ? [changed] : [changed, feeFact(gateway, `${key}:fee`, fee)];
};

/** As many as there are captures that cost something. */
const feeFacts = (gateway: GatewayName, { fee, captures }: GatewayPayment): readonly PaymentFact[] => {
  const { pending, fees } = gatewayAccounts(gateway);
  const kept = (captures?.map((capture) => capture.fee) ?? [fee]).flatMap((one) => one ?? []);
  return numbered(
    kept
      .filter(({ amount }) => amount > 0)
      .map((amount) => ({ key: `fee:${amount.currency}:${amount.amount}`, amount, move: [fees, pending] })),
  );
};

const moneyFacts = (gateway: GatewayName, remote: GatewayPayment): readonly PaymentFact[] => {
  const { pending, customers } = gatewayAccounts(gateway);
  const facts: PaymentFact[] = [
    ...captureFacts(gateway, remote),
    ...feeFacts(gateway, remote),
    ...(remote.receipts ?? []).flatMap((receipt) => receiptFacts(gateway, receipt)),
  ];
  for (const { reference, amount, status } of remote.refunds) {
    facts.push({ key: `refund:${reference}:made`, amount, move: [customers, pending] });
    const about = { amount, refund: reference };
    if (status === 'succeeded') facts.push({ ...about, key: `refund:${reference}:succeeded`, event: paymentRefunded });
    if (status === 'failed') {
      facts.push({ ...about, key: `refund:${reference}:failed`, move: [pending, customers], event: refundFailed });
    }
  }
  return [
    ...facts,
    ...remote.disputes.flatMap((dispute) => disputeFacts(gateway, dispute)),
    ...(remote.settlements ?? []).flatMap((settlement) => settlementFacts(gateway, settlement)),
  ];
};

/** Every fact that a state of a payment at its gateway implies. */
export const factsOf = (gateway: GatewayName, remote: GatewayPayment): readonly PaymentFact[] => {
  const ends: Partial<Record<GatewayPayment['status'], PaymentFact>> = {
    failed: { key: 'failed', amount: null, event: paymentFailed },
    expired: { key: 'expired', amount: null, event: paymentFailed },
    canceled: { key: 'canceled', amount: null, event: paymentCanceled },
  };
  const end = ends[remote.status];
  return [...moneyFacts(gateway, remote), ...(end === undefined ? [] : [end])];
};

const linesOf = (debit: string, credit: string, amount: Money): LedgerLine[] =>
  isZero(amount)
    ? []
    : [
        { account: debit, amount },
        { account: credit, amount: negate(amount) },
      ];

/** What a fact is in the books: nothing, where no money moves. A key may have no character that the ledger's has not. */
export const postingOf = (payment: string, book: Book, fact: PaymentFact): LedgerTransaction[] => {
  const { key, amount, move, against } = fact;
  if (move === undefined || amount === null) return [];
  const [debit, credit] = [inBook(book, move[0]), inBook(book, move[1])];
  const lines = [...linesOf(debit, credit, amount), ...(against === undefined ? [] : linesOf(credit, debit, against))];
  if (lines.length === 0) return [];
  return [{ key: derivedId('ltx', payment, key), lines, description: `${payment} ${key}`, source: payment }];
};

/** What a fact is told as. The same fact is always the same event. */
export const eventOf = (
  makeEvent: MakeEvent,
  tenant: string,
  id: string,
  payment: Payment,
  { key, amount, event, refund: about }: PaymentFact,
): DomainEvent[] => {
  if (event === undefined) return [];
  const { reference, customer, gateway, mode, decline } = payment;
  const money = amount ?? payment;
  const refund = payment.refunds.find(
    (one) => about !== undefined && [one.gatewayReference, one.id].includes(about),
  )?.id;
  const data = {
    payment: id,
    reference,
    customer,
    gateway,
    mode,
    decline,
    ...(refund === undefined ? {} : { refund }),
  };
  return [
    makeEvent(event, {
      id: derivedId('evt', tenant, id, key),
      tenant,
      subject: id,
      data: { ...data, amount: money.amount, currency: money.currency },
    }),
  ];
};
