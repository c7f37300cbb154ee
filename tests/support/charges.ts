import type { ChargeRequest, ChargeResult, Charges } from '#shared/business/index.ts';
import { OmniError } from '#shared/kernel/errors.ts';

export interface FakeCharges extends Charges {
  /** Every charge that was really made, by its reference. */
  readonly made: ReadonlyMap<string, { readonly request: ChargeRequest; readonly result: ChargeResult }>;
  /** What the charges to come of a customer end in. */
  decide(customer: string, outcome: 'succeeded' | 'pending' | 'needs-action' | 'insufficient-funds'): void;
  /** The next call takes its effect, and its answer is lost. */
  loseNextAnswer(): void;
  /** What is pending succeeds, and takes so much: all where absent. */
  settle(captured?: number): void;
  /** A charge that was given up takes so much after all. */
  takeLate(reference: string, captured: number): void;
  /** So much of a charge was paid back in all. */
  refund(reference: string, refunded: number): void;
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
    takeLate: (reference, captured) => {
      for (const one of made.values()) {
        const { payment } = one.result;
        if (one.request.reference === reference && payment !== null) {
          one.result = { status: 'succeeded', payment, captured, refunded: 0 };
        }
      }
    },
    settle: (captured) => {
      for (const one of made.values()) {
        const { status, payment } = one.result;
        if ((status === 'pending' || status === 'needs-action') && payment !== null) {
          one.result = { status: 'succeeded', payment, captured: captured ?? one.request.amount.amount, refunded: 0 };
        }
      }
    },
    refund: (reference, refunded) => {
      for (const one of made.values()) {
        if (one.request.reference === reference && one.result.status === 'succeeded') {
          one.result = { ...one.result, refunded };
        }
      }
    },
    find: async (tenant, reference) => made.get(`${tenant}/${reference}`)?.result,
    cancel: async (tenant, reference) => {
      const one = made.get(`${tenant}/${reference}`);
      if (one?.result.status === 'pending' || one?.result.status === 'needs-action') {
        one.result = { status: 'failed', payment: one.result.payment, decline: 'canceled' };
      }
      return one?.result;
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
      const result = resultOf(outcome, payment, request.amount.amount);
      if (before === undefined) made.set(key, { request, result });
      if (isLost) {
        isLost = false;
        throw new OmniError('unavailable', 'The answer was lost.');
      }
      return (before ?? { result }).result;
    },
  };
};
