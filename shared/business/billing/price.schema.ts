import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { currencySchema, lineOf, referenceOf, timeSchema, unitAmountSchema } from './billing.fields.ts';
import { intervalSchema } from './calendar.ts';

const tierSchema = z.strictObject({
  upTo: z
    .int()
    .min(1)
    .max(1_000_000_000_000)
    .nullable()
    .meta({ description: 'The last unit of the tier; null for the last tier.' }),
  unitAmount: unitAmountSchema,
  flatAmount: unitAmountSchema.default(0).meta({ description: 'Once, where the tier is reached.' }),
});
export type Tier = z.infer<typeof tierSchema>;

const isAscending = (tiers: readonly Tier[]): boolean =>
  tiers.every(({ upTo }, i) => {
    if (i === tiers.length - 1) return upTo === null;
    return upTo !== null && upTo > (tiers[i - 1]?.upTo ?? 0);
  });

const tiers = z
  .array(tierSchema)
  .min(1)
  .max(20)
  .refine(isAscending, 'Tiers must ascend, and the last one has upTo null');
const minimum = unitAmountSchema.optional().meta({ description: 'The least that a period costs.' });

/** How a quantity becomes an amount, in one currency. */
export const schemeSchema = z
  .discriminatedUnion('model', [
    z.strictObject({ model: z.literal('flat'), amount: unitAmountSchema }),
    z.strictObject({ model: z.literal('per-unit'), unitAmount: unitAmountSchema, minimum }),
    z.strictObject({ model: z.literal('graduated'), tiers, minimum }),
    z.strictObject({ model: z.literal('volume'), tiers, minimum }),
    z.strictObject({
      model: z.literal('package'),
      amount: unitAmountSchema,
      size: z.int().min(1).max(1_000_000_000).meta({ description: 'Units in a package. One begun is one paid.' }),
      minimum,
    }),
  ])
  .meta({
    id: 'PriceScheme',
    description:
      '`flat`: once, whatever the quantity. `per-unit`: seats. `graduated`: each unit at the price of its own tier. ' +
      '`volume`: all units at the price of the tier that the last one is in. `package`: whole packages.',
    examples: [{ model: 'per-unit', unitAmount: 2_900 }],
  });
export type Scheme = z.infer<typeof schemeSchema>;

const shape = {
  product: referenceOf('prod'),
  name: lineOf(120)
    .optional()
    .meta({ description: 'To tell prices of one product apart.', examples: ['Monthly'] }),
  interval: intervalSchema.nullable().meta({ description: 'Null for what is charged once.' }),
  meter: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/)
    .optional()
    .meta({ description: 'Charges what this meter counted, in arrears. Absent: a quantity, in advance.' }),
  amounts: z.partialRecord(currencySchema, schemeSchema).meta({
    description: 'By currency, one scheme each.',
    examples: [{ EUR: { model: 'per-unit', unitAmount: 2_900 } }],
  }),
  trialDays: z.int().min(0).max(730).default(0).meta({ description: 'Days before the first charge.' }),
  taxBehaviour: z
    .enum(['exclusive', 'inclusive'])
    .default('exclusive')
    .meta({ description: 'Whether tax comes on top of the amounts or is in them.' }),
};

const checked = (price: Pick<Price, 'amounts' | 'interval' | 'meter' | 'trialDays'>): string | undefined => {
  const models = new Set(Object.values(price.amounts).map((scheme) => scheme?.model));
  if (models.size === 0) return 'Give an amount in at least one currency';
  if (models.size > 1) return 'All currencies must have the same model';
  if (price.interval === null && price.meter !== undefined) return 'What a meter counts has an interval';
  if (price.interval === null && price.trialDays > 0) return 'What is charged once has no trial';
  return price.meter !== undefined && models.has('flat') ? 'What a meter counts has no flat price' : undefined;
};

export const newPriceSchema = z
  .strictObject(shape)
  .superRefine((price, context) => {
    const message = checked(price);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['amounts'], message });
  })
  .meta({
    id: 'NewPrice',
    examples: [
      {
        product: 'prod_4mT0zN8QkB2vWcY6hR1sXd',
        interval: { unit: 'month', count: 1 },
        amounts: { EUR: { model: 'per-unit', unitAmount: 2_900 } },
        trialDays: 14,
      },
    ],
  });
export type NewPrice = z.infer<typeof newPriceSchema>;

export const priceSchema = z.object({
  ...shape,
  active: z.boolean().meta({ description: 'What is archived is kept for whoever has it, and sold no more.' }),
  used: z.boolean().meta({ description: 'It was sold once, so its amounts stand for ever.' }),
  createdAt: timeSchema,
});
export type Price = z.infer<typeof priceSchema>;

export const priceViewSchema = priceSchema.extend({ id: z.string() }).meta({ id: 'Price' });
export type PriceView = z.infer<typeof priceViewSchema>;

export const priceCollection = tenantCollection<Price>({
  name: 'billingPrices',
  schema: priceSchema,
  indexes: [
    {
      fields: [
        { field: 'product', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
  ],
  unindexed: ['amounts', 'interval'],
});

export const priceChangeSchema = z
  .strictObject({
    name: shape.name,
    active: z.boolean().optional().meta({ description: 'False archives it.' }),
    amounts: shape.amounts.optional().meta({ description: 'Only while it was never sold.' }),
  })
  .meta({ id: 'PriceChange' });
export type PriceChange = z.infer<typeof priceChangeSchema>;
