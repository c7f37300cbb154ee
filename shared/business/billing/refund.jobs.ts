import { defineJob, type JobContext } from '../../events/define-job.ts';
import { OmniError } from '../../kernel/errors.ts';
import { money } from '../../kernel/money.ts';
import { paymentRefunded, refundFailed } from '../../payments/index.ts';
import type { TenantStore } from '../../store/store.ts';
import { invoiceOverpaid, invoiceRefundAsked } from './billing.events.ts';
import type { Charges } from './charges.ts';
import { invoiceOfCharge } from './collection.ts';
import type { InvoiceCredits } from './invoice.credits.ts';
import { openRefunds, type RefundStatuses } from './invoice.refunds.ts';
import type { Invoice } from './invoice.schema.ts';

export interface RefundServices {
  readonly invoices: TenantStore<Invoice>;
  readonly billingInvoices: Pick<InvoiceCredits, 'noteRefund' | 'creditOverpayment'>;
  readonly charges: Charges | undefined;
}

/** Asks for what is to be paid back of a charge, or how that stands: under its own id, which is one refund. */
const statusesOf = async (
  tenant: string,
  invoice: Invoice,
  reference: string,
  charges: Charges,
): Promise<RefundStatuses> => {
  const statuses = new Map<string, 'pending' | 'succeeded' | 'failed'>();
  for (const { id, amount } of openRefunds(invoice, reference)) {
    const request = { tenant, reference, refund: id, amount: money(amount, invoice.currency) };
    statuses.set(id, (await charges.refund(request)).status);
  }
  return statuses;
};

/**
 * Asks for what is still to be asked for of a charge, and takes in how much the payment says that was paid back in all:
 * the same whichever event comes first.
 */
const settle = async (
  tenant: string,
  reference: string | null,
  { commit }: JobContext,
  { invoices, billingInvoices, charges }: RefundServices,
): Promise<void> => {
  const id = invoiceOfCharge(reference);
  if (id === undefined || reference === null || charges === undefined) return;
  const stored = await invoices.of(tenant).get(id);
  if (stored === undefined) return;
  if (stored.value.charge?.reference === reference) {
    throw new OmniError('unavailable', 'It is not known yet here that this was paid.');
  }
  const statuses = await statusesOf(tenant, stored.value, reference, charges);
  // After they were asked for, so that it has them.
  const result = await charges.find(tenant, reference);
  const refunded = result?.status === 'succeeded' ? result.refunded : undefined;
  await billingInvoices.noteRefund(tenant, stored, { reference, refunded, statuses }, commit);
};

/** A gateway is to pay something back. */
export const askRefund = defineJob({
  name: 'billing.ask-refund',
  on: [invoiceRefundAsked],
  timeout: 120,
  maxAttempts: 10,
  handle: ({ tenant, data: { reference } }, context, services: RefundServices) =>
    settle(tenant, reference, context, services),
});

/** A gateway has paid something back, or could not. */
export const noteRefund = defineJob({
  name: 'billing.note-refund',
  on: [paymentRefunded, refundFailed],
  timeout: 120,
  maxAttempts: 10,
  handle: ({ tenant, data: { reference } }, context, services: RefundServices) =>
    settle(tenant, reference, context, services),
});

/** What a customer paid twice is theirs. */
export const creditOverpayment = defineJob({
  name: 'billing.credit-overpayment',
  on: [invoiceOverpaid],
  maxAttempts: 10,
  handle: ({ tenant, data: { invoiceId, ordinal } }, { commit }, { billingInvoices }: RefundServices) =>
    billingInvoices.creditOverpayment(tenant, invoiceId, ordinal, commit),
});
