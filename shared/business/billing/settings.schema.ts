import * as z from 'zod';
import { emailAddress } from '../../messaging/index.ts';
import { tenantCollection } from '../../store/collection.ts';
import { currencySchema, lineOf, timeSchema } from './billing.fields.ts';
import { timeZoneSchema } from './calendar.ts';

export const countrySchema = z
  .string()
  .regex(/^[A-Z]{2}$/)
  .meta({ description: 'ISO 3166-1, two letters.', examples: ['DE'] });

export const addressSchema = z
  .strictObject({
    line1: lineOf(120).meta({ description: 'Street and number.', examples: ['Unter den Linden 1'] }),
    line2: lineOf(120).optional().meta({ description: 'What the street does not say.' }),
    postalCode: lineOf(20).meta({ description: 'Postal code.', examples: ['10117'] }),
    city: lineOf(80).meta({ description: 'City.', examples: ['Berlin'] }),
    region: lineOf(80).optional().meta({ description: 'State or province.' }),
  })
  .meta({ id: 'BillingAddress', description: 'A postal address without its country.' });
export type Address = z.infer<typeof addressSchema>;

export const vatIdSchema = z
  .string()
  .regex(/^[A-Z]{2}[A-Z0-9+*]{2,13}$/)
  .meta({ description: 'With the country’s prefix, without spaces.', examples: ['DE123456789'] });

export const sellerSchema = z
  .strictObject({
    name: lineOf(120).meta({ description: 'As it stands on invoices.', examples: ['Acme GmbH'] }),
    address: addressSchema,
    country: countrySchema,
    vatId: vatIdSchema.optional().meta({ description: 'Without one no VAT is charged.' }),
    registration: lineOf(60).optional().meta({ description: 'In a register of companies.' }),
    email: emailAddress.optional().meta({ description: 'For questions about invoices.' }),
    iban: z
      .string()
      .regex(/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/)
      .optional()
      .meta({ description: 'Where transfers go.', examples: ['DE89370400440532013000'] }),
  })
  .meta({ id: 'BillingSeller', description: 'Who invoices are from.' });
export type Seller = z.infer<typeof sellerSchema>;

const seriesSchema = z
  .string()
  .regex(/^[A-Z][A-Z0-9-]{0,15}$/)
  .meta({ description: 'What numbers begin with.', examples: ['INV'] });

const days = (most: number) => z.int().min(1).max(most);

export const dunningSchema = z
  .strictObject({
    retryAfterDays: z
      .array(days(60))
      .max(10)
      .default([1, 3, 5, 7])
      .meta({ description: 'Days from one attempt to the next. Without collection: from one reminder to the next.' }),
    remind: z.boolean().default(true).meta({ description: 'Tells the customer each time, by an event for messages.' }),
    finally: z
      .enum(['cancel', 'pause', 'nothing'])
      .default('cancel')
      .meta({ description: 'What becomes of the subscription after the last attempt.' }),
    invoice: z
      .enum(['uncollectible', 'open'])
      .default('uncollectible')
      .meta({ description: 'What becomes of the invoice then.' }),
  })
  .meta({ description: 'What is done about invoices that are not paid.' });
export type Dunning = z.infer<typeof dunningSchema>;

export const billingSettingsSchema = z
  .strictObject({
    seller: sellerSchema.nullable().default(null).meta({ description: 'Nothing is finalised without one.' }),
    timeZone: timeZoneSchema
      .default('Etc/UTC')
      .meta({ description: 'The calendar of new subscriptions, and of invoices.', examples: ['Europe/Berlin'] }),
    currency: currencySchema.default('EUR'),
    invoiceSeries: seriesSchema.default('INV'),
    creditNoteSeries: seriesSchema.default('CN'),
    paymentTermDays: z.int().min(0).max(180).default(14).meta({ description: 'From the invoice to when it is due.' }),
    taxRounding: z
      .enum(['per-rate', 'per-line'])
      .default('per-rate')
      .meta({ description: 'Whether tax is rounded once for each rate, or on each line.' }),
    usesOss: z.boolean().default(false).meta({ description: 'Registered for the one-stop shop of the EU.' }),
    uncheckedVatId: z
      .enum(['charge', 'reverse-charge', 'refuse'])
      .default('charge')
      .meta({ description: 'What to do with a VAT number while the register does not answer.' }),
    usageGraceHours: z
      .int()
      .min(0)
      .max(72)
      .default(1)
      .meta({ description: 'How long after its end a period’s usage is waited for.' }),
    dunning: dunningSchema.default(dunningSchema.parse({})),
  })
  .meta({ id: 'BillingSettings', examples: [{ timeZone: 'Europe/Berlin', currency: 'EUR' }] });
export type BillingSettings = z.infer<typeof billingSettingsSchema>;

const storedSchema = z.object({
  ...billingSettingsSchema.shape,
  /** The time that it is for a tenant who tries things out. Null for everybody else. */
  testClock: timeSchema.nullable().default(null),
  /** Where that time is going just now. */
  movingTo: timeSchema.nullable().default(null),
  updatedAt: timeSchema.nullable(),
});
export type StoredBillingSettings = z.infer<typeof storedSchema>;

export const billingSettingsViewSchema = z
  .object({
    ...billingSettingsSchema.shape,
    testClock: timeSchema.nullable().meta({ description: 'What time it is here, where that was set. Else null.' }),
    movingTo: timeSchema.nullable().meta({ description: 'Where that time is going, until it is there.' }),
    updatedAt: timeSchema.nullable(),
  })
  .meta({ id: 'BillingSettingsView' });
export type BillingSettingsView = z.infer<typeof billingSettingsViewSchema>;

export const billingSettingsCollection = tenantCollection<StoredBillingSettings>({
  name: 'billingSettings',
  schema: storedSchema,
});
