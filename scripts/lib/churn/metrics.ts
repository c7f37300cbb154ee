import { seededRandom } from './random.ts';

/** A probability that was predicted, and what happened. */
export interface Outcome {
  readonly probability: number;
  readonly churned: boolean;
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const churnRate = (outcomes: readonly { churned: boolean }[]): number =>
  mean(outcomes.map(({ churned }) => Number(churned)));

/** Area under the ROC curve by the rank sum of Mann and Whitney; ties count half. */
export const rocAuc = (outcomes: readonly Outcome[]): number => {
  const sorted = [...outcomes].sort((a, b) => a.probability - b.probability);
  const positives = sorted.filter(({ churned }) => churned).length;
  let rankSum = 0;
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    let churned = 0;
    while (sorted[end]?.probability === sorted[start]?.probability && end < sorted.length) {
      churned += Number(sorted[end]?.churned);
      end += 1;
    }
    rankSum += churned * ((start + 1 + end) / 2);
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (sorted.length - positives));
};

/** The middle 95 % of the AUC over resamples with replacement (Efron's percentile bootstrap). */
export const aucInterval = (outcomes: readonly Outcome[], seed: number, resamples = 1_000): [number, number] => {
  const random = seededRandom(seed);
  const areas = Array.from({ length: resamples }, () =>
    rocAuc(outcomes.flatMap(() => outcomes[Math.floor(random() * outcomes.length)] ?? [])),
  ).sort((a, b) => a - b);
  return [areas[Math.floor(resamples * 0.025)] ?? 0, areas[Math.ceil(resamples * 0.975) - 1] ?? 1];
};

export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly predicted: number;
  readonly observed: number;
}

/** Ten bins of equal width; empty ones are left out. */
export const reliability = (outcomes: readonly Outcome[], bins = 10): ReliabilityBin[] =>
  Array.from({ length: bins }, (_, i) => i).flatMap((i) => {
    const members = outcomes.filter(({ probability }) => Math.min(bins - 1, Math.floor(probability * bins)) === i);
    if (members.length === 0) return [];
    const predicted = mean(members.map(({ probability }) => probability));
    return { from: i / bins, to: (i + 1) / bins, count: members.length, predicted, observed: churnRate(members) };
  });

/** Expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015). */
export const calibrationError = (outcomes: readonly Outcome[]): number =>
  reliability(outcomes).reduce(
    (sum, { count, predicted, observed }) => sum + (count / outcomes.length) * Math.abs(predicted - observed),
    0,
  );

export const brierScore = (outcomes: readonly Outcome[]): number =>
  mean(outcomes.map(({ probability, churned }) => (probability - Number(churned)) ** 2));

export const logLoss = (outcomes: readonly Outcome[]): number =>
  mean(outcomes.map(({ probability, churned }) => -Math.log(churned ? probability : 1 - probability)));

export const confusion = (outcomes: readonly Outcome[], threshold: number) => {
  const count = (flagged: boolean, churned: boolean) =>
    outcomes.filter((outcome) => outcome.probability >= threshold === flagged && outcome.churned === churned).length;
  return {
    truePositives: count(true, true),
    falsePositives: count(true, false),
    trueNegatives: count(false, false),
    falseNegatives: count(false, true),
  };
};
