import { parseDataset } from './dataset.ts';
import { reliability } from './metrics.ts';
import { modelCard } from './model-card.ts';
import { reliabilityDiagram } from './reliability-diagram.ts';
import { trainChurn } from './train.ts';

/** Indented JSON with the points of a curve on one line each. */
const readable = (value: unknown): string =>
  `${JSON.stringify(value, null, 2).replace(/\[\s+([-\d.]+),\s+([-\d.]+)\s+\]/g, '[$1, $2]')}\n`;

/** Trains on the data set's text. Returns the training and the files it gives, by path from the repository's root. */
export const churnFiles = (csv: string) => {
  const training = trainChurn(parseDataset(csv));
  const files: ReadonlyMap<string, string> = new Map([
    ['shared/ai/churn/churn.model.json', readable(training.artefact)],
    ['docs/models/churn.md', modelCard(training)],
    ['docs/models/churn-reliability.svg', reliabilityDiagram(reliability(training.heldOut))],
  ]);
  return { training, files };
};
