import type { MakeEvent } from '../../events/define-event.ts';
import type { DomainEvent } from '../../kernel/event.ts';
import { invoicePaymentReceived } from './billing.events.ts';
import type { Invoice } from './invoice.schema.ts';

/** What is to be told of the payments that an invoice has after a change and had not before. */
export const paymentEvents = (
  makeEvent: MakeEvent,
  tenant: string,
  id: string,
  before: Invoice,
  { payments, number, currency }: Invoice,
): readonly DomainEvent[] =>
  payments.slice(before.payments.length).map(({ amount, reference, recovered }, i) =>
    makeEvent(invoicePaymentReceived, {
      tenant,
      subject: id,
      data: {
        invoiceId: id,
        number,
        currency,
        ordinal: before.payments.length + i,
        amount,
        reference,
        recovered,
      },
    }),
  );
