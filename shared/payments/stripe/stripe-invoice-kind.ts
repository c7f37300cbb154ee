import type Stripe from 'stripe';
import type { MakeEvent } from '../../events/define-event.ts';
import { isoTime } from '../../kernel/clock.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import type { TenantStore } from '../../store/store.ts';
import type { StripeCallOptions } from '../gateways/stripe.client.ts';
import { roundedFromStripe } from '../gateways/stripe.money.ts';
import { allOfIt } from '../gateways/stripe.payment.ts';
import { stripeInvoicePaid } from './stripe.events.ts';
import { maxLines, type StripeInvoice, stripeInvoiceStatus } from './stripe-invoice.schema.ts';
import { invoiceFacts } from './stripe-invoice-facts.ts';
import { effectId, idOf, iso, type StripeEffectTarget, type StripeKind, type Times } from './stripe-kind.ts';

const lineOf = (line: Stripe.InvoiceLineItem) => ({
  id: line.id,
  price: idOf(line.pricing?.price_details?.price),
  quantity: line.quantity,
  amount: { ...roundedFromStripe(line.amount, line.currency) },
  periodStart: isoTime(line.period.start * 1_000),
  periodEnd: isoTime(line.period.end * 1_000),
});

/** Since basil the subscription is in `parent`: https://docs.stripe.com/api/invoices/object#invoice_object-parent. */
export const invoiceRecord = (object: Stripe.Invoice, times: Times): StripeInvoice => {
  const amount = (units: number) => ({ ...roundedFromStripe(units, object.currency) });
  const status = stripeInvoiceStatus.safeParse(object.status);
  return {
    customer: idOf(object.customer) ?? '',
    subscription: idOf(object.parent?.subscription_details?.subscription),
    number: object.number,
    status: status.success ? status.data : 'unknown',
    total: amount(object.total),
    due: amount(object.amount_due),
    paid: amount(object.amount_paid),
    credited: amount(object.pre_payment_credit_notes_amount + object.post_payment_credit_notes_amount),
    lines: object.lines.data.slice(0, maxLines).map(lineOf),
    moreLines: object.lines.has_more || object.lines.data.length > maxLines,
    paidAt: iso(object.status_transitions.paid_at),
    livemode: object.livemode,
    deleted: false,
    ...times,
  };
};

const paidEffect = (makeEvent: MakeEvent, target: StripeEffectTarget, invoice: StripeInvoice): DomainEvent =>
  makeEvent(stripeInvoicePaid, {
    id: effectId('invoice-paid', target),
    tenant: target.tenant,
    subject: target.id,
    data: {
      invoice: target.id,
      customer: invoice.customer,
      subscription: invoice.subscription,
      paid: invoice.paid,
      livemode: invoice.livemode,
      lines: invoice.lines.map(({ id, amount }) => ({ key: `${target.id}:${id}`, amount })),
    },
  });

const pageSize = 100;

/** The first payments come with the invoice; nearly always that is all. */
const paymentsOf = async (stripe: Stripe, { id, payments }: Stripe.Invoice, options: StripeCallOptions) => {
  if (payments?.has_more !== true) return payments?.data ?? [];
  return stripe.invoicePayments.list({ invoice: id, limit: pageSize }, options).autoPagingToArray(allOfIt);
};

/** A draft has none. That of a note which is void again the invoice says nothing, so they are always asked for. */
const notesOf = async (stripe: Stripe, { id, status_transitions: at }: Stripe.Invoice, options: StripeCallOptions) =>
  at.finalized_at === null
    ? []
    : stripe.creditNotes.list({ invoice: id, limit: pageSize }, options).autoPagingToArray(allOfIt);

/** One call for a draft, two for an invoice; what belongs to it is booked with it. */
export const invoiceKind = (records: TenantStore<StripeInvoice>, makeEvent: MakeEvent): StripeKind<StripeInvoice> => ({
  name: 'invoice',
  records,
  fetch: async (stripe, id, options, times) => {
    const invoice = await stripe.invoices.retrieve(id, { expand: ['payments'] }, options);
    const [payments, notes] = await Promise.all([
      paymentsOf(stripe, invoice, options),
      notesOf(stripe, invoice, options),
    ]);
    return { record: invoiceRecord(invoice, times), facts: invoiceFacts(invoice, { payments, notes }) };
  },
  list: async (stripe, request, options, times) => {
    const params = { ...request, expand: ['data.payments'] };
    const { data, has_more: hasMore } = await stripe.invoices.list(params, options);
    const items = data.map((one) => ({
      id: one.id,
      record: invoiceRecord(one, times),
      facts: invoiceFacts(one, { payments: one.payments?.data ?? [], notes: [] }),
    }));
    return { items, last: data.at(-1)?.id, hasMore };
  },
  tombstone: (record) => ({ ...record, deleted: true }),
  customerOf: (record) => record.customer,
  statusOf: ({ status }) => status,
  effects: (target, after, before) =>
    after.status === 'paid' && before?.status !== 'paid' ? [paidEffect(makeEvent, target, after)] : [],
});
