/** Numbers in [0, 1) that are the same on every run: mulberry32 (Tommy Ettinger, 2017, public domain). */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const shuffled = <T>(items: readonly T[], random: () => number): T[] =>
  items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);

/** Deals the items into `count` folds so that each has the same share of every stratum, to within one item. */
export const stratifiedFolds = <T>(
  items: readonly T[],
  stratumOf: (item: T) => boolean,
  count: number,
  seed: number,
): T[][] => {
  const random = seededRandom(seed);
  const folds: T[][] = Array.from({ length: count }, () => []);
  for (const stratum of [true, false]) {
    const members = items.filter((item) => stratumOf(item) === stratum);
    shuffled(members, random).forEach((item, i) => {
      folds[i % count]?.push(item);
    });
  }
  return folds;
};
