import { defineJob } from '../../events/define-job.ts';
import type { TenantStore } from '../../store/store.ts';
import { invoiceClosed, invoiceFinalised, invoicePaid } from './billing.events.ts';
import { entryOf, type Occasion } from './books.ts';
import type { Books } from './charges.ts';
import type { Invoice } from './invoice.schema.ts';

export interface BooksServices {
  readonly invoices: TenantStore<Invoice>;
  /** Without them nothing is booked. */
  readonly books: Books | undefined;
}

const post = async (
  { tenant, time, data }: { tenant: string; time: string; data: { invoiceId: string } },
  { invoices, books }: BooksServices,
  occasion: Occasion,
): Promise<void> => {
  if (books === undefined) return;
  const stored = await invoices.of(tenant).get(data.invoiceId);
  const entry = stored === undefined ? undefined : entryOf(tenant, stored.id, stored.value, occasion, time);
  if (entry !== undefined) await books.post(entry);
};

/** Books what becomes of invoices, under keys that let each be booked once, in whatever order and however often it is told. */
export const bookFinalised = defineJob({
  name: 'billing.book-finalised',
  on: [invoiceFinalised],
  handle: (event, _context, services: BooksServices) => post(event, services, 'final'),
});

export const bookPaid = defineJob({
  name: 'billing.book-paid',
  on: [invoicePaid],
  handle: (event, _context, services: BooksServices) => post(event, services, 'paid'),
});

export const bookClosed = defineJob({
  name: 'billing.book-closed',
  on: [invoiceClosed],
  handle: (event, _context, services: BooksServices) => post(event, services, event.data.status),
});
