import * as z from 'zod';
import { emailAddress, localeSchema } from '../../messaging/index.ts';
import { tenantCollection } from '../../store/collection.ts';
import { encrypted } from '../../store/encrypted-field.ts';
import { lineOf, timeSchema } from './billing.fields.ts';
import { chargeSourcesSchema } from './charges.ts';
import { addressSchema, countrySchema, vatIdSchema } from './settings.schema.ts';
import { vatEvidenceSchema } from './tax.schema.ts';

const personal = {
  name: lineOf(120).meta({ description: 'As it stands on invoices.', examples: ['Ada Lovelace'] }),
  email: emailAddress.nullable().default(null).meta({ description: 'Where messages about invoices go.' }),
  address: addressSchema.nullable().default(null),
};

const plain = {
  kind: z.enum(['business', 'consumer']).default('consumer').meta({ description: 'Who they are to the tax office.' }),
  country: countrySchema,
  isTaxExempt: z.boolean().default(false).meta({ description: 'They have shown that they owe no tax.' }),
  vatId: vatIdSchema.nullable().default(null),
  reference: lineOf(120).nullable().default(null).meta({ description: 'Your own id of them.' }),
  paymentSources: chargeSourcesSchema.default([]),
  locale: localeSchema.default('en').meta({ description: 'BCP 47.', examples: ['de'] }),
};

export const newCustomerSchema = z
  .strictObject({ ...personal, ...plain })
  .meta({ id: 'NewBillingCustomer', examples: [{ name: 'Ada Lovelace', country: 'DE', kind: 'consumer' }] });
export type NewCustomer = z.infer<typeof newCustomerSchema>;

const state = {
  evidence: vatEvidenceSchema.nullable(),
  firstSubscribedAt: timeSchema.nullable(),
  erasedAt: timeSchema.nullable(),
  createdAt: timeSchema,
};

export const customerSchema = z.object({
  name: encrypted(personal.name),
  email: encrypted(personal.email),
  address: encrypted(personal.address),
  ...plain,
  ...state,
});
export type Customer = z.infer<typeof customerSchema>;

export const customerViewSchema = z
  .object({ id: z.string(), ...personal, ...plain, ...state })
  .meta({ id: 'BillingCustomer' });
export type CustomerView = z.infer<typeof customerViewSchema>;

export const customerCollection = tenantCollection<Customer>({
  name: 'billingCustomers',
  schema: customerSchema,
  unindexed: ['evidence', 'paymentSources'],
});

export const customerChangeSchema = z
  .strictObject({
    name: personal.name.optional(),
    email: emailAddress.nullable().optional().meta({ description: 'Where messages about invoices go.' }),
    address: addressSchema.nullable().optional(),
    kind: z.enum(['business', 'consumer']).optional().meta({ description: 'Who they are to the tax office.' }),
    country: countrySchema.optional(),
    isTaxExempt: z.boolean().optional().meta({ description: 'They have shown that they owe no tax.' }),
    vatId: vatIdSchema.nullable().optional(),
    paymentSources: chargeSourcesSchema.optional(),
    reference: lineOf(120).nullable().optional().meta({ description: 'Your own id of them.' }),
  })
  .meta({ id: 'BillingCustomerChange', examples: [{ kind: 'business', vatId: 'DE123456789' }] });
export type CustomerChange = z.infer<typeof customerChangeSchema>;
