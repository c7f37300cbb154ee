import { isoTime } from '../../kernel/clock.ts';
import { OmniError } from '../../kernel/errors.ts';
import { derivedId } from '../../kernel/ids.ts';
import { type Money, sum } from '../../kernel/money.ts';
import type { GatewayName, GatewayPayment, GatewayRefund } from '../gateways/gateway.ts';
import { paymentFailed, refundFailed } from './payment.events.ts';
import { factsOf, type PaymentFact } from './payment.facts.ts';
import type { Payment, PaymentDispute, PaymentState, Refund } from './payment.schema.ts';

export const finalStates: ReadonlySet<PaymentState> = new Set(['captured', 'canceled', 'failed', 'expired']);

/** Whether nothing is to be waited for: then only a dispute or a refund of somebody else can change it. */
export const isSettled = ({ status, refunds }: Payment): boolean =>
  finalStates.has(status) && refunds.every((refund) => refund.status === 'succeeded' || refund.status === 'failed');

export interface Merged {
  readonly next: Payment;
  /** Those that were not known before. */
  readonly facts: readonly PaymentFact[];
}

const isSame = (ours: Refund, { reference, refund }: GatewayRefund): boolean =>
  ours.gatewayReference === reference || ours.id === refund;

/** Our refunds with what became of them, and those that somebody made at the gateway itself. */
const mergeRefunds = (local: Payment, remote: GatewayPayment, now: string): Refund[] => {
  const ours = local.refunds.map((refund) => {
    const there = remote.refunds.find((one) => isSame(refund, one));
    if (there === undefined) return refund;
    return {
      ...refund,
      amount: there.amount.amount,
      status: there.status,
      gatewayReference: there.reference,
      detail: null,
    };
  });
  const others = remote.refunds
    .filter((one) => !local.refunds.some((refund) => isSame(refund, one)))
    .map(
      ({ reference, amount, status }): Refund => ({
        id: derivedId('ref', remote.reference, reference),
        ...amount,
        reason: null,
        status,
        gatewayReference: reference,
        detail: null,
        askedAt: null,
        createdAt: now,
      }),
    );
  return [...ours, ...others];
};

/** Those that the gateway tells of, and those that it no longer does. */
const mergeDisputes = (local: Payment, remote: GatewayPayment): PaymentDispute[] => {
  const told = remote.disputes.map(
    ({ reference, amount, status, lost, reason, respondBy }): PaymentDispute => ({
      reference,
      ...amount,
      status,
      lost: status === 'lost' ? (lost ?? amount).amount : 0,
      reason: reason ?? null,
      respondBy: respondBy ?? null,
    }),
  );
  return [...local.disputes.filter(({ reference }) => !told.some((one) => one.reference === reference)), ...told];
};

const closed: ReadonlySet<string> = new Set(['canceled', 'failed', 'expired']);
const open: ReadonlySet<string> = new Set(['requires-action', 'pending']);

/**
 * A payment that we gave up stays given up where the gateway has no word for that, as of PayPal's orders that nobody
 * has taken: only we could take it. What was taken all the same is taken.
 */
const isGivenUp = (local: Payment, remote: GatewayPayment): boolean =>
  closed.has(local.status) && open.has(remote.status);

const sumOf = (all: readonly { readonly amount: number }[]): number => all.reduce((sum, { amount }) => sum + amount, 0);

/** What the gateway kept, less what it gave back of that, in the currency of the first of it. */
const feeOf = ({ fee, settlements = [] }: GatewayPayment): Money | null => {
  const kept = [fee, ...settlements.map((settlement) => settlement.fee)].flatMap((one) => one ?? []);
  const [first] = kept;
  if (first === undefined) return null;
  return sum(
    kept.filter(({ currency }) => currency === first.currency),
    first.currency,
  );
};

/** What the gateway tells has to be of this payment, in its mode and currency. */
const requireOurs = (local: Payment, id: string, remote: GatewayPayment): void => {
  const isOurs =
    (remote.payment === undefined || remote.payment === id) &&
    remote.livemode === (local.mode === 'live') &&
    remote.amount.currency === local.currency;
  if (!isOurs) throw new OmniError('precondition-failed', 'What the gateway tells is not of this payment.');
};

/** The payment as the gateway has it, and what is new of it. Pure; the gateway's word replaces ours. */
export const mergePayment = (local: Payment, { id, gateway, remote, fetchedAt, now }: MergeInput): Merged => {
  requireOurs(local, id, remote);
  const time = isoTime(now);
  const known = new Set(local.facts.map(({ key }) => key));
  const facts = factsOf(gateway, remote).filter(({ key }) => !known.has(key));
  const refunds = mergeRefunds(local, remote, time);
  const disputes = mergeDisputes(local, remote);
  const isOver = isGivenUp(local, remote);
  const status = isOver ? local.status : remote.status;
  const next: Payment = {
    ...local,
    status,
    gateway,
    gatewayReference: remote.reference,
    captured: remote.captured.amount,
    refunded: sumOf(refunds.filter(({ status }) => status !== 'failed' && status !== 'created')),
    disputed: sumOf(
      disputes
        .filter(({ status }) => status !== 'won')
        .map(({ amount, status, lost }) => ({ amount: status === 'lost' ? lost : amount })),
    ),
    disputes,
    held: sumOf((remote.receipts ?? []).filter(({ status }) => status === 'held').map(({ amount }) => amount)),
    fee: feeOf(remote),
    nextAction: closed.has(status) ? null : (remote.nextAction ?? null),
    decline: isOver ? local.decline : (remote.decline ?? null),
    attempts: local.attempts.map((attempt, i) =>
      i === local.attempts.length - 1 ? { ...attempt, calls: 0, leaseUntil: null, outcome: 'made' } : attempt,
    ),
    refunds,
    facts: [...local.facts, ...facts.map(({ key, amount }) => ({ key, amount: amount?.amount ?? null, at: time }))],
    syncedAt: isoTime(fetchedAt),
    updatedAt: time,
  };
  return { next, facts };
};

export interface MergeInput {
  readonly id: string;
  readonly gateway: GatewayName;
  readonly remote: GatewayPayment;
  /** When it was asked for. */
  readonly fetchedAt: number;
  readonly now: number;
}

const endedBy = (local: Payment, fact: PaymentFact, change: Partial<Payment>, now: number): Merged => {
  if (local.facts.some(({ key }) => key === fact.key)) return { next: { ...local, ...change }, facts: [] };
  const time = isoTime(now);
  const facts = [...local.facts, { key: fact.key, amount: fact.amount?.amount ?? null, at: time }];
  return { next: { ...local, ...change, facts, updatedAt: time }, facts: [fact] };
};

/** The gateway has it no more. What was paid stays booked; what was not paid never will be. */
export const tombstone = (local: Payment, now: number): Merged => {
  const paid = finalStates.has(local.status);
  const fact: PaymentFact = { key: 'deleted', amount: null, ...(paid ? {} : { event: paymentFailed }) };
  const status = paid ? local.status : 'canceled';
  return endedBy(local, fact, { deleted: true, status, nextAction: null, syncedAt: isoTime(now) }, now);
};

/** The gateway did not make a refund: nothing was paid back, and nothing was booked. */
export const refundRefused = (local: Payment, { id, amount, currency }: Refund, now: number): Merged => {
  const refunds = local.refunds.map((refund) =>
    refund.id === id ? { ...refund, status: 'failed' as const, detail: 'refused' as const } : refund,
  );
  const money = { amount, currency };
  const fact: PaymentFact = { key: `refund:${id}:refused`, amount: money, event: refundFailed, refund: id };
  return endedBy(local, fact, { refunds }, now);
};

/** No gateway took it. */
export const refused = (local: Payment, refusal: string, now: number): Merged => {
  const attempts = local.attempts.map((attempt, i) =>
    i === local.attempts.length - 1
      ? { ...attempt, calls: 0, leaseUntil: null, outcome: 'refused' as const, refusal }
      : attempt,
  );
  const fact: PaymentFact = { key: 'failed', amount: null, event: paymentFailed };
  return endedBy(local, fact, { status: 'failed', decline: 'processing-error', attempts }, now);
};
