import type { MakeEvent } from '../../events/define-event.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { invoiceOverpaid, invoicePaidBack, invoicePaymentReceived, invoiceRefundAsked } from './billing.events.ts';
import { newRefunds } from './invoice.refunds.ts';
import type { Invoice } from './invoice.schema.ts';

/** What is to be told of the payments that an invoice has after a change and had not before. */
export const paymentEvents = (
  makeEvent: MakeEvent,
  tenant: string,
  id: string,
  before: Invoice,
  { payments, number, currency, customer }: Invoice,
): readonly DomainEvent[] =>
  payments.slice(before.payments.length).flatMap(({ amount, reference, recovered, over }, i) => {
    const common = { invoiceId: id, number, currency, ordinal: before.payments.length + i, reference };
    const received = { ...common, amount, recovered, over };
    const overpaid = { ...common, customer, amount: over };
    return [
      makeEvent(invoicePaymentReceived, { tenant, subject: id, data: received }),
      ...(over > 0 ? [makeEvent(invoiceOverpaid, { tenant, subject: id, data: overpaid })] : []),
    ];
  });

/** What is to be told of the refunds that an invoice has after a change and had not before. */
export const refundEvents = (
  makeEvent: MakeEvent,
  tenant: string,
  id: string,
  before: Invoice,
  after: Invoice,
): readonly DomainEvent[] =>
  newRefunds(before, after).map(({ id: refund, to, amount, reference }) => {
    const { number, currency } = after;
    const data = { invoiceId: id, number, currency, refund, amount };
    return to === 'payment-method'
      ? makeEvent(invoiceRefundAsked, { tenant, subject: id, data: { ...data, reference } })
      : makeEvent(invoicePaidBack, { tenant, subject: id, data: { ...data, to } });
  });
