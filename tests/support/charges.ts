import type { ChargeRequest, ChargeResult, Charges, RefundResult } from '#shared/business/index.ts';
import { OmniError } from '#shared/kernel/errors.ts';

export interface FakeCharges extends Charges {
  /** Every charge that was really made, by its reference. */
  readonly made: ReadonlyMap<string, { readonly request: ChargeRequest; readonly result: ChargeResult }>;
  /** What the charges to come of a customer end in. */
  decide(customer: string, outcome: 'succeeded' | 'pending' | 'needs-action' | 'insufficient-funds'): void;
  /** The next call takes its effect, and its answer is lost. */
  loseNextAnswer(): void;
  /** The next attempt to give one up has no effect and no answer. */
  loseNextCancel(): void;
  /** Whoever is to make the next charge dies before. */
  dieBeforeNextCharge(): void;
  /** What is pending succeeds, and takes so much: all where absent. */
  settle(captured?: number): void;
  /** So much of a charge was paid back in all. */
  paidBack(reference: string, refunded: number): void;
  /** So much of a charge was taken in all, also of one that was given up. */
  took(reference: string, captured: number): void;
  /** As `took`, of a charge that was made and has not taken as much yet: a gateway never takes back by itself. */
  tookMore(reference: string, captured: number): void;
  /** As `paidBack`, of what is not paid back yet. */
  paidBackAtMost(reference: string, refunded: number): void;
  /** The charge is not there any more, as after an erasure at the gateway. */
  forget(reference: string): void;
  /** What the refunds to come, or those that are pending, end in. */
  decideRefunds(outcome: 'succeeded' | 'pending' | 'failed'): void;
  /** Every refund that was really made, by its id. */
  readonly refunds: ReadonlyMap<string, { readonly reference: string; readonly amount: number; status: string }>;
}

const resultOf = (outcome: string, payment: string, captured: number): ChargeResult => {
  if (outcome === 'succeeded') return { status: 'succeeded', payment, captured, refunded: 0 };
  if (outcome === 'pending') return { status: 'pending', payment };
  const action = { kind: 'redirect', url: 'https://bank.example/challenge' } as const;
  if (outcome === 'needs-action') return { status: 'needs-action', payment, action };
  return { status: 'failed', payment, decline: outcome };
};

/** Means of payment with a memory: the same reference is one charge. It passes charges.contract.ts. */
export const fakeCharges = (): FakeCharges => {
  const made = new Map<string, { request: ChargeRequest; result: ChargeResult }>();
  const outcomes = new Map<string, string>();
  const refunds = new Map<string, { reference: string; amount: number; status: RefundResult['status'] }>();
  let refundOutcome: RefundResult['status'] = 'succeeded';
  let isLost = false;
  let isCancelLost = false;
  let isDead = false;
  const same = (a: ChargeRequest, b: ChargeRequest): boolean =>
    a.tenant === b.tenant &&
    a.customer === b.customer &&
    a.amount.amount === b.amount.amount &&
    a.amount.currency === b.amount.currency;
  const answer = (): void => {
    if (!isLost) return;
    isLost = false;
    throw new OmniError('unavailable', 'The answer was lost.');
  };
  const change = (
    reference: string,
    { by = 0, ...to }: { refunded?: number; captured?: number; by?: number },
  ): void => {
    for (const one of made.values()) {
      if (one.request.reference !== reference || one.result.status !== 'succeeded') continue;
      one.result = { ...one.result, refunded: one.result.refunded + by, ...to };
    }
  };
  const took = (reference: string, captured: number): void => {
    for (const one of made.values()) {
      const { payment } = one.result;
      if (one.request.reference !== reference || payment === null) continue;
      const refunded = one.result.status === 'succeeded' ? one.result.refunded : 0;
      one.result = { status: 'succeeded', payment, captured, refunded };
    }
  };
  const stateOf = (reference: string) => {
    const [one] = [...made.values()].filter(({ request }) => request.reference === reference);
    return one?.result.status === 'succeeded' ? one.result : { captured: 0, refunded: 0 };
  };
  return {
    made,
    decide: (customer, outcome) => {
      outcomes.set(customer, outcome);
    },
    loseNextAnswer: () => {
      isLost = true;
    },
    loseNextCancel: () => {
      isCancelLost = true;
    },
    dieBeforeNextCharge: () => {
      isDead = true;
    },
    settle: (captured) => {
      for (const one of made.values()) {
        const { status, payment } = one.result;
        if ((status === 'pending' || status === 'needs-action') && payment !== null) {
          one.result = { status: 'succeeded', payment, captured: captured ?? one.request.amount.amount, refunded: 0 };
        }
      }
    },
    paidBack: (reference, refunded) => change(reference, { refunded }),
    took,
    forget: (reference) => {
      for (const [key, one] of made) if (one.request.reference === reference) made.delete(key);
    },
    tookMore: (reference, captured) => {
      if (captured > stateOf(reference).captured) took(reference, captured);
    },
    paidBackAtMost: (reference, refunded) => {
      const { captured, refunded: before } = stateOf(reference);
      if (refunded > before) change(reference, { refunded: Math.min(refunded, captured) });
    },
    refunds,
    decideRefunds: (outcome) => {
      refundOutcome = outcome;
      for (const one of refunds.values()) {
        if (one.status !== 'pending' || outcome === 'pending') continue;
        one.status = outcome;
        if (outcome === 'failed') change(one.reference, { by: -one.amount });
      }
    },
    refund: async ({ tenant, reference, refund, amount: { amount } }) => {
      const charge = made.get(`${tenant}/${reference}`)?.result;
      const before = refunds.get(refund);
      if (before !== undefined && before.amount !== amount) {
        throw new OmniError('idempotency-mismatch', 'This reference came with another refund before.');
      }
      if (charge?.status !== 'succeeded') return { status: 'failed' };
      if (before === undefined) {
        if (amount > charge.captured - charge.refunded) return { status: 'failed' };
        refunds.set(refund, { reference, amount, status: refundOutcome });
        if (refundOutcome !== 'failed') change(reference, { by: amount });
      }
      answer();
      return { status: (before ?? { status: refundOutcome }).status };
    },
    find: async (tenant, reference) => made.get(`${tenant}/${reference}`)?.result,
    cancel: async (tenant, reference) => {
      if (isCancelLost) {
        isCancelLost = false;
        throw new OmniError('unavailable', 'The gateway gave no answer.');
      }
      const one = made.get(`${tenant}/${reference}`);
      if (one?.result.status === 'pending' || one?.result.status === 'needs-action') {
        one.result = { status: 'failed', payment: one.result.payment, decline: 'canceled' };
      }
      return one?.result;
    },
    charge: async (request) => {
      if (isDead) {
        isDead = false;
        throw new Error('This process was killed.');
      }
      if (request.amount.amount <= 0) throw new OmniError('invalid-request', 'There is nothing to charge.');
      const key = `${request.tenant}/${request.reference}`;
      const before = made.get(key);
      if (before !== undefined && !same(before.request, request)) {
        throw new OmniError('idempotency-mismatch', 'This reference came with another amount or customer.');
      }
      const outcome = outcomes.get(request.customer) ?? 'succeeded';
      const payment = `pay_${made.size + 1}`;
      const result = resultOf(outcome, payment, request.amount.amount);
      if (before === undefined) made.set(key, { request, result });
      answer();
      return (before ?? { result }).result;
    },
  };
};
