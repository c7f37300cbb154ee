/** One line of the table. `ratio` is ours against the baseline, in the direction that the bar is written for. */
export interface Row {
  readonly name: string;
  readonly unit: 'ms' | '/s';
  readonly ours: number;
  readonly baseline: number;
  readonly ratio: number;
  /** What the ratio is to be; none where the row only informs. */
  readonly bar?: { readonly atMost: number } | { readonly atLeast: number };
  /** What is measured and how, and what the baseline is. */
  readonly how: string;
  /** What keeps the ratio where it is, for a row that misses its bar. */
  readonly bound?: string;
}

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  return low + (high - low) * (position - Math.floor(position));
};

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export const isMet = ({ bar, ratio }: Row): boolean | undefined => {
  if (bar === undefined) return undefined;
  return 'atMost' in bar ? ratio <= bar.atMost : ratio >= bar.atLeast;
};

export interface Pair {
  readonly ours: number;
  readonly baseline: number;
}

/**
 * Medians of runs in turn (A B A B …), so that what else the machine does meets both alike. The first pairs, with
 * cold caches, do not count.
 */
export const interleaved = async (
  runs: number,
  ours: (run: number) => Promise<number>,
  baseline: (run: number) => Promise<number>,
  warmUps = 1,
): Promise<Pair> => {
  const measured: { readonly ours: number[]; readonly baseline: number[] } = { ours: [], baseline: [] };
  for (let run = 0; run < warmUps + runs; run += 1) {
    const pair = { ours: await ours(run), baseline: await baseline(run) };
    if (run < warmUps) continue;
    measured.ours.push(pair.ours);
    measured.baseline.push(pair.baseline);
  }
  return { ours: median(measured.ours), baseline: median(measured.baseline) };
};
