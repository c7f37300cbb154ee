import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { lineOf, timeSchema } from './billing.fields.ts';

export const featureKeySchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/)
  .meta({ description: 'Lower-case letters, digits and hyphens.', examples: ['api-calls'] });

/** What whoever has the product may do. */
export const grantSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({ feature: featureKeySchema, kind: z.literal('switch') }),
    z.strictObject({
      feature: featureKeySchema,
      kind: z.literal('limit'),
      limit: z.int().min(0).max(1_000_000_000_000).nullable().meta({ description: 'Null for no limit.' }),
    }),
    z.strictObject({
      feature: featureKeySchema,
      kind: z.literal('usage'),
      meter: featureKeySchema,
      limit: z.int().min(0).max(1_000_000_000_000).nullable().meta({ description: 'For each billing period.' }),
    }),
  ])
  .meta({
    id: 'FeatureGrant',
    description: '`switch`: on. `limit`: so many at a time. `usage`: so much of a meter in each period.',
    examples: [{ feature: 'api-calls', kind: 'usage', meter: 'api-calls', limit: 10_000 }],
  });
export type Grant = z.infer<typeof grantSchema>;

const shape = {
  name: lineOf(120).meta({ description: 'As it stands on invoices.', examples: ['Pro'] }),
  description: lineOf(500).optional().meta({ description: 'For whoever chooses.' }),
  taxCategory: z
    .enum(['standard', 'reduced', 'exempt'])
    .default('standard')
    .meta({ description: 'Of the rates of tax that a country has, which one holds.' }),
  features: z.array(grantSchema).max(100).default([]).meta({ description: 'What whoever has it may do.' }),
};

export const newProductSchema = z
  .strictObject(shape)
  .meta({ id: 'NewProduct', examples: [{ name: 'Pro', features: [{ feature: 'sso', kind: 'switch' }] }] });
export type NewProduct = z.infer<typeof newProductSchema>;

export const productSchema = z.object({ ...shape, active: z.boolean(), createdAt: timeSchema });
export type Product = z.infer<typeof productSchema>;

export const productViewSchema = productSchema.extend({ id: z.string() }).meta({ id: 'Product' });
export type ProductView = z.infer<typeof productViewSchema>;

export const productCollection = tenantCollection<Product>({
  name: 'billingProducts',
  schema: productSchema,
  unindexed: ['description', 'features'],
});

export const productChangeSchema = z
  .strictObject({
    name: shape.name.optional(),
    description: shape.description,
    features: z.array(grantSchema).max(100).optional().meta({ description: 'Holds at once for all who have it.' }),
    active: z.boolean().optional().meta({ description: 'False archives it: it is sold no more.' }),
  })
  .meta({ id: 'ProductChange', examples: [{ active: false }] });
export type ProductChange = z.infer<typeof productChangeSchema>;
