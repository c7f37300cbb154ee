import * as z from 'zod';
import { churnFeatureSchema } from './churn-features.ts';

export const riskLevelSchema = z.enum(['low', 'medium', 'high', 'critical']).meta({ id: 'ChurnRiskLevel' });

export const churnFactorSchema = z
  .strictObject({
    feature: churnFeatureSchema,
    value: z.union([z.string(), z.number()]).meta({ description: 'The value that was given.' }),
    contribution: z.number().meta({
      description: 'What the value adds to the log-odds of leaving, against the average customer of the training data.',
      examples: [0.8201],
    }),
    effect: z.enum(['raises', 'lowers']),
  })
  .meta({ id: 'ChurnFactor' });

export const churnNoticeSchema = z
  .strictObject({
    feature: churnFeatureSchema,
    issue: z.enum(['missing', 'unknown-category', 'out-of-range']),
    handling: z.string().meta({ description: 'What the score did about it.' }),
  })
  .meta({ id: 'ChurnNotice' });

export const churnRecommendationSchema = z
  .strictObject({
    code: z.string().meta({ description: 'Stable name of the action.', examples: ['offer-longer-contract'] }),
    text: z.string(),
    because: z.array(churnFeatureSchema).meta({ description: 'The factors that call for it. Each raises the risk.' }),
  })
  .meta({ id: 'ChurnRecommendation' });

/** What the model says about one customer. `baseLogOdds` + the factors + `remainder` is `logOdds` exactly. */
export const churnScoreSchema = z
  .strictObject({
    modelVersion: z.string(),
    probability: z.number().min(0).max(1).meta({ description: 'Calibrated probability that the customer leaves.' }),
    riskLevel: riskLevelSchema,
    logOdds: z.number().meta({ description: 'ln(p / (1 − p)): the scale on which contributions add up.' }),
    baseLogOdds: z.number().meta({ description: 'Log-odds of the average customer of the training data.' }),
    factors: z
      .array(churnFactorSchema)
      .meta({ description: 'The features that moved this score, largest first, at most eight.' }),
    remainder: z
      .strictObject({ features: z.int(), contribution: z.number() })
      .meta({ description: 'How many smaller factors are not listed, and what they add together.' }),
    notices: z.array(churnNoticeSchema),
    recommendations: z.array(churnRecommendationSchema),
  })
  .meta({ id: 'ChurnScore' });

export type RiskLevel = z.infer<typeof riskLevelSchema>;
export type ChurnFactor = z.infer<typeof churnFactorSchema>;
export type ChurnNotice = z.infer<typeof churnNoticeSchema>;
export type ChurnRecommendation = z.infer<typeof churnRecommendationSchema>;
export type ChurnScore = z.infer<typeof churnScoreSchema>;
