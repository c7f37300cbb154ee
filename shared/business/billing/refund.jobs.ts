import { defineJob } from '../../events/define-job.ts';
import { OmniError } from '../../kernel/errors.ts';
import { paymentRefunded, refundFailed } from '../../payments/index.ts';
import type { TenantStore } from '../../store/store.ts';
import type { Charges } from './charges.ts';
import { invoiceOfCharge } from './collection.ts';
import type { Invoice } from './invoice.schema.ts';
import type { InvoiceService } from './invoice.service.ts';

export interface RefundServices {
  readonly invoices: TenantStore<Invoice>;
  readonly billingInvoices: Pick<InvoiceService, 'noteRefund'>;
  readonly charges: Charges | undefined;
}

/** Something of a charge was paid back, or a refund failed: the payment tells how much it is in all. */
export const noteRefund = defineJob({
  name: 'billing.note-refund',
  on: [paymentRefunded, refundFailed],
  maxAttempts: 10,
  handle: async ({ tenant, data: { reference } }, { commit }, services: RefundServices) => {
    const { invoices, billingInvoices, charges } = services;
    const id = invoiceOfCharge(reference);
    if (id === undefined || reference === null || charges === undefined) return;
    const stored = await invoices.of(tenant).get(id);
    if (stored === undefined) return;
    if (stored.value.charge?.reference === reference) {
      throw new OmniError('unavailable', 'It is not known yet here that this was paid.');
    }
    const result = await charges.find(tenant, reference);
    if (result?.status !== 'succeeded') return;
    await billingInvoices.noteRefund(tenant, stored, { reference, refunded: result.refunded }, commit);
  },
});
