import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';

const money = z.object({ amount: z.int(), currency: z.string() });

/** More lines than this are at Stripe alone; `moreLines` says so. */
export const maxLines = 100;

export const stripeInvoiceStatus = z.enum(['draft', 'open', 'paid', 'uncollectible', 'void', 'unknown']);

/** Our record of an invoice at Stripe, under Stripe's id. */
export const stripeInvoiceSchema = z.object({
  customer: z.string(),
  subscription: z.string().nullable(),
  number: z.string().nullable(),
  status: stripeInvoiceStatus,
  total: money,
  due: money,
  paid: money,
  credited: money.optional().meta({ description: 'By credit notes.' }),
  lines: z
    .array(
      z.object({
        id: z.string(),
        price: z.string().nullable(),
        quantity: z.number().nullable(),
        amount: money,
        periodStart: z.iso.datetime(),
        periodEnd: z.iso.datetime(),
      }),
    )
    .max(maxLines),
  moreLines: z.boolean(),
  paidAt: z.iso.datetime().nullable(),
  livemode: z.boolean(),
  deleted: z.boolean().meta({ description: 'It was a draft, and Stripe has it no more.' }),
  updatedAt: z.iso.datetime().meta({ description: 'When it was last found to have changed.' }),
  fetchedAt: z.iso.datetime(),
  /** Keys of what is in the books. */
  booked: z.array(z.string()).optional(),
});
export type StripeInvoice = z.infer<typeof stripeInvoiceSchema>;

export const stripeInvoiceCollection = tenantCollection<StripeInvoice>({
  name: 'stripeInvoices',
  schema: stripeInvoiceSchema,
  unindexed: ['lines', 'booked'],
  indexes: [
    {
      fields: [
        { field: 'customer', order: 'asc' },
        { field: 'updatedAt', order: 'desc' },
      ],
    },
  ],
});

export const stripeInvoiceView = stripeInvoiceSchema.omit({ fetchedAt: true, booked: true }).extend({ id: z.string() });
export type StripeInvoiceView = z.infer<typeof stripeInvoiceView>;
