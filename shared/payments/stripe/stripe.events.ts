import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';

export const stripeKindName = z.enum(['customer', 'subscription', 'invoice', 'payment', 'payout']);
export type StripeKindName = z.infer<typeof stripeKindName>;

/** An object of Stripe's that is to be looked at again. */
export const stripeRefreshData = z.object({ kind: stripeKindName, id: z.string(), account: z.string() });
export const stripeRefreshRequested = defineEvent('payments.stripe-refresh.requested', stripeRefreshData, {
  ordered: true,
});

/** A customer has a record now: what waited for it can go on. */
export const stripeCustomerKnown = defineEvent('payments.stripe-customer.known', z.object({ account: z.string() }));

/** A record is not what it was. Read it: several changes may have one event. */
export const stripeRecordChanged = defineEvent(
  'payments.stripe-record.changed',
  z.object({ kind: stripeKindName, id: z.string(), status: z.string().nullable(), deleted: z.boolean() }),
);

/**
 * An invoice was paid: once for each, in whatever way it was found out. The lines have natural keys (`invoice:line`) for
 * what is to be made of each once, such as ledger entries.
 */
export const stripeInvoicePaid = defineEvent(
  'payments.stripe-invoice.paid',
  z.object({
    invoice: z.string(),
    customer: z.string(),
    subscription: z.string().nullable(),
    paid: z.object({ amount: z.int(), currency: z.string() }),
    livemode: z.boolean(),
    lines: z.array(z.object({ key: z.string(), amount: z.object({ amount: z.int(), currency: z.string() }) })),
  }),
);

/** A subscription has ended for good: once for each. */
export const stripeSubscriptionEnded = defineEvent(
  'payments.stripe-subscription.ended',
  z.object({ subscription: z.string(), customer: z.string(), livemode: z.boolean() }),
);

/** One account's share of the hourly reconciliation. */
export const stripeReconciliationDue = defineEvent(
  'payments.stripe-reconciliation.due',
  z.object({ account: z.string() }),
);
