import { categoricalFeatureSchema, numericFeatureSchema } from '#shared/ai/churn/churn-features.ts';
import { loadChurnModel } from '#shared/ai/churn/churn-model.ts';
import { calibrationError, churnRate, confusion, mean, reliability, rocAuc } from './metrics.ts';
import type { ScoredCustomer, Training } from './train.ts';

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const three = (value: number): string => value.toFixed(3);
const signed = (value: number): string => (value > 0 ? '+' : '') + value.toFixed(2);

const table = (header: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

const range = (values: readonly number[]): string => `${three(Math.min(...values))} to ${three(Math.max(...values))}`;

const averagePrediction = (scored: readonly ScoredCustomer[]): number =>
  mean(scored.map(({ probability }) => probability));

const calibrationTable = ({ heldOut }: Training): string =>
  table(
    ['predicted', 'customers', 'average prediction', 'left'],
    reliability(heldOut).map(({ from, to, count, predicted, observed }) => [
      `${from.toFixed(1)} to ${to.toFixed(1)}`,
      count,
      percent(predicted),
      percent(observed),
    ]),
  );

const riskTable = ({ artefact, heldOut }: Training): string => {
  const { medium, high, critical } = artefact.riskThresholds;
  const levels = [
    { name: 'low', from: 0, to: medium },
    { name: 'medium', from: medium, to: high },
    { name: 'high', from: high, to: critical },
    { name: 'critical', from: critical, to: 1.01 },
  ];
  return table(
    ['level', 'probability from', 'customers', 'left'],
    levels.map(({ name, from, to }) => {
      const members = heldOut.filter(({ probability }) => probability >= from && probability < to);
      return [name, from, members.length, percent(churnRate(members))];
    }),
  );
};

/** Quality among the held-out customers who share a value of a column that the model never sees. */
const groupTable = ({ artefact, heldOut }: Training): string => {
  const groups = ['gender', 'seniorCitizen'].flatMap((column) =>
    [...new Set(heldOut.map(({ customer }) => customer.values[column]))].sort().map((value) => ({
      column,
      value,
      members: heldOut.filter(({ customer }) => customer.values[column] === value),
    })),
  );
  return table(
    [
      'group',
      'customers',
      'left',
      'average prediction',
      'ROC AUC',
      'ECE',
      'flagged, of those who left',
      'flagged, of those who stayed',
    ],
    groups.map(({ column, value, members }) => {
      const at = confusion(members, artefact.riskThresholds.high);
      return [
        `${column} = ${value}`,
        members.length,
        percent(churnRate(members)),
        percent(averagePrediction(members)),
        three(rocAuc(members)),
        three(calibrationError(members)),
        percent(at.truePositives / (at.truePositives + at.falseNegatives)),
        percent(at.falsePositives / (at.falsePositives + at.trueNegatives)),
      ];
    }),
  );
};

const withheldTable = ({ artefact, heldOut }: Training): string => {
  const model = loadChurnModel(artefact);
  return table(
    ['missing', 'ROC AUC', 'ECE'],
    [...numericFeatureSchema.options, ...categoricalFeatureSchema.options].map((name) => {
      const scored = heldOut.map(({ customer, churned }) => ({
        churned,
        probability: model.predict({ ...customer.features, [name]: null }).probability,
      }));
      return [name, three(rocAuc(scored)), three(calibrationError(scored))];
    }),
  );
};

const contributionTable = ({ artefact }: Training): string => {
  const numeric = numericFeatureSchema.options.map((name) => ({ name, entries: artefact.numeric[name] }));
  const categorical = categoricalFeatureSchema.options.map((name) => ({
    name,
    entries: Object.entries(artefact.categorical[name]),
  }));
  return table(
    ['feature', 'contribution to the log-odds'],
    [...numeric, ...categorical].map(({ name, entries }) => [
      name,
      entries.map(([value, contribution]) => `${value}: ${signed(contribution)}`).join(', '),
    ]),
  );
};

/** The model card (Mitchell et al., Model Cards for Model Reporting, FAT* 2019) in Markdown. */
export const modelCard = (training: Training): string => {
  const { artefact, heldOut, aucWithLeftOut, otherSplits, twins } = training;
  const { data, split, heldOut: quality, crossValidation, penalties, riskThresholds } = artefact;
  const { truePositives, falsePositives, trueNegatives, falseNegatives } = quality.atHighRisk;
  return `# Model card: customer churn

Written by \`npm run train:churn\`; edit \`scripts/lib/churn/model-card.ts\` instead of this page.

- Version \`${artefact.version}\`: the recipe's number and the fingerprint of the numbers in
  [churn.model.json](../../shared/ai/churn/churn.model.json). No time is stored, so that training twice gives the same file.
- Method: ${artefact.method}. Each feature has one table, below; a score is the sum of the
  entries and of the intercept (${artefact.intercept}), so that the explanation *is* the model.

## Use

For deciding whom to call, help or make an offer to before they leave. Contributions say what goes along with leaving,
not what causes it: an offer should be tested against customers who don't get it. Not for pricing, credit, refusal of
service or anything else to a customer's disadvantage.

## Data

${data.name}: ${data.rows} customers, ${percent(data.churnRate)} of whom left. IBM publishes it with its analytics products and says
that it is about a fictional telephone and Internet company in California
([description](https://community.ibm.com/community/user/businessanalytics/blogs/steven-macko/2019/07/11/telco-customer-churn-1113)).
SHA-256 \`${data.sha256}\`. The file is not part of the repository.

- Split: stratified on the label with seed ${split.seed}: ${split.training} for training, ${split.heldOut} held out. ${twins} held-out customers equal a
  training customer in every column.
- Penalties (ridge ${penalties.ridge}, smoothness ${penalties.smoothness}): the strongest whose log loss in ${crossValidation.folds}-fold cross-validation on the training
  part is within 0.0005 of the best.
- The held-out part decided nothing in the training script. While the method was worked out, though, feature sets were
  compared by cross-validation on another draw of the split, which overlaps with this one; they differed by at most
  0.001 in ROC AUC.
- Not given to the model: gender, age (SeniorCitizen), Partner and Dependents, which are protected or private, and
  TotalCharges, which is tenure times charge. With all five the cross-validated ROC AUC is ${aucWithLeftOut.toFixed(4)}, without them
  ${crossValidation.auc.toFixed(4)}.
- No separate calibration: out of fold the expected calibration error is ${three(crossValidation.ece)} already.

## Quality on the held-out customers

By the shipped scoring code.

| metric | value |
| --- | --- |
| ROC AUC | ${quality.auc.toFixed(4)} (95 % by bootstrap: ${three(quality.auc95[0])} to ${three(quality.auc95[1])}) |
| expected calibration error, 10 bins of equal width | ${quality.ece.toFixed(4)} |
| Brier score | ${quality.brier.toFixed(4)} (always the average: ${(data.churnRate * (1 - data.churnRate)).toFixed(4)}) |
| log loss | ${quality.logLoss.toFixed(4)} |
| at risk high and above (${riskThresholds.high}) | ${truePositives} left and were flagged, ${falsePositives} stayed and were flagged, ${falseNegatives} left and were not, ${trueNegatives} stayed and were not |
| precision, recall there | ${percent(truePositives / (truePositives + falsePositives))}, ${percent(truePositives / (truePositives + falseNegatives))} |

The luck of the split is as large as that interval: with the split drawn by ${otherSplits.length} other seeds, the ROC AUC is
${range(otherSplits.map(({ auc }) => auc))} (average ${three(mean(otherSplits.map(({ auc }) => auc)))}) and the expected calibration error ${range(otherSplits.map(({ ece }) => ece))}.

${riskTable(training)}

## Calibration

![Predicted against observed rate](churn-reliability.svg)

${calibrationTable(training)}

## Groups

Columns that the model does not see. Flagged means risk high and above. Average prediction and share that left over
all held-out customers: ${percent(averagePrediction(heldOut))} and ${percent(churnRate(heldOut))}.

${groupTable(training)}

## Missing and unknown values

A value that is missing or unknown contributes nothing: the customer counts as average in that feature, and the answer
says so. A number outside the range of the training data is scored at the range's end, and the answer says so. What the
lack of one feature costs on the held-out customers:

${withheldTable(training)}

## The model

"No internet service" and "No phone service" contribute nothing; \`internetService\` and \`phoneService\` carry that effect.

${contributionTable(training)}

## Limits

- Sample data about one fictional company in one quarter, with prices in US dollars and the service names of its market.
  For a real business the probabilities are not calibrated until the model is retrained on its own customers.
- The price follows from the services, so the shares of \`monthlyCharges\` and of the services in a score can't be told
  apart well; their sum can.
- No interactions: a feature moves the log-odds of every customer alike.
- Groups above whose average prediction is off the share that left are misjudged as a group; watch them.

## Train it again

\`npm run train:churn [-- path/to/telco-churn.csv]\` takes some seconds and writes the artefact, this page and the diagram.
\`scripts/train-churn.test.ts\` proves that the files in the repository are what the data gives, byte for byte.
`;
};
