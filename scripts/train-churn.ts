import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { churnFiles } from './lib/churn/files.ts';

const root = resolve(import.meta.dirname, '..');
const path = resolve(process.argv[2] ?? resolve(root, '../shared/data/telco-churn.csv'));

const csv = await readFile(path, 'utf8').catch(() => undefined);
if (csv === undefined) {
  console.error(
    `Can't read ${path}. The data set (IBM's Telco customer churn sample, telco-churn.csv) is not part of the repository: get a copy and run: npm run train:churn -- path/to/telco-churn.csv`,
  );
  process.exitCode = 1;
} else {
  const { training, files } = churnFiles(csv);
  for (const [file, text] of files) await writeFile(resolve(root, file), text);
  const { version, heldOut } = training.artefact;
  console.log(
    `Model ${version}: held-out ROC AUC ${heldOut.auc}, ECE ${heldOut.ece}. Wrote ${[...files.keys()].join(', ')}.`,
  );
}
