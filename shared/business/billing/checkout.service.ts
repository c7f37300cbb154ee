import * as z from 'zod';
import type { Actor } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import type { AuditLog } from '../../security/index.ts';
import { notFound } from './billing.fields.ts';
import { chargeActionSchema, chargeSourcesSchema } from './charges.ts';
import { type CollectionServices, collect } from './collection.jobs.ts';
import { invoiceViewSchema } from './invoice.schema.ts';

export const checkoutInputSchema = z
  .strictObject({
    sources: chargeSourcesSchema.optional().meta({
      description:
        'By what it is paid; the customer’s own where absent. Where there are none, the gateway asks for one.',
    }),
    returnUrl: z
      .url({ protocol: /^https?$/ })
      .max(2_000)
      .optional()
      .meta({ description: 'Where the customer’s browser comes back to.' }),
  })
  .meta({ id: 'InvoiceCheckout', examples: [{ returnUrl: 'https://app.example.com/invoices' }] });
export type CheckoutInput = z.infer<typeof checkoutInputSchema>;

export const checkoutViewSchema = z
  .object({
    invoice: invoiceViewSchema,
    action: chargeActionSchema.nullable().meta({ description: 'What the customer has to do; null for nothing.' }),
  })
  .meta({ id: 'InvoiceCheckoutResult' });
export type CheckoutView = z.infer<typeof checkoutViewSchema>;

export interface CheckoutService {
  /**
   * Charges an invoice while its customer is there, so that their bank can ask them. Again, it tells where that charge
   * stands. A decline does not count as an attempt of dunning, which waits meanwhile. Fails with `not-found`,
   * `precondition-failed` where nothing is due, `invalid-request`, and `revision-conflict`.
   */
  charge(actor: Actor, invoice: string, input: CheckoutInput): Promise<CheckoutView>;
}

export interface CheckoutOptions {
  readonly collection: CollectionServices;
  readonly audit: AuditLog;
}

export const createCheckoutService = ({ collection, audit }: CheckoutOptions): CheckoutService => ({
  charge: async (actor, id, input) => {
    const { tenant } = actor;
    const { database, invoices, charges } = collection;
    const stored = await invoices.of(tenant).get(id);
    if (stored === undefined) throw notFound('invoice');
    const { status, due } = stored.value;
    if (charges === undefined) throw new OmniError('precondition-failed', 'Nothing can be charged here.');
    if ((status !== 'open' && status !== 'uncollectible') || due === 0) {
      throw new OmniError('precondition-failed', `Nothing is due of an invoice that is ${status}.`);
    }
    const target = { type: 'invoice', id };
    const [done] = await collect(tenant, [stored], collection, (work) => database.transaction(work), {
      session: input,
      more: (transaction) =>
        audit.record(transaction, actor, { action: 'billing.invoice.charged', target, outcome: 'success' }),
    });
    if (done === undefined) throw notFound('invoice');
    const action = done.result?.status === 'needs-action' ? done.result.action : null;
    return { invoice: { id, ...done.invoice }, action };
  },
});
