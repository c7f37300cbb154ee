import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import artefact from './churn.model.json' with { type: 'json' };
import { type ChurnFeatures, categoricalFeatureSchema, churnFeaturesSchema } from './churn-features.ts';
import { churnArtefactSchema, interpolate, loadChurnModel, probabilityOf } from './churn-model.ts';
import { type ChurnScore, churnScoreSchema } from './churn-score.schema.ts';

const model = loadChurnModel(artefact);

const newcomer: ChurnFeatures = {
  tenure: 1,
  monthlyCharges: 95,
  contract: 'Month-to-month',
  internetService: 'Fiber optic',
  onlineSecurity: 'No',
  onlineBackup: 'No',
  deviceProtection: 'No',
  techSupport: 'No',
  streamingTV: 'Yes',
  streamingMovies: 'Yes',
  phoneService: 'Yes',
  multipleLines: 'Yes',
  paperlessBilling: 'Yes',
  paymentMethod: 'Electronic check',
};

const settled: ChurnFeatures = {
  tenure: 68,
  monthlyCharges: 20,
  contract: 'Two year',
  internetService: 'No',
  onlineSecurity: 'No internet service',
  onlineBackup: 'No internet service',
  deviceProtection: 'No internet service',
  techSupport: 'No internet service',
  streamingTV: 'No internet service',
  streamingMovies: 'No internet service',
  phoneService: 'Yes',
  multipleLines: 'No',
  paperlessBilling: 'No',
  paymentMethod: 'Credit card (automatic)',
};

const categories = Object.fromEntries(
  categoricalFeatureSchema.options.map((name) => [
    name,
    fc.option(
      fc.oneof(fc.constantFrom(...Object.keys(artefact.categorical[name])), fc.string({ minLength: 1, maxLength: 64 })),
    ),
  ]),
);

/** Any customer that the API accepts: known, unknown and missing values. */
const anyCustomer = fc
  .record(
    {
      tenure: fc.option(fc.double({ min: 0, max: 1_200, noNaN: true })),
      monthlyCharges: fc.option(fc.double({ min: 0, max: 1_000_000, noNaN: true })),
      ...categories,
    },
    { requiredKeys: [] },
  )
  .map((features) => churnFeaturesSchema.parse(features));

const contributionOf = (score: ChurnScore, feature: string) =>
  score.factors.find((factor) => factor.feature === feature)?.contribution;

describe('the churn model', () => {
  it('sees a critical risk in a newcomer on a monthly contract, and says what raises it', () => {
    const score = model.predict(newcomer);
    expect(score.riskLevel).toBe('critical');
    expect(score.probability).toBeGreaterThan(0.8);
    expect(score.factors.slice(0, 3)).toMatchObject([
      { feature: 'tenure', value: 1, effect: 'raises' },
      { feature: 'internetService', value: 'Fiber optic', effect: 'raises' },
      { feature: 'contract', value: 'Month-to-month', effect: 'raises' },
    ]);
    expect(score.notices).toEqual([]);
    expect(score.modelVersion).toBe(artefact.version);
  });

  it('recommends what answers the factors, the heaviest first', () => {
    expect(model.predict(newcomer).recommendations.slice(0, 3)).toMatchObject([
      { code: 'start-onboarding', because: ['tenure'] },
      { code: 'check-fiber-quality', because: ['internetService'] },
      { code: 'offer-longer-contract', because: ['contract'] },
    ]);
  });

  it('sees a low risk in a settled customer and recommends nothing', () => {
    const score = model.predict(settled);
    expect(score.riskLevel).toBe('low');
    expect(score.probability).toBeLessThan(0.02);
    expect(score.factors.every(({ effect }) => effect === 'lowers')).toBe(true);
    expect(score.recommendations).toEqual([]);
  });

  it('lists at most eight factors and says what the rest add', () => {
    const { factors, remainder } = model.predict(newcomer);
    expect(factors).toHaveLength(8);
    expect(remainder.features).toBe(6);
    expect(remainder.contribution).not.toBe(0);
  });

  it('scores a customer of whom nothing is known as the average one, and says so feature by feature', () => {
    const score = model.predict({});
    expect(score).toMatchObject({ logOdds: artefact.intercept, factors: [], recommendations: [] });
    expect(score.notices).toHaveLength(14);
    expect(new Set(score.notices.map(({ issue }) => issue))).toEqual(new Set(['missing']));
  });

  it('leaves an unknown category out and says so', () => {
    const score = model.predict({ ...newcomer, contract: 'Weekly' });
    const without = model.predict({ ...newcomer, contract: null });
    expect(score.probability).toBe(without.probability);
    expect(score.notices).toMatchObject([{ feature: 'contract', issue: 'unknown-category' }]);
    expect(score.notices[0]?.handling).toContain('Month-to-month, One year, Two year');
    expect(without.notices).toMatchObject([{ feature: 'contract', issue: 'missing' }]);
  });

  it.each(['__proto__', 'constructor', 'toString'])('takes %s for an unknown category', (contract) => {
    expect(model.predict({ ...newcomer, contract }).notices).toMatchObject([{ issue: 'unknown-category' }]);
  });

  it('scores a number outside the training range at its end and says so', () => {
    const score = model.predict({ ...newcomer, tenure: 200 });
    expect(score.probability).toBe(model.predict({ ...newcomer, tenure: 72 }).probability);
    expect(score.notices).toMatchObject([
      { feature: 'tenure', issue: 'out-of-range', handling: expect.stringContaining('Scored as 72') },
    ]);
  });

  it('lets the base value, the factors and the remainder add up to the log-odds of the probability', () => {
    fc.assert(
      fc.property(anyCustomer, (features) => {
        const { baseLogOdds, factors, remainder, logOdds, probability } = model.predict(features);
        const sum = factors.reduce((total, { contribution }) => total + contribution, baseLogOdds);
        expect(sum + remainder.contribution).toBe(logOdds);
        expect(probability).toBe(probabilityOf(logOdds));
      }),
    );
  });

  it('accounts for every feature once: as a factor, in the remainder, in a notice, or as one that adds nothing', () => {
    fc.assert(
      fc.property(anyCustomer, (features) => {
        const score = churnScoreSchema.parse(model.predict(features));
        const left = score.notices.filter(({ issue }) => issue !== 'out-of-range').map(({ feature }) => feature);
        const used = score.factors.map(({ feature }) => feature);
        expect(new Set([...left, ...used]).size).toBe(left.length + used.length);
        expect(left.length + used.length + score.remainder.features).toBeLessThanOrEqual(14);
      }),
    );
  });

  it('recommends only because of factors that raise the risk', () => {
    fc.assert(
      fc.property(anyCustomer, (features) => {
        const score = model.predict(features);
        for (const feature of score.recommendations.flatMap(({ because }) => because))
          expect(contributionOf(score, feature)).toBeGreaterThan(0);
      }),
    );
  });

  it('sees less risk with every month of tenure, and no less with a higher price', () => {
    const months = fc.double({ min: 0, max: 72, noNaN: true });
    const dollars = fc.double({ min: 18, max: 119, noNaN: true });
    fc.assert(
      fc.property(anyCustomer, months, months, dollars, dollars, (features, m1, m2, d1, d2) => {
        const at = (changed: ChurnFeatures) => model.predict({ ...features, ...changed }).logOdds;
        const rounding = 1e-9;
        expect(at({ tenure: Math.max(m1, m2) })).toBeLessThanOrEqual(at({ tenure: Math.min(m1, m2) }) + rounding);
        expect(at({ monthlyCharges: Math.min(d1, d2) })).toBeLessThanOrEqual(
          at({ monthlyCharges: Math.max(d1, d2) }) + rounding,
        );
      }),
    );
  });

  it('sees less risk in a longer contract', () => {
    const [monthly = 0, yearly = 0, biennial = 0] = ['Month-to-month', 'One year', 'Two year'].map(
      (contract) => model.predict({ ...newcomer, contract }).probability,
    );
    expect(monthly).toBeGreaterThan(yearly);
    expect(yearly).toBeGreaterThan(biennial);
  });
});

describe('the artefact', () => {
  it('is whole', () => {
    expect(churnArtefactSchema.parse(artefact)).toEqual(artefact);
  });

  it('is refused without a feature, with a falling curve or with a number that is none', () => {
    const { contract: _, ...categorical } = artefact.categorical;
    expect(() => loadChurnModel({ ...artefact, categorical })).toThrow('contract');
    const falling = [
      [5, 0.1],
      [1, 0.2],
    ];
    expect(() => loadChurnModel({ ...artefact, numeric: { ...artefact.numeric, tenure: falling } })).toThrow('rise');
    expect(() => loadChurnModel({ ...artefact, intercept: Number.NaN })).toThrow('intercept');
  });
});

describe('the features of a customer', () => {
  it('take all that the data set has of use, null and nothing', () => {
    expect(churnFeaturesSchema.parse(newcomer)).toEqual(newcomer);
    expect(churnFeaturesSchema.parse({ tenure: null })).toEqual({ tenure: null });
    expect(churnFeaturesSchema.parse({})).toEqual({});
  });

  it.each([
    ['NaN', { tenure: Number.NaN }],
    ['infinity', { monthlyCharges: Number.POSITIVE_INFINITY }],
    ['a negative tenure', { tenure: -1 }],
    ['an absurd price', { monthlyCharges: 1e9 }],
    ['a number as text', { tenure: '12' }],
    ['a number as category', { contract: 1 }],
    ['an empty category', { contract: '' }],
    ['an oversized category', { contract: 'x'.repeat(65) }],
    ['a feature that the model must not see', { gender: 'Female' }],
  ])('refuse %s', (_, features) => {
    expect(churnFeaturesSchema.safeParse(features).success).toBe(false);
  });

  it('name in the schema just the categories that the model knows', () => {
    for (const name of categoricalFeatureSchema.options) {
      const described = churnFeaturesSchema.shape[name].meta()?.description ?? '';
      const named = [...described.matchAll(/`([^`]+)`/g)]
        .map(([, level]) => level)
        .filter((word) => word !== 'notices');
      expect(named.toSorted()).toEqual(Object.keys(artefact.categorical[name]).toSorted());
    }
  });
});

describe('interpolate', () => {
  it('is the point at a knot, the straight line between two, and the end beyond', () => {
    const curve = [
      [0, 2],
      [10, 1],
      [20, 5],
    ] as const;
    expect([-5, 0, 5, 10, 15, 20, 99].map((x) => interpolate(curve, x))).toEqual([2, 2, 1.5, 1, 3, 5, 5]);
  });
});
