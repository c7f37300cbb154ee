import * as z from 'zod';
import { defineEvent } from '../../events/define-event.ts';
import { invoiceSchema } from './invoice.schema.ts';
import { subscriptionStatusSchema } from './subscription.state.ts';

const ofInvoice = invoiceSchema
  .pick({ customer: true, subscription: true, number: true, currency: true, total: true, due: true, collection: true })
  .extend({ invoiceId: z.string(), kind: z.enum(['invoice', 'credit-note']) });

/** An invoice or a credit note has its number, and is what it is from now on. */
export const invoiceFinalised = defineEvent('billing.invoice.finalised', ofInvoice);
/** Nothing of it is due any more. */
export const invoicePaid = defineEvent('billing.invoice.paid', ofInvoice);
/** It was declared void, or given up as uncollectible. */
export const invoiceClosed = defineEvent(
  'billing.invoice.closed',
  ofInvoice.extend({ status: z.enum(['void', 'uncollectible']) }),
);

/** Something was paid of it, by hand or by a gateway. `ordinal` is its place in the invoice's payments. */
export const invoicePaymentReceived = defineEvent(
  'billing.invoice.payment-received',
  z.object({
    invoiceId: z.string(),
    number: z.string().nullable(),
    currency: z.string(),
    ordinal: z.int(),
    amount: z.int(),
    /** Of the charge, where a gateway took it. */
    reference: z.string().nullable(),
    recovered: z.boolean(),
    /** What of it was not due any more. */
    over: z.int().default(0),
  }),
);
export type InvoicePaymentReceived = z.infer<typeof invoicePaymentReceived.schema>;

/** A gateway paid something back of a payment; a negative amount is a refund that failed. */
export const invoicePaymentRefunded = defineEvent(
  'billing.invoice.payment-refunded',
  z.object({
    invoiceId: z.string(),
    number: z.string().nullable(),
    currency: z.string(),
    ordinal: z.int(),
    change: z.int(),
    amount: z.int(),
  }),
);
export type InvoicePaymentRefunded = z.infer<typeof invoicePaymentRefunded.schema>;

const ofRefund = z.object({
  invoiceId: z.string(),
  number: z.string().nullable(),
  currency: z.string(),
  refund: z.string(),
  amount: z.int(),
});

/** A gateway is to pay something back of a charge. */
export const invoiceRefundAsked = defineEvent(
  'billing.invoice.refund-asked',
  ofRefund.extend({ reference: z.string().nullable() }),
);

/** What was to be paid back became credit, or was paid back by hand. */
export const invoicePaidBack = defineEvent(
  'billing.invoice.paid-back',
  ofRefund.extend({ to: z.enum(['wallet', 'elsewhere']) }),
);
export type InvoicePaidBack = z.infer<typeof invoicePaidBack.schema>;

/** A gateway took more than was due: somebody had paid otherwise meanwhile. */
export const invoiceOverpaid = defineEvent(
  'billing.invoice.overpaid',
  z.object({
    invoiceId: z.string(),
    number: z.string().nullable(),
    customer: z.string(),
    currency: z.string(),
    ordinal: z.int(),
    amount: z.int(),
    reference: z.string().nullable(),
  }),
);

/** A wallet was changed by something else than an invoice. */
export const creditMoved = defineEvent(
  'billing.credit.moved',
  z.object({
    customer: z.string(),
    /** Of the credit, or of the hold. */
    credit: z.string(),
    what: z.enum(['granted', 'spent', 'expired']),
    amount: z.int(),
    currency: z.string(),
  }),
);
export type CreditMoved = z.infer<typeof creditMoved.schema>;

/** What recurs monthly of a subscription has changed, or its status. `at` is the tenant's own time. */
export const subscriptionChanged = defineEvent(
  'billing.subscription.changed',
  z.object({
    subscriptionId: z.string(),
    customerId: z.string(),
    status: subscriptionStatusSchema,
    before: subscriptionStatusSchema.nullable(),
    currency: z.string(),
    /** Monthly recurring revenue, minor units. */
    mrrBefore: z.int(),
    mrrAfter: z.int(),
    at: z.iso.datetime(),
  }),
);
export type SubscriptionChanged = z.infer<typeof subscriptionChanged.schema>;

/** What is due in a tenant by now shall be billed. `page` counts the runs that one tick has led to. */
export const billingDue = defineEvent(
  'billing.run.due',
  z.object({
    run: z.string(),
    page: z.int().min(0),
    /** The page before found nobody who knows sales taxes. */
    isTaxDown: z.boolean().optional(),
  }),
);
export const billingFanOut = defineEvent(
  'billing.run.fan-out',
  z.object({ run: z.string(), cursor: z.string().optional() }),
);

/** A tenant's own time shall go on to `to`, step by step. */
export const clockAdvanced = defineEvent(
  'billing.clock.advanced',
  z.object({ to: z.iso.datetime(), step: z.int().min(0) }),
);
