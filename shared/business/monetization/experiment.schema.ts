import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { lineOf, referenceOf } from '../billing/billing.fields.ts';

const variantSchema = z.strictObject({
  key: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/)
    .meta({ description: 'Its name.', examples: ['control'] }),
  price: referenceOf('price'),
  weight: z.int().min(1).max(1_000).default(1).meta({ description: 'Its share among all weights.' }),
});

const shape = {
  name: lineOf(120).meta({ description: 'For people.', examples: ['Higher price'] }),
  variants: z
    .array(variantSchema)
    .min(2)
    .max(5)
    .refine((all) => new Set(all.map(({ key }) => key)).size === all.length, 'Keys must differ')
    .meta({ description: 'The first is what the others are compared with.' }),
  baseRate: z
    .number()
    .min(0.001)
    .max(0.9)
    .meta({ description: 'Conversion that is expected of the first.', examples: [0.1] }),
  effect: z
    .number()
    .min(0.001)
    .max(0.5)
    .meta({ description: 'The least difference of conversion that is worth finding.', examples: [0.02] }),
};

export const newExperimentSchema = z
  .strictObject(shape)
  .refine(({ baseRate, effect }) => baseRate + effect < 1, { path: ['effect'], message: 'Together below 1' })
  .meta({
    id: 'NewExperiment',
    examples: [
      {
        name: 'Higher price',
        variants: [
          { key: 'control', price: 'price_1' },
          { key: 'higher', price: 'price_2' },
        ],
        baseRate: 0.1,
        effect: 0.02,
      },
    ],
  });
export type NewExperiment = z.infer<typeof newExperimentSchema>;

export const experimentSchema = z.object({
  ...shape,
  status: z.enum(['running', 'stopped']),
  /** What each variant needs. */
  sampleSize: z.int(),
  createdAt: z.iso.datetime(),
});
export type Experiment = z.infer<typeof experimentSchema>;
export const experimentCollection = tenantCollection<Experiment>({
  name: 'priceExperiments',
  schema: experimentSchema,
  unindexed: ['variants'],
});

/** `{experiment}~{customer}`: what they were given, and what came of it. */
const assignmentSchema = z.object({
  experiment: z.string(),
  variant: z.string(),
  converted: z.boolean(),
  revenue: z.int(),
  at: z.iso.datetime(),
});
export type Assignment = z.infer<typeof assignmentSchema>;
export const assignmentCollection = tenantCollection<Assignment>({
  name: 'priceAssignments',
  schema: assignmentSchema,
});

/** A share of one variant's counts: `{shard}~{experiment}~{variant}`. */
const tallySchema = z.object({
  assigned: z.int().default(0),
  converted: z.int().default(0),
  revenue: z.number().default(0),
  squares: z.number().default(0),
});
export type Tally = z.infer<typeof tallySchema>;
export const tallyCollection = tenantCollection<Tally>({ name: 'priceTallies', schema: tallySchema });

const interval = z.object({ low: z.number(), high: z.number() });

export const experimentViewSchema = z
  .object({
    id: z.string(),
    ...shape,
    status: experimentSchema.shape.status,
    sampleSize: z.int().meta({ description: 'Customers that each variant needs before anything is concluded.' }),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Experiment' });
export type ExperimentView = z.infer<typeof experimentViewSchema>;

const differenceSchema = z
  .object({
    conversion: interval,
    revenue: z
      .object({ low: z.number().nullable(), high: z.number().nullable() })
      .meta({ description: 'A customer’s, minor units. Null while there are too few to say.' }),
  })
  .meta({ description: 'Interval of the difference from the first variant.' });

export const experimentResultSchema = z
  .object({
    experiment: experimentViewSchema,
    verdict: z
      .enum(['too-few', 'no-difference', 'difference'])
      .meta({ description: '`too-few`: a variant has less than its sample. Intervals must not be judged until then.' }),
    confidence: z.number().meta({ description: 'Of all intervals of differences together.' }),
    variants: z.array(
      z.object({
        key: z.string(),
        assigned: z.int(),
        converted: z.int(),
        rate: z.number(),
        rateInterval: interval,
        revenue: z.number().meta({ description: 'A customer’s, minor units, of all who were assigned.' }),
        difference: differenceSchema.nullable(),
      }),
    ),
  })
  .meta({ id: 'ExperimentResult' });
export type ExperimentResult = z.infer<typeof experimentResultSchema>;
