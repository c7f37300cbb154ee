import { type ChurnFeatures, churnFeaturesSchema } from '#shared/ai/churn/churn-features.ts';
import { sha256 } from '#shared/kernel/json.ts';

export type Values = Readonly<Record<string, string | number | null>>;

/** One customer: every column but the id and the label, in camel case, and what of it the model may see. */
export interface Customer {
  readonly values: Values;
  readonly features: ChurnFeatures;
  readonly churned: boolean;
}

export interface Dataset {
  readonly sha256: string;
  readonly customers: readonly Customer[];
}

const numericColumns = new Set(['tenure', 'monthlyCharges', 'totalCharges']);
const featureNames = new Set<string>(churnFeaturesSchema.keyof().options);

const camelCase = (column: string): string => column.charAt(0).toLowerCase() + column.slice(1);

const parseValue = (column: string, text: string): string | number | null => {
  if (text.trim() === '') return null;
  return numericColumns.has(column) ? Number(text) : text;
};

/**
 * Reads IBM's Telco customer churn sample. Its fields are never quoted, so a quote means another file. Throws on one,
 * on a row of another width, on a feature that the schema refuses and on a label that is neither Yes nor No.
 */
export const parseDataset = (csv: string): Dataset => {
  if (csv.includes('"')) throw new Error('Quoted fields are not expected in this data set.');
  const [header = [], ...rows] = csv
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(','));
  const columns = header.map(camelCase);
  const customers = rows.map((row, i) => {
    if (row.length !== columns.length)
      throw new Error(`Line ${i + 2} has ${row.length} fields, not ${columns.length}.`);
    const {
      customerID: _,
      churn,
      ...values
    } = Object.fromEntries(columns.map((column, at) => [column, parseValue(column, row[at] ?? '')]));
    if (churn !== 'Yes' && churn !== 'No') throw new Error(`Line ${i + 2} has no label.`);
    const features = Object.fromEntries(Object.entries(values).filter(([name]) => featureNames.has(name)));
    return { values, features: churnFeaturesSchema.parse(features), churned: churn === 'Yes' };
  });
  return { sha256: sha256(csv), customers };
};
