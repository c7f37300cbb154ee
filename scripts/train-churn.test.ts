import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import artefact from '#shared/ai/churn/churn.model.json' with { type: 'json' };
import { parseDataset } from './lib/churn/dataset.ts';
import { churnFiles } from './lib/churn/files.ts';
import { calibrationError, churnRate, confusion, rocAuc } from './lib/churn/metrics.ts';
import { stratifiedFolds } from './lib/churn/random.ts';
import { scoreAll, splitDataset } from './lib/churn/train.ts';

const root = resolve(import.meta.dirname, '..');
const data = resolve(root, '../shared/data/telco-churn.csv');
const absent = !existsSync(data);
if (absent) console.warn(`Skipped: training is not tested, the data set ${data} is absent.`);

describe.skipIf(absent)('npm run train:churn (needs telco-churn.csv)', () => {
  const csv = absent ? '' : readFileSync(data, 'utf8');

  it('gives just the files that are in the repository', () => {
    for (const [file, text] of churnFiles(csv).files)
      expect(readFileSync(resolve(root, file), 'utf8'), file).toBe(text);
  });

  it('holds out a fifth with the same share of leavers, apart from the training part', () => {
    const { customers } = parseDataset(csv);
    const { training, heldOut } = splitDataset(customers);
    expect(customers).toHaveLength(7_043);
    expect(heldOut).toHaveLength(1_409);
    expect(new Set([...training, ...heldOut]).size).toBe(7_043);
    expect(churnRate(heldOut)).toBeCloseTo(churnRate(customers), 3);
  });

  it('reaches its bar on the held-out customers by the shipped code and artefact', () => {
    const scored = scoreAll(artefact, splitDataset(parseDataset(csv).customers).heldOut);
    expect(rocAuc(scored)).toBeGreaterThanOrEqual(0.84);
    expect(calibrationError(scored)).toBeLessThanOrEqual(0.05);
    expect(rocAuc(scored)).toBeCloseTo(artefact.heldOut.auc, 4);
    expect(calibrationError(scored)).toBeCloseTo(artefact.heldOut.ece, 4);
  });
});

describe('the data set', () => {
  const header = 'customerID,gender,tenure,Contract,TotalCharges,Churn';

  it('is read into features, missing values and the label', () => {
    const [customer] = parseDataset(`${header}\n1-A,Female,0,Two year, ,No\n`).customers;
    expect(customer).toEqual({
      values: { gender: 'Female', tenure: 0, contract: 'Two year', totalCharges: null },
      features: { tenure: 0, contract: 'Two year' },
      churned: false,
    });
  });

  it.each([
    ['a quoted field', '1-A,"Female",0,Two year, ,No', 'Quoted'],
    ['a short row', '1-A,Female,0', 'Line 2 has 3 fields'],
    ['no label', '1-A,Female,0,Two year, ,', 'Line 2 has no label'],
    ['a number that is none', '1-A,Female,many,Two year, ,No', 'tenure'],
  ])('is refused with %s', (_, row, message) => {
    expect(() => parseDataset(`${header}\n${row}`)).toThrow(message);
  });
});

describe('the metrics', () => {
  const outcome = (probability: number, churned: boolean) => ({ probability, churned });

  it('count a tie as half in the AUC', () => {
    const outcomes = [outcome(0.1, false), outcome(0.4, true), outcome(0.4, false), outcome(0.9, true)];
    expect(rocAuc(outcomes)).toBe(3.5 / 4);
  });

  it('weigh the gap of each bin by its share in the ECE', () => {
    const outcomes = [outcome(0.25, false), outcome(0.25, false), outcome(0.25, true), outcome(1, true)];
    expect(calibrationError(outcomes)).toBeCloseTo((3 / 4) * (1 / 3 - 0.25), 12);
  });

  it('count hits and misses at a threshold', () => {
    const outcomes = [outcome(0.5, true), outcome(0.6, false), outcome(0.4, true), outcome(0.1, false)];
    expect(confusion(outcomes, 0.5)).toEqual({
      truePositives: 1,
      falsePositives: 1,
      trueNegatives: 1,
      falseNegatives: 1,
    });
  });
});

describe('stratified folds', () => {
  it('share out each stratum evenly, the same way for the same seed', () => {
    const items = Array.from({ length: 103 }, (_, i) => i);
    const deal = (seed: number) => stratifiedFolds(items, (i) => i % 4 === 0, 5, seed);
    for (const fold of deal(1)) expect([5, 6]).toContain(fold.filter((i) => i % 4 === 0).length);
    expect(
      deal(1)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(items);
    expect(deal(1)).toEqual(deal(1));
    expect(deal(1)).not.toEqual(deal(2));
  });
});
