import * as z from 'zod';
import {
  type ChurnFeature,
  type ChurnFeatures,
  categoricalFeatureSchema,
  numericFeatureSchema,
} from './churn-features.ts';
import { recommend } from './churn-recommendations.ts';
import type { ChurnFactor, ChurnNotice, ChurnScore, RiskLevel } from './churn-score.schema.ts';

/** A piecewise-linear curve through (x, y) with rising x. */
export type Curve = readonly (readonly [x: number, y: number])[];

const share = z.number().min(0).max(1);
const curveSchema = z
  .array(z.tuple([z.number(), z.number()]))
  .min(2)
  .refine((points) => points.every(([x], i) => i === 0 || x > (points[i - 1]?.[0] ?? x)), 'x must rise');

/**
 * A generalised additive model on the log-odds (Hastie and Tibshirani, Generalized Additive Models, 1990): each
 * feature has a table of contributions, centred so that the average customer of the training data has the intercept.
 */
const scoringSchema = z.object({
  version: z.string().min(1),
  riskThresholds: z.strictObject({ medium: share, high: share, critical: share }),
  intercept: z.number(),
  numeric: z.record(numericFeatureSchema, curveSchema),
  categorical: z.record(categoricalFeatureSchema, z.record(z.string(), z.number())),
});

const { version: versionSchema, ...scoringShape } = scoringSchema.shape;

/** The whole artefact: how it came to be and how good it is, then what scoring needs. */
export const churnArtefactSchema = z.strictObject({
  version: versionSchema,
  method: z.string(),
  data: z.strictObject({ name: z.string(), sha256: z.string(), rows: z.int(), churnRate: share }),
  split: z.strictObject({ seed: z.int(), training: z.int(), heldOut: z.int() }),
  penalties: z.strictObject({ ridge: z.number(), smoothness: z.number() }),
  crossValidation: z.strictObject({ folds: z.int(), auc: share, logLoss: z.number(), ece: share }),
  heldOut: z.strictObject({
    auc: share,
    auc95: z.tuple([share, share]),
    ece: share,
    brier: z.number(),
    logLoss: z.number(),
    atHighRisk: z.strictObject({
      truePositives: z.int(),
      falsePositives: z.int(),
      trueNegatives: z.int(),
      falseNegatives: z.int(),
    }),
  }),
  ...scoringShape,
});

export type ChurnArtefact = z.infer<typeof churnArtefactSchema>;

export interface ChurnModel {
  readonly version: string;
  /** Scores one customer. Takes features that `churnFeaturesSchema` has parsed. */
  predict(features: ChurnFeatures): ChurnScore;
}

type Reading =
  | { readonly value: string | number; readonly contribution: number; readonly notice?: ChurnNotice }
  | { readonly notice: ChurnNotice };

const maxFactors = 8;

/** The curve's height at x; left and right of its ends, the height of the end. */
export const interpolate = (curve: Curve, x: number): number => {
  let left = curve[0] ?? [0, 0];
  for (const right of curve) {
    if (x <= right[0]) {
      const width = right[0] - left[0];
      return width === 0 ? right[1] : left[1] + ((right[1] - left[1]) * (x - left[0])) / width;
    }
    left = right;
  }
  return left[1];
};

export const probabilityOf = (logOdds: number): number => 1 / (1 + Math.exp(-logOdds));

const missing = (feature: ChurnFeature): Reading => ({
  notice: { feature, issue: 'missing', handling: 'Left out: the customer counts as average in this feature.' },
});

const readNumber = (feature: ChurnFeature, curve: Curve) => {
  const low = curve[0]?.[0] ?? 0;
  const high = curve.at(-1)?.[0] ?? 0;
  return (value: number | null | undefined): Reading => {
    if (value === null || value === undefined) return missing(feature);
    const reading = { value, contribution: interpolate(curve, value) };
    if (value >= low && value <= high) return reading;
    const handling = `Scored as ${value < low ? low : high}: the model was trained on values from ${low} to ${high}.`;
    return { ...reading, notice: { feature, issue: 'out-of-range', handling } };
  };
};

const readCategory = (feature: ChurnFeature, levels: Readonly<Record<string, number>>) => {
  const table = new Map(Object.entries(levels));
  const handling = `Left out: the model knows only ${[...table.keys()].join(', ')}. The customer counts as average in this feature.`;
  return (value: string | null | undefined): Reading => {
    if (value === null || value === undefined) return missing(feature);
    const contribution = table.get(value);
    return contribution === undefined
      ? { notice: { feature, issue: 'unknown-category', handling } }
      : { value, contribution };
  };
};

/** Parses the artefact once. Throws a ZodError when it is not one, or lacks a feature. */
export const loadChurnModel = (artefact: unknown): ChurnModel => {
  const { version, intercept, riskThresholds, numeric, categorical } = scoringSchema.parse(artefact);
  const numbers = numericFeatureSchema.options.map((name) => ({ name, read: readNumber(name, numeric[name]) }));
  const categories = categoricalFeatureSchema.options.map((name) => ({
    name,
    read: readCategory(name, categorical[name]),
  }));

  const riskLevel = (probability: number): RiskLevel => {
    if (probability >= riskThresholds.critical) return 'critical';
    if (probability >= riskThresholds.high) return 'high';
    return probability >= riskThresholds.medium ? 'medium' : 'low';
  };

  return {
    version,
    predict(features) {
      const notices: ChurnNotice[] = [];
      const all: ChurnFactor[] = [];
      const take = (feature: ChurnFeature, reading: Reading) => {
        if (reading.notice !== undefined) notices.push(reading.notice);
        if (!('value' in reading) || reading.contribution === 0) return;
        const { value, contribution } = reading;
        all.push({ feature, value, contribution, effect: contribution > 0 ? 'raises' : 'lowers' });
      };
      for (const { name, read } of numbers) take(name, read(features[name]));
      for (const { name, read } of categories) take(name, read(features[name]));
      all.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));

      const factors = all.slice(0, maxFactors);
      const rest = all.slice(maxFactors);
      const remainder = rest.reduce((sum, { contribution }) => sum + contribution, 0);
      const logOdds = factors.reduce((sum, { contribution }) => sum + contribution, intercept) + remainder;
      const probability = probabilityOf(logOdds);
      return {
        modelVersion: version,
        probability,
        riskLevel: riskLevel(probability),
        logOdds,
        baseLogOdds: intercept,
        factors,
        remainder: { features: rest.length, contribution: remainder },
        notices,
        recommendations: recommend(factors),
      };
    },
  };
};
