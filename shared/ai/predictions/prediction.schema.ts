import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { churnFeaturesSchema } from '../churn/churn-features.ts';
import { churnScoreSchema } from '../churn/churn-score.schema.ts';

const customerIdSchema = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'Must have no control characters')
  .meta({ description: 'Your own reference for the customer, kept as it is.', examples: ['cus-4711'] });

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/** What a prediction is asked for. A customer of whom nothing is said would get the average of all: that is refused. */
export const churnInputSchema = z
  .strictObject({
    customerId: customerIdSchema.optional(),
    customer: churnFeaturesSchema.refine(
      (features) => Object.values(features).some(isGiven),
      'Give at least one feature of the customer',
    ),
  })
  .meta({
    id: 'ChurnInput',
    description: 'A customer to score, with at least one feature that is neither left out nor null.',
    examples: [
      {
        customerId: 'cus-4711',
        customer: {
          tenure: 2,
          monthlyCharges: 84.5,
          contract: 'Month-to-month',
          internetService: 'Fiber optic',
          techSupport: 'No',
          paymentMethod: 'Electronic check',
        },
      },
    ],
  });
export type ChurnInput = z.infer<typeof churnInputSchema>;

/**
 * A stored prediction: what was asked, what the model said, and when. It never changes. Not strict, so that a field that
 * a later release adds does not hide it from this one.
 */
export const predictionSchema = z.object({
  ...churnScoreSchema.shape,
  kind: z.literal('churn'),
  customerId: customerIdSchema.optional(),
  customer: churnFeaturesSchema,
  createdAt: z.iso.datetime(),
});
export type Prediction = z.infer<typeof predictionSchema>;

export const predictionViewSchema = predictionSchema
  .extend({ id: z.string().meta({ examples: ['pred_4mT0zN8QkB2vWcY6hR1sXd'] }) })
  .meta({ id: 'ChurnPrediction', description: 'A stored prediction, with what moved it and what to do about it.' });
export type PredictionView = z.infer<typeof predictionViewSchema>;

export const predictionCollection = tenantCollection<Prediction>({
  name: 'predictions',
  schema: predictionSchema,
  // Together they answer both filters at once as well.
  indexes: [
    {
      fields: [
        { field: 'riskLevel', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
    {
      fields: [
        { field: 'customerId', order: 'asc' },
        { field: 'createdAt', order: 'desc' },
      ],
    },
  ],
  unindexed: ['customer', 'logOdds', 'baseLogOdds', 'factors', 'remainder', 'notices', 'recommendations'],
});
