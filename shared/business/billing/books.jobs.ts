import { defineJob } from '../../events/define-job.ts';
import type { TenantStore } from '../../store/store.ts';
import {
  creditMoved,
  invoiceClosed,
  invoiceFinalised,
  invoicePaidBack,
  invoicePaymentReceived,
  invoicePaymentRefunded,
} from './billing.events.ts';
import { creditEntryOf, entryOf, type Occasion, paidBackEntryOf, paymentEntryOf, refundEntryOf } from './books.ts';
import type { BookEntry, Books } from './charges.ts';
import type { Invoice } from './invoice.schema.ts';

export interface BooksServices {
  readonly invoices: TenantStore<Invoice>;
  /** Without them nothing is booked. */
  readonly books: Books | undefined;
}

const post = async ({ books }: BooksServices, entry: BookEntry | undefined): Promise<void> => {
  if (books !== undefined && entry !== undefined) await books.post(entry);
};

const postOccasion = async (
  { tenant, data }: { tenant: string; data: { invoiceId: string } },
  services: BooksServices,
  occasion: Occasion,
): Promise<void> => {
  const stored = await services.invoices.of(tenant).get(data.invoiceId);
  if (stored !== undefined) await post(services, entryOf(tenant, stored.id, stored.value, occasion));
};

/** Books what becomes of invoices, under keys that let each be booked once, in whatever order and however often it is told. */
export const bookFinalised = defineJob({
  name: 'billing.book-finalised',
  on: [invoiceFinalised],
  handle: (event, _context, services: BooksServices) => postOccasion(event, services, 'final'),
});

export const bookPayment = defineJob({
  name: 'billing.book-payment',
  on: [invoicePaymentReceived],
  handle: ({ tenant, data }, _context, services: BooksServices) => post(services, paymentEntryOf(tenant, data)),
});

export const bookRefund = defineJob({
  name: 'billing.book-refund',
  on: [invoicePaymentRefunded],
  handle: ({ tenant, data }, _context, services: BooksServices) => post(services, refundEntryOf(tenant, data)),
});

export const bookPaidBack = defineJob({
  name: 'billing.book-paid-back',
  on: [invoicePaidBack],
  handle: ({ tenant, data }, _context, services: BooksServices) => post(services, paidBackEntryOf(tenant, data)),
});

export const bookClosed = defineJob({
  name: 'billing.book-closed',
  on: [invoiceClosed],
  handle: (event, _context, services: BooksServices) => postOccasion(event, services, event.data.status),
});

export const bookCredit = defineJob({
  name: 'billing.book-credit',
  on: [creditMoved],
  handle: ({ tenant, data }, _context, services: BooksServices) => post(services, creditEntryOf(tenant, data)),
});
