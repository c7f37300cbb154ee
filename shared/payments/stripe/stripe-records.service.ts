import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { Page, PageRequest } from '../../kernel/page.ts';
import type { Filter, Stored } from '../../store/store.ts';
import type { StripeInvoice, StripeInvoiceView } from './stripe-invoice.schema.ts';
import type { StripeKinds } from './stripe-kinds.ts';
import type { StripePayout, StripePayoutView } from './stripe-payout.schema.ts';

export interface InvoiceQuery extends PageRequest {
  readonly customer?: string | undefined;
}

/** What is kept of Stripe's objects that only Stripe makes. Lists have the last changed first. */
export interface StripeRecords {
  /** Fails with `not-found`. */
  getInvoice(actor: Actor, id: string): Promise<StripeInvoiceView>;
  listInvoices(actor: Actor, query: InvoiceQuery): Promise<Page<StripeInvoiceView>>;
  /** Fails with `not-found`. */
  getPayout(actor: Actor, id: string): Promise<StripePayoutView>;
  listPayouts(actor: Actor, query: PageRequest): Promise<Page<StripePayoutView>>;
}

const invoiceView = ({ id, value: { fetchedAt: _, booked: __, ...invoice } }: Stored<StripeInvoice>) => ({
  id,
  ...invoice,
});
const payoutView = ({ id, value }: Stored<StripePayout>): StripePayoutView => {
  const { fetchedAt: _, booked: __, deleted: ___, ...payout } = value;
  return { id, ...payout };
};

const missing = (what: string): OmniError => new OmniError('not-found', `There is no such ${what}.`);
const orderBy = { field: 'updatedAt', order: 'desc' } as const;

export const createStripeRecords = ({ invoice, payout }: Pick<StripeKinds, 'invoice' | 'payout'>): StripeRecords => ({
  getInvoice: async ({ tenant }, id) => {
    const stored = await invoice.records.of(tenant).get(id);
    if (stored === undefined) throw missing('invoice');
    return invoiceView(stored);
  },
  listInvoices: async ({ tenant }, { customer, limit, cursor }) => {
    const where: Filter[] = customer === undefined ? [] : [{ field: 'customer', op: '==', value: customer }];
    const page = await invoice.records.of(tenant).query({ where, orderBy, limit, cursor });
    return { ...page, items: page.items.map(invoiceView) };
  },
  getPayout: async ({ tenant }, id) => {
    const stored = await payout.records.of(tenant).get(id);
    if (stored === undefined) throw missing('payout');
    return payoutView(stored);
  },
  listPayouts: async ({ tenant }, { limit, cursor }) => {
    const page = await payout.records.of(tenant).query({ orderBy, limit, cursor });
    return { ...page, items: page.items.map(payoutView) };
  },
});
