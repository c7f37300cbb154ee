import * as z from 'zod';

const category = (description: string, ...known: readonly [string, ...string[]]) =>
  z
    .string()
    .min(1)
    .max(64)
    .nullable()
    .optional()
    .meta({
      description: `${description} The model knows ${known.map((level) => `\`${level}\``).join(', ')}; any other value is accepted, left out of the score and reported in \`notices\`.`,
      examples: [known[0]],
    });

const addOn = (what: string) => category(what, 'No', 'Yes', 'No internet service');

const numeric = {
  tenure: z
    .number()
    .min(0)
    .max(1_200)
    .nullable()
    .optional()
    .meta({ description: 'Months since the customer joined.', examples: [2] }),
  monthlyCharges: z
    .number()
    .min(0)
    .max(1_000_000)
    .nullable()
    .optional()
    .meta({ description: 'What the customer now pays in a month, in US dollars.', examples: [84.5] }),
};

const categorical = {
  contract: category('Term of the contract.', 'Month-to-month', 'One year', 'Two year'),
  internetService: category('Internet access.', 'Fiber optic', 'DSL', 'No'),
  onlineSecurity: addOn('Whether the online security add-on is subscribed.'),
  onlineBackup: addOn('Whether the online backup add-on is subscribed.'),
  deviceProtection: addOn('Whether the device protection add-on is subscribed.'),
  techSupport: addOn('Whether the technical support add-on is subscribed.'),
  streamingTV: addOn('Whether television is streamed over this access.'),
  streamingMovies: addOn('Whether films are streamed over this access.'),
  phoneService: category('Whether there is a telephone line.', 'Yes', 'No'),
  multipleLines: category('Whether there is more than one telephone line.', 'No', 'Yes', 'No phone service'),
  paperlessBilling: category('Whether bills are sent without paper.', 'Yes', 'No'),
  paymentMethod: category(
    'How bills are paid.',
    'Electronic check',
    'Mailed check',
    'Bank transfer (automatic)',
    'Credit card (automatic)',
  ),
};

export const numericFeatureSchema = z.enum(z.object(numeric).keyof().options);
export const categoricalFeatureSchema = z.enum(z.object(categorical).keyof().options);
export const churnFeatureSchema = z
  .enum([...numericFeatureSchema.options, ...categoricalFeatureSchema.options])
  .meta({ description: 'Name of a feature of the customer.', examples: ['contract'] });

/**
 * What the churn model may know of one customer. Every feature may be missing: the score then leaves it out and says
 * so. Gender, age and family are not taken, see docs/models/churn.md.
 */
export const churnFeaturesSchema = z.strictObject({ ...numeric, ...categorical }).meta({
  id: 'ChurnFeatures',
  description: 'Features of one customer. Each may be left out or null; what is missing is reported in `notices`.',
});

export type NumericFeature = z.infer<typeof numericFeatureSchema>;
export type CategoricalFeature = z.infer<typeof categoricalFeatureSchema>;
export type ChurnFeature = z.infer<typeof churnFeatureSchema>;
export type ChurnFeatures = z.infer<typeof churnFeaturesSchema>;
