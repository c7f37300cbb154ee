import type { StripeFact } from '#shared/payments/stripe/stripe-facts.ts';
import { invoicePosting } from '#shared/payments/stripe/stripe-facts.ts';
import type { StripeInvoice } from '#shared/payments/stripe/stripe-invoice.schema.ts';
import type { Seen } from '#shared/payments/stripe/stripe-kind.ts';
import type { StripeKinds } from '#shared/payments/stripe/stripe-kinds.ts';

/** A bug: a refund that failed is no refund. That it was one before is forgotten. */
export const withoutFailedRefunds = (kinds: StripeKinds): StripeKinds => ({
  ...kinds,
  payment: {
    ...kinds.payment,
    fetch: async (stripe, id, options, times) => {
      const seen = await kinds.payment.fetch(stripe, id, options, times);
      const isFailed = ({ key }: StripeFact): boolean =>
        seen?.facts.some(
          (other) => other.key === key.replace(/:made$/, ':failed') && other.key.startsWith('refund:'),
        ) === true;
      return seen && { ...seen, facts: seen.facts.filter((fact) => !isFailed(fact)) };
    },
  },
});

/** A bug: a payout is booked once it is called paid, so that of one that failed it matters whether it was seen paid. */
export const bankedWhenPaid = (kinds: StripeKinds): StripeKinds => ({
  ...kinds,
  payout: {
    ...kinds.payout,
    fetch: async (stripe, id, options, times) => {
      const seen = await kinds.payout.fetch(stripe, id, options, times);
      const isKept = ({ key }: StripeFact): boolean => key !== 'made' || seen?.record.status === 'paid';
      return seen && { ...seen, facts: seen.facts.filter(isKept) };
    },
  },
});

/** A bug: what Stripe tells of a change of currency only later is not looked for again. */
export const settledAtFirstSight = (kinds: StripeKinds): StripeKinds => {
  const looked = new Set<string>();
  return {
    ...kinds,
    payment: {
      ...kinds.payment,
      fetch: async (stripe, id, options, times) => {
        const seen = await kinds.payment.fetch(stripe, id, options, times);
        const isFirst = !looked.has(id);
        looked.add(id);
        const isKept = ({ key }: StripeFact): boolean => isFirst || !key.startsWith('settled:');
        return seen && { ...seen, facts: seen.facts.filter(isKept) };
      },
    },
  };
};

type Change = (seen: Seen<StripeInvoice>, id: string) => Seen<StripeInvoice>;

const withInvoices =
  (change: Change) =>
  (kinds: StripeKinds): StripeKinds => ({
    ...kinds,
    invoice: {
      ...kinds.invoice,
      fetch: async (stripe, id, options, times) => {
        const seen = await kinds.invoice.fetch(stripe, id, options, times);
        return seen === undefined ? undefined : change(seen, id);
      },
    },
  });

/** A bug: what is paid so far is booked once, as whoever thinks that an invoice is paid at once does. */
export const paidAtOnce = withInvoices(({ record, facts }, id) => {
  const { amount, currency } = record.paid;
  const postings = invoicePosting({ id, currency, livemode: record.livemode }, 'paid', {
    unapplied: amount,
    receivable: -amount,
  });
  const paid: StripeFact[] = amount === 0 ? [] : [{ key: 'paid', postings }];
  return { record, facts: [...facts.filter(({ key }) => !key.startsWith('payment:')), ...paid] };
});

/** A bug: a credit note that is void is no credit note. That it was one before is forgotten. */
export const withoutVoidNotes = withInvoices(({ record, facts }) => {
  const isVoid = ({ key }: StripeFact): boolean =>
    facts.some((other) => other.key === `${key.split(':voided')[0]}:voided`);
  return { record, facts: facts.filter((fact) => !isVoid(fact)) };
});

/** A bug: the books follow the status alone, so that what was given up and is paid later stays a loss. */
export const withoutRecovery = withInvoices(({ record, facts }) => ({
  record,
  facts: facts.filter(({ key }) => key !== 'uncollectible' || record.status === 'uncollectible'),
}));

/** A bug: an answer is kept for the next time, and what came meanwhile is not seen. */
export const answeredFromMemory = (kinds: StripeKinds): StripeKinds => {
  const known = new Map<string, Seen<StripeInvoice>>();
  return withInvoices((seen, id) => {
    const earlier = known.get(id);
    known.set(id, seen);
    return earlier ?? seen;
  })(kinds);
};
