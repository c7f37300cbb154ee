import { categoricalFeatureSchema, numericFeatureSchema } from '#shared/ai/churn/churn-features.ts';
import {
  type ChurnArtefact,
  churnArtefactSchema,
  loadChurnModel,
  probabilityOf,
} from '#shared/ai/churn/churn-model.ts';
import { canonicalJson, sha256 } from '#shared/kernel/json.ts';
import { encode, type Fit, fitAdditiveModel, logOddsOf, type Penalties, type Term } from './additive-model.ts';
import type { Customer, Dataset } from './dataset.ts';
import {
  aucInterval,
  brierScore,
  calibrationError,
  churnRate,
  confusion,
  logLoss,
  type Outcome,
  rocAuc,
} from './metrics.ts';
import { stratifiedFolds } from './random.ts';

const seed = 42;
const otherSeeds = [1, 2, 3, 4, 5, 6, 7, 8];
const folds = 5;
/** Changes when the method does; the rest of a version is the fingerprint of the numbers. */
const recipe = 1;

/** Denser where customers leave most, in the first months; the ends are the range that the data covers. */
const knots = {
  tenure: [0, 1, 2, 4, 6, 9, 12, 18, 24, 36, 48, 60, 72],
  monthlyCharges: [18, 30, 45, 60, 75, 90, 105, 119],
} as const;

/** Levels that say that another feature makes this one meaningless; they contribute nothing. */
const inapplicable = ['No internet service', 'No phone service'];

const riskThresholds = { medium: 0.2, high: 0.45, critical: 0.7 };

/** From the weakest to the strongest. */
const grid: readonly Penalties[] = [0.3, 1, 3].flatMap((ridge) =>
  [10, 30, 100].map((smoothness) => ({ ridge, smoothness })),
);

/** Nats per customer. A difference in cross-validated log loss below it is noise, so the stronger penalty wins. */
const logLossTolerance = 0.0005;

const round = (value: number, digits = 4): number => Number(value.toFixed(digits));

const isChurned = ({ churned }: { churned: boolean }): boolean => churned;

/** A fifth, stratified on the label, that neither the fit nor any choice sees. */
export const splitDataset = (customers: readonly Customer[], splitSeed = seed) => {
  const [heldOut = [], ...rest] = stratifiedFolds(customers, isChurned, 5, splitSeed);
  return { training: rest.flat(), heldOut };
};

const allLevels = (name: string, customers: readonly Customer[]): string[] =>
  [...new Set(customers.map(({ values }) => values[name]))].filter((level) => typeof level === 'string').sort();

const categoricalTerm = (name: string, customers: readonly Customer[]): Term => ({
  kind: 'categorical',
  name,
  levels: allLevels(name, customers).filter((level) => !inapplicable.includes(level)),
});

const modelTerms = (training: readonly Customer[]): Term[] => [
  ...numericFeatureSchema.options.map((name): Term => ({ kind: 'numeric', name, knots: knots[name] })),
  ...categoricalFeatureSchema.options.map((name) => categoricalTerm(name, training)),
];

/** What the model is not given, as terms, so that the model card can say what that costs. */
const leftOutTerms = (training: readonly Customer[]): Term[] => [
  { kind: 'numeric', name: 'totalCharges', knots: [18, 100, 300, 700, 1_400, 2_500, 4_000, 6_000, 8_700] },
  ...['gender', 'seniorCitizen', 'partner', 'dependents'].map((name) => categoricalTerm(name, training)),
];

const fitTo = (
  terms: readonly Term[],
  customers: readonly Customer[],
  encoded: ReadonlyMap<Customer, Float64Array>,
) => {
  const rows = customers.flatMap((customer) => encoded.get(customer) ?? []);
  const churned = customers.map(isChurned);
  return (penalties: Penalties): Fit => fitAdditiveModel(terms, rows, churned, penalties);
};

/** Scores every training customer by a model that was fitted without its fold. */
const crossValidator = (terms: readonly Term[], training: readonly Customer[]) => {
  const encoded = new Map(training.map((customer) => [customer, encode(terms, customer.values)]));
  const parts = stratifiedFolds(training, isChurned, folds, seed);
  return (penalties: Penalties) => {
    const outcomes = parts.flatMap((part): Outcome[] => {
      const model = fitTo(terms, parts.filter((other) => other !== part).flat(), encoded)(penalties);
      return part.flatMap((customer) => {
        const row = encoded.get(customer);
        return row === undefined
          ? []
          : { probability: probabilityOf(logOddsOf(model, row)), churned: customer.churned };
      });
    });
    return { auc: rocAuc(outcomes), logLoss: logLoss(outcomes), ece: calibrationError(outcomes) };
  };
};

const choosePenalties = (validate: ReturnType<typeof crossValidator>) => {
  const tried = grid.map((penalties) => ({ penalties, validation: validate(penalties) }));
  const best = Math.min(...tried.map(({ validation }) => validation.logLoss));
  const chosen = tried.findLast(({ validation }) => validation.logLoss <= best + logLossTolerance);
  if (chosen === undefined) throw new Error('Every fit diverged.');
  return chosen;
};

/** The fit as tables that a person can read; four decimals move no probability by more than 0.0002. */
const toTables = (terms: readonly Term[], training: readonly Customer[], { intercept, contributions }: Fit) => {
  const tables = terms.map((term, t) => {
    const column = (k: number) => round(contributions[t]?.[k] ?? 0);
    if (term.kind === 'numeric') return [term.name, term.knots.map((x, k) => [x, column(k)])];
    const levels = allLevels(term.name, training).map((level) => {
      const k = term.levels.indexOf(level);
      return [level, k < 0 ? 0 : column(k)];
    });
    return [term.name, Object.fromEntries(levels)];
  });
  const of = (kind: Term['kind']) => Object.fromEntries(tables.filter((_, t) => terms[t]?.kind === kind));
  return { intercept: round(intercept), numeric: of('numeric'), categorical: of('categorical') };
};

const evaluate = (outcomes: readonly Outcome[]): ChurnArtefact['heldOut'] => {
  const [low, high] = aucInterval(outcomes, seed);
  return {
    auc: round(rocAuc(outcomes)),
    auc95: [round(low), round(high)],
    ece: round(calibrationError(outcomes)),
    brier: round(brierScore(outcomes)),
    logLoss: round(logLoss(outcomes)),
    atHighRisk: confusion(outcomes, riskThresholds.high),
  };
};

/** A customer as the shipped code scores it. */
export interface ScoredCustomer extends Outcome {
  readonly customer: Customer;
}

export const scoreAll = (artefact: unknown, customers: readonly Customer[]): ScoredCustomer[] => {
  const model = loadChurnModel(artefact);
  return customers.map((customer) => ({
    customer,
    churned: customer.churned,
    probability: model.predict(customer.features).probability,
  }));
};

export interface Training {
  readonly artefact: ChurnArtefact;
  readonly heldOut: readonly ScoredCustomer[];
  /** Cross-validated AUC of the same fit with the columns that the model is not given. */
  readonly aucWithLeftOut: number;
  /** Held-out quality of the same method when other seeds draw the split. Shown for its spread, not chosen from. */
  readonly otherSplits: readonly { readonly auc: number; readonly ece: number }[];
  /** Held-out customers who equal a training customer in every column. */
  readonly twins: number;
}

const fitTables = (training: readonly Customer[], penalties: Penalties) => {
  const terms = modelTerms(training);
  const encoded = new Map(training.map((customer) => [customer, encode(terms, customer.values)]));
  return { riskThresholds, ...toTables(terms, training, fitTo(terms, training, encoded)(penalties)) };
};

const evaluateOtherSplits = (customers: readonly Customer[], penalties: Penalties): Training['otherSplits'] =>
  otherSeeds.map((otherSeed) => {
    const { training, heldOut } = splitDataset(customers, otherSeed);
    const scored = scoreAll({ version: `seed ${otherSeed}`, ...fitTables(training, penalties) }, heldOut);
    return { auc: rocAuc(scored), ece: calibrationError(scored) };
  });

/** Fits, chooses and evaluates. The same data set always gives the same result, to the last digit. */
export const trainChurn = (dataset: Dataset): Training => {
  const { training, heldOut } = splitDataset(dataset.customers);
  const terms = modelTerms(training);
  const { penalties, validation } = choosePenalties(crossValidator(terms, training));
  const model = fitTables(training, penalties);

  const described = {
    version: `${recipe}-${sha256(canonicalJson(model)).slice(0, 12)}`,
    method: 'additive logistic regression: piecewise-linear curves and level effects, ridge and smoothness penalties',
    data: {
      name: 'IBM Telco customer churn sample',
      sha256: dataset.sha256,
      rows: dataset.customers.length,
      churnRate: round(churnRate(dataset.customers)),
    },
    split: { seed, training: training.length, heldOut: heldOut.length },
    penalties,
    crossValidation: {
      folds,
      auc: round(validation.auc),
      logLoss: round(validation.logLoss),
      ece: round(validation.ece),
    },
    ...model,
  };
  const scored = scoreAll(described, heldOut);
  const seen = new Set(training.map(({ values }) => canonicalJson(values)));
  return {
    artefact: churnArtefactSchema.parse({ ...described, heldOut: evaluate(scored) }),
    heldOut: scored,
    aucWithLeftOut: crossValidator([...terms, ...leftOutTerms(training)], training)(penalties).auc,
    otherSplits: evaluateOtherSplits(dataset.customers, penalties),
    twins: heldOut.filter(({ values }) => seen.has(canonicalJson(values))).length,
  };
};
