import type { ChargeRequest, ChargeResult, Charges } from '#shared/business/index.ts';
import { OmniError } from '#shared/kernel/errors.ts';

export interface FakeCharges extends Charges {
  /** Every charge that was really made, by its reference. */
  readonly made: ReadonlyMap<string, { readonly request: ChargeRequest; readonly result: ChargeResult }>;
  /** What the charges to come of a customer end in. */
  decide(customer: string, outcome: 'succeeded' | 'pending' | 'insufficient-funds'): void;
  /** The next call takes its effect, and its answer is lost. */
  loseNextAnswer(): void;
  /** What is pending succeeds. */
  settle(): void;
}

/** Means of payment with a memory: the same reference is one charge. It passes charges.contract.ts. */
export const fakeCharges = (): FakeCharges => {
  const made = new Map<string, { request: ChargeRequest; result: ChargeResult }>();
  const outcomes = new Map<string, string>();
  let isLost = false;
  const same = (a: ChargeRequest, b: ChargeRequest): boolean =>
    a.tenant === b.tenant &&
    a.customer === b.customer &&
    a.amount.amount === b.amount.amount &&
    a.amount.currency === b.amount.currency;
  return {
    made,
    decide: (customer, outcome) => {
      outcomes.set(customer, outcome);
    },
    loseNextAnswer: () => {
      isLost = true;
    },
    settle: () => {
      for (const one of made.values()) {
        if (one.result.status === 'pending') one.result = { status: 'succeeded', payment: one.result.payment };
      }
    },
    charge: async (request) => {
      if (request.amount.amount <= 0) throw new OmniError('invalid-request', 'There is nothing to charge.');
      const key = `${request.tenant}/${request.reference}`;
      const before = made.get(key);
      if (before !== undefined && !same(before.request, request)) {
        throw new OmniError('idempotency-mismatch', 'This reference came with another amount or customer.');
      }
      const outcome = outcomes.get(request.customer) ?? 'succeeded';
      const payment = `pay_${made.size + 1}`;
      const result: ChargeResult =
        outcome === 'succeeded' || outcome === 'pending'
          ? { status: outcome, payment }
          : { status: 'failed', payment, decline: outcome };
      if (before === undefined) made.set(key, { request, result });
      if (isLost) {
        isLost = false;
        throw new OmniError('unavailable', 'The answer was lost.');
      }
      return (before ?? { result }).result;
    },
  };
};
