import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';
import { currencySchema, lineOf, maxSeats, referenceOf, timeSchema } from './billing.fields.ts';
import { pricePartSchema } from './price.amount.ts';
import { addressSchema, countrySchema, sellerSchema, vatIdSchema } from './settings.schema.ts';
import { taxDecisionSchema, taxGroupSchema, vatEvidenceSchema } from './tax.schema.ts';

export const spanSchema = z
  .object({ from: timeSchema, to: timeSchema })
  .meta({ id: 'BillingSpan', description: 'From one moment to another; the end is not in it.' });

export const lineKindSchema = z.enum([
  'recurring',
  'one-time',
  'usage',
  'usage-correction',
  'proration-credit',
  'proration-charge',
  'manual',
]);

/** A line before discounts and tax. */
export const draftLineSchema = z.object({
  kind: lineKindSchema,
  description: z.string().max(500).meta({ description: 'Says how the amount came about.' }),
  price: z.string().nullable(),
  product: z.string().nullable(),
  /** Of the subscription. */
  item: z.string().nullable(),
  quantity: z.int(),
  amount: z.int().meta({ description: 'As priced, minor units.' }),
  discountable: z.boolean().meta({ description: 'False where discounts do not hold, or are in the amount already.' }),
  taxBehaviour: z.enum(['exclusive', 'inclusive']),
  taxCategory: z.enum(['standard', 'reduced', 'exempt']),
  period: spanSchema.nullable(),
  parts: z.array(pricePartSchema).max(25).meta({ description: 'What the amount consists of, where it is tiered.' }),
});
export type DraftLine = z.infer<typeof draftLineSchema>;

export const invoiceLineSchema = draftLineSchema
  .extend({
    discount: z.int().meta({ description: 'What discounts take off.' }),
    net: z.int().meta({ description: 'After discounts, without tax.' }),
    tax: taxDecisionSchema,
  })
  .meta({ id: 'InvoiceLine' });
export type InvoiceLine = z.infer<typeof invoiceLineSchema>;

const buyerSchema = z.object({
  name: z.string(),
  email: z.string().nullable(),
  address: addressSchema.nullable(),
  country: countrySchema,
  vatId: vatIdSchema.nullable(),
});
export type Buyer = z.infer<typeof buyerSchema>;

export const invoiceStatusSchema = z
  .enum(['draft', 'open', 'paid', 'void', 'uncollectible'])
  .meta({ description: 'Only a `draft` can be changed. What is `paid` or `void` stays so.' });
export type InvoiceStatus = z.infer<typeof invoiceStatusSchema>;

export const collectionSchema = z
  .enum(['automatic', 'manual'])
  .meta({ description: '`automatic`: charged when it is final. `manual`: sent, and paid by whatever means.' });

const minor = z.int().meta({ description: 'Minor units.' });

/** A charge that is not decided. It is noted before a gateway is asked, so that nothing else settles the invoice meanwhile. */
const chargeSchema = z
  .object({
    reference: z.string().meta({ description: 'Of the payment: the invoice and the number of the attempt.' }),
    amount: z.int().meta({ description: 'Minor units.' }),
    payment: z.string().nullable(),
    status: z.enum(['asked', 'pending', 'needs-action']),
    onSession: z.boolean().meta({ description: 'Begun by the customer, not by dunning.' }),
    startedAt: timeSchema,
    /** When dunning goes on, should a charge of the customer's own fail. */
    resumeAt: timeSchema.nullable(),
  })
  .meta({
    id: 'InvoiceCharge',
    description: '`needs-action`: the customer has something to do, as their bank wants it.',
  });
export type InvoiceCharge = z.infer<typeof chargeSchema>;

/** What can be noted by hand of one invoice. What gateways took is noted however much it is. */
export const maxPayments = 100;

const paymentSchema = z
  .object({
    reference: z.string().nullable().meta({ description: 'Of the charge; null for what was noted by hand.' }),
    payment: z.string().nullable(),
    amount: z.int().meta({ description: 'Minor units.' }),
    refunded: z.int().meta({ description: 'What was paid back of it by its gateway.' }),
    /** How often that changed, which names the entries in the books. */
    changes: z.int(),
    /** Of an invoice that was given up before. */
    recovered: z.boolean(),
    over: z.int().default(0).meta({ description: 'What of it was not due any more, and became credit.' }),
    at: timeSchema,
  })
  .meta({ id: 'InvoicePayment', description: 'What was paid of an invoice at one time.' });
export type InvoicePayment = z.infer<typeof paymentSchema>;

/** What one invoice can be paid back in. */
export const maxInvoiceRefunds = 100;

export const refundWays = ['payment-method', 'wallet', 'elsewhere'] as const;

const refundSchema = z
  .object({
    id: z.string(),
    to: z.enum(refundWays).meta({
      description: '`payment-method`: by the gateway of the charge. `wallet`: as credit. `elsewhere`: noted by hand.',
    }),
    reference: z.string().nullable().meta({ description: 'Of the charge that it is paid back of; else null.' }),
    amount: z.int().meta({ description: 'Minor units.' }),
    status: z
      .enum(['asked', 'pending', 'succeeded', 'failed'])
      .meta({ description: '`asked`: the gateway was or is being asked. `failed`: it is still to be paid back.' }),
    note: z.string().nullable().meta({ description: 'The credit note that it is for.' }),
    at: timeSchema,
  })
  .meta({ id: 'InvoiceRefund', description: 'What is paid back of an invoice by what we do.' });
export type InvoiceRefund = z.infer<typeof refundSchema>;

const shape = {
  kind: z.enum(['invoice', 'credit-note']),
  status: invoiceStatusSchema,
  number: z.string().nullable().meta({ description: 'Without a gap in its series. Null for a draft.' }),
  customer: z.string(),
  subscription: z.string().nullable(),
  currency: currencySchema,
  seller: sellerSchema.nullable(),
  lines: z.array(invoiceLineSchema).max(250),
  discounts: z.array(z.object({ coupon: z.string(), name: z.string(), code: z.string().nullable() })).max(10),
  subtotal: minor,
  discount: minor,
  net: minor,
  tax: minor,
  total: minor,
  taxes: z.array(taxGroupSchema).max(50),
  evidence: vatEvidenceSchema.nullable(),
  creditApplied: z.int().meta({ description: 'Spent of the customer’s wallet; negative for what was put into it.' }),
  paid: z.int().meta({ description: 'Of what was due. What was paid back since is not taken off.' }),
  payments: z
    .array(paymentSchema)
    .max(2 * maxPayments)
    .default([]),
  charge: chargeSchema.nullable().default(null),
  writtenOff: z
    .int()
    .default(0)
    .meta({ description: 'What was due when it was given up; of a credit note, its part of that.' }),
  toRefund: z.int().default(0).meta({
    description:
      'Paid, not owed any more, and not paid back yet. Negative where more was paid back than was not owed any more.',
  }),
  refunds: z.array(refundSchema).max(maxInvoiceRefunds).default([]),
  credited: z.int().meta({ description: 'By credit notes.' }),
  due: z.int().meta({ description: 'What is left to be paid.' }),
  collection: collectionSchema,
  corrects: z.string().nullable().meta({ description: 'Of a credit note: the invoice.' }),
  reason: lineOf(300).nullable(),
  createdAt: timeSchema,
  issuedAt: timeSchema.nullable(),
  dueAt: timeSchema.nullable(),
  closedAt: timeSchema.nullable().meta({ description: 'When it was paid, voided or given up.' }),
  attempts: z.int().min(0).meta({ description: 'Charges tried, or reminders sent.' }),
  charges: z.int().min(0).default(0).meta({ description: 'Charges begun, those by the customer too.' }),
  lastDecline: z.string().max(100).nullable(),
  nextActionAt: timeSchema.nullable(),
};

export const invoiceSchema = z.object({ ...shape, buyer: encrypted(buyerSchema) });
export type Invoice = z.infer<typeof invoiceSchema>;

export const invoiceViewSchema = z.object({ id: z.string(), ...shape, buyer: buyerSchema }).meta({ id: 'Invoice' });
export type InvoiceView = z.infer<typeof invoiceViewSchema>;

const newestFirst = { field: 'createdAt', order: 'desc' } as const;
const by = (field: string) => ({ fields: [{ field, order: 'asc' } as const, newestFirst] });

export const invoiceCollection = tenantCollection<Invoice>({
  name: 'billingInvoices',
  schema: invoiceSchema,
  indexes: [by('customer'), by('status'), by('subscription')],
  unindexed: ['lines', 'taxes', 'seller', 'discounts', 'evidence', 'reason', 'payments', 'refunds', 'charge'],
});

export const newInvoiceSchema = z
  .strictObject({
    customer: referenceOf('cus'),
    currency: currencySchema.optional(),
    lines: z
      .array(
        z.strictObject({
          description: lineOf(300).meta({ description: 'What it is for.', examples: ['Set-up'] }),
          quantity: z.int().min(1).max(maxSeats).default(1).meta({ description: 'How many.' }),
          unitAmount: z.int().min(-1_000_000_000).max(1_000_000_000).meta({ description: 'Minor units, for one.' }),
          taxCategory: z.enum(['standard', 'reduced', 'exempt']).default('standard').meta({ description: 'Its tax.' }),
          taxBehaviour: z
            .enum(['exclusive', 'inclusive'])
            .default('exclusive')
            .meta({ description: 'On top or in it.' }),
        }),
      )
      .min(1)
      .max(100),
    collection: collectionSchema.default('manual'),
  })
  .meta({
    id: 'NewInvoice',
    examples: [{ customer: 'cus_4mT0zN8QkB2vWcY6hR1sXd', lines: [{ description: 'Set-up', unitAmount: 50_000 }] }],
  });
export type NewInvoice = z.infer<typeof newInvoiceSchema>;

/** The last number that was given out in a series. */
const sequenceSchema = z.object({ last: z.int().min(0) });
export type Sequence = z.infer<typeof sequenceSchema>;
export const sequenceCollection = tenantCollection<Sequence>({ name: 'billingSequences', schema: sequenceSchema });
